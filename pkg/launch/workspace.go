package launch

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// workspace finds the directory of a workspace by its package's name or its
// path; why says what kept it from doing so.
func (f *follower) workspace(root, name string) (dir, why string) {
	if strings.ContainsAny(name, "*!{}[]^") || strings.Contains(name, "...") {
		return "", fmt.Sprintf("the filter %s may choose several workspaces", name)
	}
	patterns, err := f.workspaces(root)
	if err != nil {
		return "", err.Error()
	}
	var loose []string
	for _, pattern := range patterns {
		dirs, err := fs.Glob(f.files, inside(path.Join(root, pattern)))
		if err != nil || strings.Contains(pattern, "**") {
			return "", fmt.Sprintf("the workspaces %s of %s were not listed", pattern, root)
		}
		for _, dir := range dirs {
			dir = "/" + dir
			title := f.packageName(dir)
			switch {
			case title == name || dir == path.Join(root, name):
				return dir, ""
			case strings.HasSuffix(title, "/"+name): // pnpm leaves the scope out
				loose = append(loose, dir)
			}
		}
	}
	if len(loose) == 1 {
		return loose[0], ""
	}
	return "", fmt.Sprintf("%s has no workspace %q", root, name)
}

// workspaces are the patterns of a root's workspaces.
func (f *follower) workspaces(root string) ([]string, error) {
	if text, err := f.read(path.Join(root, "pnpm-workspace.yaml")); err == nil {
		var file struct{ Packages []string }
		if err := yaml.Unmarshal([]byte(text), &file); err != nil {
			return nil, fmt.Errorf("read pnpm-workspace.yaml: %w", err)
		}
		return file.Packages, nil
	}
	text, err := f.read(path.Join(root, "package.json"))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path.Join(root, "package.json"), err)
	}
	var list struct{ Workspaces []string }
	if json.Unmarshal([]byte(text), &list) == nil {
		return list.Workspaces, nil
	}
	var object struct{ Workspaces struct{ Packages []string } }
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return nil, fmt.Errorf("read the workspaces of %s: %w", root, err)
	}
	return object.Workspaces.Packages, nil
}

func (f *follower) packageName(dir string) string {
	text, err := f.read(path.Join(dir, "package.json"))
	if err != nil {
		return ""
	}
	var p struct{ Name string }
	if json.Unmarshal([]byte(text), &p) != nil {
		return ""
	}
	return p.Name
}
