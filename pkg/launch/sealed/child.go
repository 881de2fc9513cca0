package sealed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
)

// Argument makes imglint's own program the child: it is then the only argument.
const Argument = "__interpret"

// childTime is when a child is killed that does not end by itself.
const childTime = 2 * time.Second

// Child interprets in a process of its own, which asks for the image's files
// over its standard input and output and can open nothing itself.
type Child struct {
	Program string // imglint's own
}

// question is what a child asks or, in the end, answers.
type question struct {
	Stat  *string      `json:"stat,omitempty"`
	Read  *string      `json:"read,omitempty"`
	List  *string      `json:"list,omitempty"`
	Ways  *launch.Ways `json:"ways,omitempty"`
	Error string       `json:"error,omitempty"`
}

// reply is what the parent says about a file.
type reply struct {
	Info  *entry  `json:"info,omitempty"`
	List  []entry `json:"list,omitempty"`
	Text  []byte  `json:"text,omitempty"`
	Error string  `json:"error,omitempty"` // "absent", "not examined", or another
}

type entry struct {
	Name string      `json:"name"`
	Size int64       `json:"size,omitempty"`
	Mode fs.FileMode `json:"mode"`
}

func (e entry) info() info { return info{name: e.Name, size: e.Size, mode: e.Mode} }

// Interpret tries every way through a script in a child process: one that has
// nothing to do, or a new one.
func (c Child) Interpret(script launch.Script, files fs.FS) (launch.Ways, error) {
	w := pool.take(c.Program)
	if w == nil {
		var err error
		if w, err = start(c.Program); err != nil {
			return launch.Ways{}, fmt.Errorf("interpret %s: %w", script.Name, err)
		}
	}
	began := time.Now()
	late := time.AfterFunc(childTime, w.kill)
	ways, err := serve(script, files, w.say, w.hear)
	expired := !late.Stop()
	w.busy += time.Since(began)
	if err == nil && !expired && w.busy < maxBusy {
		pool.put(c.Program, w)
		return ways, nil
	}
	waited := w.end()
	if err == nil {
		return ways, nil
	}
	if expired {
		waited = errors.New("it takes too long")
	}
	line, _, _ := bytes.Cut(w.said.buffer.Bytes(), []byte("\n"))
	return launch.Ways{}, fmt.Errorf("interpret %s in a child: %w (%v) %s", script.Name, err, waited, line)
}

// bounded keeps the first bytes.
type bounded struct{ buffer *bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.buffer.Len() < 1<<10 {
		b.buffer.Write(p[:min(len(p), 1<<10)])
	}
	return len(p), nil
}

// serve hands the script over and answers the child's questions.
func serve(script launch.Script, files fs.FS, say *json.Encoder, hear *json.Decoder) (launch.Ways, error) {
	if err := say.Encode(script); err != nil {
		return launch.Ways{}, err
	}
	for {
		var q question
		if err := hear.Decode(&q); err != nil {
			return launch.Ways{}, err
		}
		switch {
		case q.Ways != nil:
			return *q.Ways, nil
		case q.Error != "":
			return launch.Ways{}, errors.New(q.Error)
		}
		if err := say.Encode(look(files, q)); err != nil {
			return launch.Ways{}, err
		}
	}
}

// look answers one question from the image.
func look(files fs.FS, q question) reply {
	if files == nil {
		return reply{Error: "not examined"}
	}
	var r reply
	var err error
	switch {
	case q.Stat != nil:
		var i fs.FileInfo
		if i, err = fs.Stat(files, *q.Stat); err == nil {
			r.Info = &entry{i.Name(), i.Size(), i.Mode()}
		}
	case q.List != nil:
		var entries []fs.DirEntry
		entries, err = fs.ReadDir(files, *q.List)
		for _, e := range entries[:min(len(entries), 5000)] {
			r.List = append(r.List, entry{Name: e.Name(), Mode: e.Type()})
		}
	case q.Read != nil:
		r.Text, err = readSome(files, *q.Read)
	}
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		r.Error = "absent"
	case errors.Is(err, facts.ErrNotExamined):
		r.Error = "not examined"
	default:
		r.Error = "unreadable"
	}
	return r
}

func readSome(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return io.ReadAll(io.LimitReader(f, maxText+1))
}
