package engine

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

// pool lends cells to open images, one to each at a time: an image's runs
// share the cell's network, one after the other. It makes at most one cell of
// each kind a core, since more only wait for each other.
type pool struct {
	engine *Engine
	limit  int
	mu     sync.Mutex
	cells  []*lent
	freed  chan struct{} // closed, and made anew, when a cell is given back
	opened int           // images that are open
	coming int           // images that are still to be opened; -1: not known
}

// lent is a cell with who has it.
type lent struct {
	*cell
	to *Image // nil: nobody
}

func newPool(e *Engine) *pool {
	p := &pool{engine: e, limit: e.opts.Cells, freed: make(chan struct{}), coming: -1}
	if p.limit == 0 {
		p.limit = runtime.NumCPU()
	}
	if e.opts.Images > 0 {
		p.coming = e.opts.Images
	}
	return p
}

// open lends a cell to an image that is being opened, if there is one to
// spare, and gives the container that reads the image's files.
func (p *pool) open(ctx context.Context, im *Image) (files *cell) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened++
	p.awaited()
	l, made := p.spare(ctx, im, false)
	if made {
		return l.cell
	}
	if l == nil {
		l = p.cells[slices.IndexFunc(p.cells, func(l *lent) bool { return !l.strict })]
	}
	return p.engine.newReader(ctx, im.facts.ID, l.cell)
}

// missing notes that an image is not there to be opened.
func (p *pool) missing() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.awaited()
}

func (p *pool) awaited() {
	if p.coming > 0 {
		p.coming--
	}
}

// spare lends a cell of a kind, an idle one or a new one; nil when all are
// lent. Callers hold the lock.
func (p *pool) spare(ctx context.Context, im *Image, strict bool) (l *lent, made bool) {
	kind := 0
	for _, l := range p.cells {
		if l.strict != strict {
			continue
		}
		if kind++; l.to == nil {
			l.to = im
			return l, false
		}
	}
	if kind >= p.limit {
		return nil, false
	}
	l = &lent{p.engine.newCell(ctx, im.facts.ID, strict), im}
	p.cells = append(p.cells, l)
	return l, true
}

// take returns the image's cell of a kind when it is ready. One that could not
// be made of another image, or that somebody has ended, is replaced once.
func (p *pool) take(ctx context.Context, im *Image, strict bool) (*cell, error) {
	for replaced := false; ; replaced = true {
		c, err := p.lend(ctx, im, strict)
		if err != nil {
			return nil, err
		}
		err = c.wait(ctx)
		if err == nil && !c.alive() {
			err = errCellGone
		}
		if err == nil || ctx.Err() != nil {
			return c, err
		}
		p.drop(ctx, c)
		if replaced || err != errCellGone && c.image == im.facts.ID {
			return nil, err
		}
	}
}

// errCellGone is about a cell that ended, which is nothing that an image can do.
var errCellGone = &Error{Kind: KindProbe, Text: "the cell was ended by somebody else"}

// lend waits for a cell of a kind.
func (p *pool) lend(ctx context.Context, im *Image, strict bool) (*cell, error) {
	for {
		p.mu.Lock()
		for _, l := range p.cells {
			if l.to == im && l.strict == strict {
				p.mu.Unlock()
				return l.cell, nil
			}
		}
		p.giveBack(im) // who waits for one kind holds none of the other
		l, _ := p.spare(ctx, im, strict)
		freed := p.freed
		p.mu.Unlock()
		if l != nil {
			return l.cell, nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// drop forgets a cell and removes it in the background, after those who use it.
func (p *pool) drop(ctx context.Context, c *cell) {
	p.mu.Lock()
	p.cells = slices.DeleteFunc(p.cells, func(l *lent) bool { return l.cell == c })
	p.mu.Unlock()
	p.engine.discards.Go(func() {
		c.users.Wait()
		p.engine.discard(ctx, c.close)
	})
}

// giveBack ends what is lent to an image. Callers hold the lock.
func (p *pool) giveBack(im *Image) {
	for _, l := range p.cells {
		if l.to == im {
			l.to = nil
		}
	}
	close(p.freed)
	p.freed = make(chan struct{})
}

// close takes back what an image has. With the last one that was to be
// expected the cells go too, in the background.
func (p *pool) close(ctx context.Context, im *Image) {
	p.mu.Lock()
	p.giveBack(im)
	p.opened--
	last := p.opened == 0 && p.coming == 0
	p.mu.Unlock()
	if last {
		p.drain(ctx)
	}
}

// drain removes all cells, in the background.
func (p *pool) drain(ctx context.Context) {
	p.mu.Lock()
	all := p.cells
	p.cells = nil
	p.mu.Unlock()
	for _, l := range all {
		p.drop(ctx, l.cell)
	}
}
