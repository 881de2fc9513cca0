package servers

import (
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// head reads the start of a file of the image that no command changes.
func (run *invocation) head(file string) (string, error) {
	in, err := run.files.Open(strings.TrimPrefix(file, "/"))
	if err != nil {
		return "", err
	}
	defer in.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(in, 4<<10))
	return string(text), err
}

var pythonVersion = regexp.MustCompile(`^python(3\.\d+)$`)

// libraries lists where the interpreter of a Python program looks for
// packages, most likely first.
func (run *invocation) libraries() []string {
	final := run.launch.Final
	interpreter := final.Path
	if final.Kind == "script" && path.Base(final.Interpreter) != "env" {
		interpreter = final.Interpreter
	}
	if !strings.HasPrefix(interpreter, "/") {
		return nil
	}
	prefix := path.Dir(path.Dir(interpreter))
	var dirs []string
	for _, version := range run.pythonVersions(interpreter, prefix) {
		lib := path.Join(prefix, "lib", "python"+version)
		dirs = append(dirs, path.Join(lib, "site-packages"))
		if prefix == "/usr" {
			dirs = append(dirs, path.Join("/usr/local/lib", "python"+version, "dist-packages"))
		}
	}
	if prefix == "/usr" {
		dirs = append(dirs, "/usr/lib/python3/dist-packages")
	}
	return dirs
}

// pythonVersions finds 3.N from the interpreter's name, its link or its
// library directory.
func (run *invocation) pythonVersions(interpreter, prefix string) []string {
	if m := pythonVersion.FindStringSubmatch(path.Base(interpreter)); m != nil {
		return m[1:]
	}
	entries, err := fs.ReadDir(run.files, strings.TrimPrefix(path.Join(prefix, "lib"), "/"))
	if err == nil {
		var all []string
		for _, e := range entries {
			if m := pythonVersion.FindStringSubmatch(e.Name()); m != nil {
				all = append(all, m[1])
			}
		}
		return all
	}
	if links, ok := run.files.(fs.ReadLinkFS); ok {
		file := interpreter
		for range 3 {
			target, err := links.ReadLink(strings.TrimPrefix(file, "/"))
			if err != nil {
				break
			}
			if m := pythonVersion.FindStringSubmatch(path.Base(target)); m != nil {
				return m[1:]
			}
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(file), target)
			}
			file = target
		}
	}
	return nil
}
