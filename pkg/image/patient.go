package image

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// patient gives every request a deadline that moves on with every byte: a
// large layer may take long, a silent registry may not.
type patient struct {
	inner http.RoundTripper
	stall time.Duration
	spent *spent
}

// stallError is temporary, so that the request is tried again.
type stallError struct{}

func (stallError) Error() string   { return "the registry was silent for too long" }
func (stallError) Timeout() bool   { return true }
func (stallError) Temporary() bool { return true }

var errStalled error = stallError{}

// RoundTrip implements http.RoundTripper.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	p.spent.requests.Add(1)
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(p.stall, func() { cancel(errStalled) })
	response, err := p.inner.RoundTrip(r.WithContext(ctx))
	timer.Stop()
	if err != nil {
		err = stalled(context.Cause(ctx), err)
		cancel(nil)
		return nil, err
	}
	cause := func() error { return context.Cause(ctx) }
	response.Body = &patientBody{ReadCloser: response.Body, cause: cause, cancel: cancel, timer: timer, stall: p.stall, spent: p.spent}
	return response, nil
}

// stalled says what really ended a request that was cancelled.
func stalled(cause, err error) error {
	if errors.Is(cause, errStalled) {
		return errStalled
	}
	return err
}

// patientBody counts time only while somebody reads: a layer rests between two
// questions about its files.
type patientBody struct {
	io.ReadCloser
	cause  func() error // why the request was cancelled
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
	spent  *spent
}

// Read implements io.Reader.
func (b *patientBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	b.spent.bytes.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		err = stalled(b.cause(), err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *patientBody) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
