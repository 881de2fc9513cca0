// Package mend finds the smallest edits of an image's text files that cure a
// fault: a word of an entrypoint script, an address in a configuration file. It
// reads the image's files and writes none.
package mend

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

// maxFile bounds what is taken for a text that a person wrote.
const maxFile = 1 << 20

// ErrOtherText says that a file is not the one that an edit was made for.
var ErrOtherText = errors.New("the text is another")

// Apply makes one edit in a file's text. Every other byte stays.
func Apply(text string, e finding.FileEdit) (string, error) {
	if e.Line == 0 {
		return text, nil
	}
	start, end, ok := lineAt(text, e.Line)
	at := start + e.Column - 1
	if !ok || e.Column < 1 || at > end || !strings.HasPrefix(text[at:end], e.Old) {
		return "", fmt.Errorf("edit %s:%d: %w", e.Path, e.Line, ErrOtherText)
	}
	return text[:at] + e.New + text[at+len(e.Old):], nil
}

// lineAt is the byte range of a line without its line feed.
func lineAt(text string, line int) (start, end int, ok bool) {
	for ; line > 1; line-- {
		i := strings.IndexByte(text[start:], '\n')
		if i < 0 {
			return 0, 0, false
		}
		start += i + 1
	}
	end = len(text)
	if i := strings.IndexByte(text[start:], '\n'); i >= 0 {
		end = start + i
	}
	return start, end, line == 1
}

// Line is a line of a text without its line end; "" when there is none.
func Line(text string, line int) string {
	start, end, ok := lineAt(text, line)
	if !ok {
		return ""
	}
	return strings.TrimSuffix(text[start:end], "\r")
}

// Between is the edit of one line that makes one text of another.
func Between(name, before, after string) (finding.FileEdit, bool) {
	from := 0
	for from < min(len(before), len(after)) && before[from] == after[from] {
		from++
	}
	tail := 0
	for tail < min(len(before), len(after))-from && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	old, new := before[from:len(before)-tail], after[from:len(after)-tail]
	if old+new == "" || strings.Contains(old+new, "\n") {
		return finding.FileEdit{}, false
	}
	line, column := position(before, from)
	return finding.FileEdit{Path: name, Line: line, Column: column, Old: old, New: new}, true
}

// position turns an offset into a line and a column, both from 1.
func position(text string, offset int) (line, column int) {
	return 1 + strings.Count(text[:offset], "\n"), offset - strings.LastIndexByte(text[:offset], '\n')
}

// Setting is the edit that puts other words on the line that at names,
// FILE:LINE, where the old ones stand once.
func Setting(files fs.FS, at, old, new string) (finding.FileEdit, bool) {
	colon := strings.LastIndexByte(at, ':')
	if colon < 0 || !path.IsAbs(at) || old == "" {
		return finding.FileEdit{}, false
	}
	number, err := strconv.Atoi(at[colon+1:])
	text, ok := read(files, at[:colon])
	if err != nil || !ok {
		return finding.FileEdit{}, false
	}
	line := Line(text, number)
	if strings.Count(line, old) != 1 {
		return finding.FileEdit{}, false
	}
	return finding.FileEdit{Path: at[:colon], Line: number, Column: strings.Index(line, old) + 1, Old: old, New: new}, true
}

// read returns a text of the image.
func read(files fs.FS, name string) (string, bool) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	if files == nil || !fs.ValidPath(name) {
		return "", false
	}
	info, err := fs.Stat(files, name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return "", false
	}
	text, err := fs.ReadFile(files, name)
	if err != nil || len(text) > maxFile || bytes.IndexByte(text, 0) >= 0 {
		return "", false
	}
	return string(text), true
}
