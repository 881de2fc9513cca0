package sealed

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"sync"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
)

// Main is the child: it reads scripts, asks for files, and says which ways
// there are, until there is nothing more to read. It returns the process's
// exit status.
func Main(in io.Reader, out io.Writer) int {
	if err := limit(); err != nil {
		return say(out, question{Error: "limit the child: " + err.Error()})
	}
	hear := json.NewDecoder(bufio.NewReader(in))
	for {
		var script launch.Script
		if err := hear.Decode(&script); errors.Is(err, io.EOF) {
			return 0
		} else if err != nil {
			return say(out, question{Error: "read the script: " + err.Error()})
		}
		answer := question{}
		ways, err := Here{}.Interpret(script, &remote{hear: hear, out: out, known: map[string]reply{}})
		if err != nil {
			answer.Error = err.Error()
		} else {
			answer.Ways = &ways
		}
		if status := say(out, answer); status != 0 {
			return status
		}
	}
}

func say(out io.Writer, q question) int {
	if err := json.NewEncoder(out).Encode(q); err != nil {
		return 1
	}
	return 0
}

// remote is the image as the child sees it.
type remote struct {
	mu    sync.Mutex
	hear  *json.Decoder
	out   io.Writer
	known map[string]reply
}

func (r *remote) ask(op, name string, q question) (reply, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer, ok := r.known[op+name]
	if !ok {
		if err := json.NewEncoder(r.out).Encode(q); err != nil {
			return answer, err
		}
		if err := r.hear.Decode(&answer); err != nil {
			return answer, err
		}
		r.known[op+name] = answer
	}
	switch answer.Error {
	case "":
		return answer, nil
	case "absent":
		return answer, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	case "not examined":
		return answer, facts.ErrNotExamined
	}
	return answer, errors.New(answer.Error)
}

// Stat asks about a file.
func (r *remote) Stat(name string) (fs.FileInfo, error) {
	answer, err := r.ask("stat ", name, question{Stat: &name})
	if err != nil {
		return nil, err
	}
	return answer.Info.info(), nil
}

// ReadDir asks for a directory's names.
func (r *remote) ReadDir(name string) ([]fs.DirEntry, error) {
	answer, err := r.ask("list ", name, question{List: &name})
	var entries []fs.DirEntry
	for _, e := range answer.List {
		entries = append(entries, e.info())
	}
	return entries, err
}

// Open reads a file whole.
func (r *remote) Open(name string) (fs.File, error) {
	answer, err := r.ask("read ", name, question{Read: &name})
	if err != nil {
		return nil, err
	}
	return &file{Reader: bytes.NewReader(answer.Text), info: info{name: path.Base(name), size: int64(len(answer.Text)), mode: 0o644}}, nil
}

type file struct {
	*bytes.Reader
	info info
}

// Stat describes the open file.
func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close does nothing.
func (f *file) Close() error { return nil }
