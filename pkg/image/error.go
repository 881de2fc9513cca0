package image

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Kind is a reason why an image could not be opened, for errors.Is.
type Kind string

// Error implements error.
func (k Kind) Error() string { return string(k) }

// The kinds.
const (
	ErrNotFound     Kind = "no such image"
	ErrUnauthorized Kind = "not authorized"
	ErrUnreachable  Kind = "registry unreachable"
	ErrTimeout      Kind = "registry timed out"
	ErrRateLimited  Kind = "rate limited"
	ErrMalformed    Kind = "malformed reference"
	ErrPlatform     Kind = "no image for the platform"
	ErrBroken       Kind = "not a readable image"
)

// Error says in one sentence why an image could not be opened.
type Error struct {
	Kind Kind
	Ref  string
	Host string // the registry, as docker login wants it; "": this machine
	Err  error
}

// Error is the sentence.
func (e *Error) Error() string {
	if e.Host == "" && e.Kind == ErrBroken {
		return fmt.Sprintf("%q is not an image that can be read: %v", e.Ref, e.Err)
	}
	if e.Host == "" && e.Kind == ErrNotFound {
		return fmt.Sprintf("there is no file or directory %q", e.Ref)
	}
	switch e.Kind {
	case ErrNotFound:
		return fmt.Sprintf("%s has no image %q", e.Host, e.Ref)
	case ErrUnauthorized:
		return fmt.Sprintf("%s does not show %q without a login that may read it, or there is no such image: docker login %s", e.Host, e.Ref, e.Host)
	case ErrUnreachable:
		if cert := (*tls.CertificateVerificationError)(nil); errors.As(e.Err, &cert) {
			return fmt.Sprintf("cannot trust the registry %s: %s: make its authority known to this machine (on Linux also with SSL_CERT_FILE=FILE)", e.Host, root(cert))
		}
		return fmt.Sprintf("cannot reach the registry %s: %s", e.Host, root(e.Err))
	case ErrTimeout:
		return fmt.Sprintf("the registry %s does not answer", e.Host)
	case ErrRateLimited:
		return fmt.Sprintf("the registry %s limits the number of requests: wait, or docker login %s", e.Host, e.Host)
	case ErrMalformed:
		return fmt.Sprintf("%q is not an image reference: one looks like [HOST[:PORT]/]NAME[:TAG] or NAME@sha256:DIGEST, with NAME in lower case", e.Ref)
	case ErrPlatform:
		return fmt.Sprintf("%q %s", e.Ref, root(e.Err))
	}
	return fmt.Sprintf("read %q from %s: %v", e.Ref, e.Host, e.Err)
}

// Unwrap gives the kind and what was behind it.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// platformError is an index without the wanted platform.
type platformError struct {
	wanted string
	there  []string
}

func (e *platformError) Error() string {
	if len(e.there) == 0 {
		return "has no image for " + e.wanted + ", nor for any other platform"
	}
	return "has no image for " + e.wanted + ", only for " + strings.Join(e.there, ", ")
}

// root is the last error of a chain: what the operating system said.
func root(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

func classify(ref, host string, o Options, err error) error {
	e := &Error{Kind: ErrBroken, Ref: ref, Host: host, Err: err}
	var (
		answer   *transport.Error
		platform *platformError
		network  net.Error
		dial     *net.OpError
		dns      *net.DNSError
		cert     *tls.CertificateVerificationError
		record   tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, context.Canceled) && !errors.Is(err, errStalled):
		return fmt.Errorf("read %q: %w", ref, err)
	case errors.As(err, &cert): // of a loopback address, an answer to plain HTTP comes with it
		e.Kind = ErrUnreachable
	case errors.As(err, &answer):
		e.Kind = kindOf(answer)
	case errors.As(err, &platform):
		e.Kind = ErrPlatform
	case errors.Is(err, remote.ErrSchema1):
		e.Err = errors.New("it is in the Docker schema 1 format, which is no longer supported: push it again")
	case errors.Is(err, errStalled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		e.Kind = ErrTimeout
	case errors.As(err, &dial), errors.As(err, &dns), errors.As(err, &record):
		e.Kind = ErrUnreachable
	}
	return e
}

// kindOf reads a registry's error. Some answer 401 or 403, and some 404, for a
// repository that does not exist.
func kindOf(answer *transport.Error) Kind {
	for _, d := range answer.Errors {
		switch d.Code {
		case transport.TooManyRequestsErrorCode:
			return ErrRateLimited
		case transport.UnauthorizedErrorCode, transport.DeniedErrorCode:
			return ErrUnauthorized
		case transport.ManifestUnknownErrorCode, transport.NameUnknownErrorCode:
			return ErrNotFound
		case transport.NameInvalidErrorCode:
			return ErrMalformed
		}
	}
	switch answer.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrUnauthorized
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusTooManyRequests:
		return ErrRateLimited
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return ErrTimeout
	}
	if answer.StatusCode >= 500 {
		return ErrUnreachable
	}
	return ErrBroken
}
