// Package hook is the git side of the pre-push hook: where it is installed,
// what git tells it, and which files a push changes.
package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Repository is a git repository with a working tree.
type Repository struct {
	Top    string // the working tree's root
	Hooks  string // the folder that git looks for hooks in
	common string // .git, also of a linked working tree
}

// Open finds the repository that dir is in.
func Open(ctx context.Context, dir string) (*Repository, error) {
	out, err := git(ctx, dir, "rev-parse", "--path-format=absolute", "--show-toplevel", "--git-path", "hooks", "--git-common-dir")
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != 3 {
		return nil, fmt.Errorf("ask git for its folders: %q is no answer", out)
	}
	return &Repository{Top: lines[0], Hooks: lines[1], common: lines[2]}, nil
}

// git runs a git command and returns what it prints.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	switch err := cmd.Run(); {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("git is not installed")
	case err != nil:
		text := strings.TrimPrefix(strings.TrimSpace(errs.String()), "fatal: ")
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, text)
	}
	return out.String(), nil
}

// Head is the commit that is checked out, "" before the first.
func (r *Repository) Head(ctx context.Context) string {
	out, err := git(ctx, r.Top, "rev-parse", "--verify", "--quiet", "HEAD")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// shared reports whether the hooks' folder may serve other repositories too:
// core.hooksPath can point anywhere.
func (r *Repository) shared() bool {
	return !inside(r.Hooks, r.Top) && !inside(r.Hooks, r.common)
}

func inside(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// husky is where husky keeps the hooks that it writes itself.
func (r *Repository) husky() bool {
	return filepath.Base(r.Hooks) == "_" && filepath.Base(filepath.Dir(r.Hooks)) == ".husky"
}
