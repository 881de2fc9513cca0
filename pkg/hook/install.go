package hook

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The hook, and the name that a hook gets that was there before.
const (
	name   = "pre-push"
	before = "pre-push.before-imglint"
)

// mark tells our hook from others.
const mark = "# Installed by `imglint hook install`; `imglint hook uninstall` removes it."

// script is the hook. What git says on its standard input is for both hooks.
// It stops the push when imglint is gone: nobody would notice otherwise.
const script = `#!/bin/sh
` + mark + `
refs=$(cat)
before=$(dirname -- "$0")/` + before + `
say() { if [ -n "$refs" ]; then printf '%%s\n' "$refs"; fi; }
if [ -x "$before" ]; then
	say | "$before" "$@" || exit $?
fi
imglint=%s
[ -x "$imglint" ] || imglint=$(command -v imglint) || {
	echo "imglint: not found, so this push is not checked; remove $0, or push with git push --no-verify" >&2
	exit 1
}
say | "$imglint" hook run "$@"
`

// ErrShared says that the hooks' folder serves other repositories too.
var ErrShared = errors.New("core.hooksPath names a folder outside of this repository, which others may share")

// HuskyError says that husky owns the hooks.
type HuskyError struct{ File string }

// Error tells what to do instead.
func (e *HuskyError) Error() string {
	return fmt.Sprintf("husky writes the hooks here; add this line to %s: imglint hook run \"$@\"", e.File)
}

// Install writes the hook and returns its file, and the name that an existing
// hook got, "" if there was none. Installing again brings our hook up to date.
func (r *Repository) Install(imglint string, shared bool) (file, chained string, err error) {
	if r.husky() {
		return "", "", &HuskyError{filepath.Join(filepath.Dir(r.Hooks), name)}
	}
	if r.shared() && !shared {
		return "", "", fmt.Errorf("install hook in %q: %w", r.Hooks, ErrShared)
	}
	file, old := filepath.Join(r.Hooks, name), filepath.Join(r.Hooks, before)
	ours, there, err := look(file)
	if err != nil {
		return "", "", err
	}
	if there && !ours {
		if _, err := os.Lstat(old); err == nil {
			return "", "", fmt.Errorf("chain hook %q: %q is there already", file, old)
		}
		if err := os.Rename(file, old); err != nil {
			return "", "", fmt.Errorf("chain hook: %w", err)
		}
	}
	if _, err := os.Lstat(old); err == nil {
		chained = old
	}
	if err := os.MkdirAll(r.Hooks, 0o755); err != nil {
		return "", "", fmt.Errorf("make folder of hooks: %w", err)
	}
	if err := replace(file, fmt.Sprintf(script, quoted(imglint))); err != nil {
		return "", "", fmt.Errorf("write hook: %w", err)
	}
	return file, chained, nil
}

// look tells whether a hook is there, and whether it is ours.
func look(file string) (ours, there bool, err error) {
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, false, nil
	case err != nil:
		return false, false, fmt.Errorf("read hook: %w", err)
	}
	return bytes.Contains(text, []byte(mark)), true, nil
}

// replace writes a program in one step; writing into the old file could change
// a script that runs, or another file that it links to.
func replace(file, text string) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), ".imglint-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // gone already when all went well
	_, err = temporary.WriteString(text)
	if err = errors.Join(err, temporary.Chmod(0o755), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}

// quoted is a word for the shell; git's own on Windows wants / in paths.
func quoted(path string) string {
	return "'" + strings.ReplaceAll(filepath.ToSlash(path), "'", `'\''`) + "'"
}

// Uninstall removes the hook and puts back the one that was there before. It
// reports whether ours was there.
func (r *Repository) Uninstall() (was bool, restored string, err error) {
	file, old := filepath.Join(r.Hooks, name), filepath.Join(r.Hooks, before)
	ours, _, err := look(file)
	if err != nil || !ours {
		return false, "", err
	}
	switch err := os.Rename(old, file); {
	case err == nil:
		return true, file, nil
	case !errors.Is(err, os.ErrNotExist):
		return false, "", fmt.Errorf("put hook back: %w", err)
	}
	if err := os.Remove(file); err != nil {
		return false, "", fmt.Errorf("remove hook: %w", err)
	}
	return true, "", nil
}
