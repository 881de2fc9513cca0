package engine

import (
	"context"
	"errors"
	"fmt"
)

// lives asks an engine that hung before whether it answers again.
func (a *api) lives(ctx context.Context, o op) error {
	before := a.hung.Load()
	if before == nil || o == "ping" {
		return nil
	}
	_, err := a.ping(ctx)
	switch {
	case err == nil:
		a.hung.CompareAndSwap(before, nil)
		return nil
	case isKind(err, KindHung):
		return before
	case isKind(err, KindNoEngine):
		return &Error{Kind: KindLost, Host: a.host, Op: string(o), Err: err,
			Text: fmt.Sprintf("lost the engine at %s, which had stopped answering", a.host)}
	}
	return err
}

// note remembers that the engine hung.
func (a *api) note(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Kind == KindHung {
		a.hung.Store(e)
	}
	return err
}
