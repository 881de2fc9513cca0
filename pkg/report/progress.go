package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// Progress keeps one live line on a terminal: what is being done, for how
// long, what listens, the last line of the log. Its methods may be called from
// any goroutine.
type Progress struct {
	w     io.Writer
	width func() int
	style Style

	mu       sync.Mutex
	began    time.Time
	doing    string
	open     []string
	lastLine string
	shown    bool
	stop     chan struct{}
	done     sync.WaitGroup
}

// NewProgress starts a live line on w; width tells the terminal's width in columns.
func NewProgress(w io.Writer, width func() int, style Style) *Progress {
	p := &Progress{w: w, width: width, style: style, began: time.Now(), stop: make(chan struct{})}
	p.done.Go(p.tick)
	return p
}

func (p *Progress) tick() {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		}
	}
}

// Doing says what is being done now, and starts its clock.
func (p *Progress) Doing(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doing, p.began, p.open, p.lastLine = what, time.Now(), nil, ""
}

// Event takes note of a listener.
func (p *Progress) Event(e facts.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case facts.EventListening:
		if address := e.Socket.Address(); !slices.Contains(p.open, address) {
			p.open = append(p.open, address)
		}
	case facts.EventClosed:
		p.open = slices.DeleteFunc(p.open, func(a string) bool { return a == e.Socket.Address() })
	}
}

// Log takes note of a line of the container's log.
func (p *Progress) Log(line facts.LogLine) {
	if strings.TrimSpace(line.Text) == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastLine = line.Text
}

// Pause removes the line until something happens again, so that other text
// can be printed.
func (p *Progress) Pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doing = ""
	if p.shown {
		io.WriteString(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// Close removes the line for good.
func (p *Progress) Close() {
	close(p.stop)
	p.done.Wait()
	p.Pause()
}

func (p *Progress) draw() {
	if p.doing == "" {
		return
	}
	p.shown = true
	io.WriteString(p.w, "\r\x1b[K"+p.style.paint(dim, p.text(p.width()-1)))
}

// enoughForAll is a width that has room for what is done and what listens.
const enoughForAll = 60

// text is the line, at most limit characters wide. On a narrow terminal what
// listens is more worth than what is being done.
func (p *Progress) text(limit int) string {
	parts := []string{p.doing}
	if len(p.open) > 0 {
		listening := "listening " + strings.Join(p.open[:min(3, len(p.open))], ", ")
		if limit < enoughForAll {
			parts = nil
		}
		parts = append(parts, listening)
	}
	if p.lastLine != "" {
		parts = append(parts, p.lastLine)
	}
	runes := []rune(clean(fmt.Sprintf("%5.1fs  %s", time.Since(p.began).Seconds(), strings.Join(parts, " · "))))
	if limit > 0 && len(runes) > limit {
		runes = append(runes[:limit-1], '…')
	}
	return string(runes)
}
