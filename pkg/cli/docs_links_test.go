package cli

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	fences   = regexp.MustCompile("(?ms)^ *(```+)[^\n]*\n.*?^ *```+ *$")
	noAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// ourSite is where links lead that have to work outside of a checkout.
const ourSite = "https://github.com/imglint/imglint/blob/main/"

// TestDocsLinks follows every link of every page to a file of this repository,
// and to its heading.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	root := os.DirFS(filepath.Join("..", ".."))
	pages, links := 0, 0
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != "." && name != ".github" || d.Name() == "dist"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".md":
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		pages++
		for _, m := range link.FindAllStringSubmatch(fences.ReplaceAllString(string(text), ""), -1) {
			target, ours := strings.CutPrefix(m[1], ourSite)
			if !ours && strings.Contains(target, "://") {
				continue
			}
			links++
			if !ours && !strings.HasPrefix(target, "#") {
				target = path.Join(path.Dir(name), target)
			} else if !ours {
				target = name + target
			}
			if problem := follow(root, target); problem != "" {
				t.Errorf("%s: the link %s %s", name, m[1], problem)
			}
		}
		return nil
	})
	if err != nil || pages < 40 || links < 100 {
		t.Errorf("%d pages with %d links: %v", pages, links, err)
	}
	if follow(root, "README.md#no-such-heading") == "" || follow(root, "nowhere.md") == "" {
		t.Error("follows links that lead nowhere, so the above says nothing")
	}
}

// follow says what is wrong with a link, "" if it leads somewhere.
func follow(root fs.FS, target string) string {
	file, anchor, _ := strings.Cut(target, "#")
	if _, err := fs.Stat(root, file); err != nil {
		return "leads to no file"
	}
	if anchor == "" {
		return ""
	}
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return "leads to a folder's heading"
	}
	for _, m := range heading.FindAllStringSubmatch(fences.ReplaceAllString(string(text), ""), -1) {
		if strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-") == anchor {
			return ""
		}
	}
	return "leads to no heading"
}
