package cli

import (
	"errors"
	stdio "io"
	"os"
	"syscall"

	"golang.org/x/term"
)

// usualWidth is taken when a terminal does not tell its width.
const usualWidth = 80

// widthOf returns what tells the width of the terminal that a file is.
func widthOf(file *os.File) func() int {
	return func() int {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
		return usualWidth
	}
}

// Standard returns the process's own input, output and environment.
func Standard() IO {
	return IO{
		In: os.Stdin, Out: unread{os.Stdout}, Err: unread{os.Stderr},
		InTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		Width:       widthOf(os.Stderr), OutWidth: widthOf(os.Stdout),
		Getenv: os.Getenv,
	}
}

// unread is a stream whose reader may go away, as head -1 does: what comes
// after that is lost, and the exit status still tells.
type unread struct{ stdio.Writer }

func (u unread) Write(p []byte) (int, error) {
	n, err := u.Writer.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		return len(p), nil
	}
	return n, err
}
