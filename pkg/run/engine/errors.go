package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// ErrNoImage is what Open answers when the engine does not have the image.
var ErrNoImage = errors.New("the engine has no such image")

// errDeadline is the cause of a context whose operation ran out of time.
var errDeadline = errors.New("deadline of the operation")

// Kind tells what kept imglint from using an engine.
type Kind int

// The kinds. The zero value is invalid.
const (
	KindConfig     Kind = iota + 1 // DOCKER_HOST or the docker context cannot be used
	KindNoEngine                   // nothing answers
	KindPermission                 // the socket may not be opened
	KindHung                       // an operation did not end in time
	KindLost                       // the engine went away in the middle
	KindRefused                    // the engine answered with an error
	KindProbe                      // the observer inside the container did not do its work
)

// Error is what kept imglint from looking. Its text is one sentence that says
// what to do where that is known.
type Error struct {
	Kind Kind
	Host string // the engine's address
	Op   string // the operation, "" for none
	Text string
	Err  error
}

// Error returns the sentence.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func hung(host, op string, after time.Duration) *Error {
	return &Error{Kind: KindHung, Host: host, Op: op, Err: context.DeadlineExceeded,
		Text: fmt.Sprintf("the engine at %s did not answer %q within %s", host, op, after)}
}

// Gone reports whether an error says that the engine hangs or went away in the
// middle: what it was asked may be possible without it.
func Gone(err error) bool { return isKind(err, KindHung) || isKind(err, KindLost) }

// explain turns the client's error for an operation into an *Error. What the
// caller's own context says comes first.
func explain(ctx, parent context.Context, host string, o op, err error) error {
	if err == nil {
		return nil
	}
	if known := (*Error)(nil); errors.As(err, &known) {
		return err
	}
	if parent.Err() != nil {
		return context.Cause(parent)
	}
	if fault := sshFault(host, o, err); fault != nil {
		return fault
	}
	switch {
	case errors.Is(context.Cause(ctx), errDeadline) || errors.Is(err, context.DeadlineExceeded):
		return hung(host, string(o), patience(host, o))
	case errors.Is(err, fs.ErrPermission):
		return &Error{Kind: KindPermission, Host: host, Op: string(o), Err: err,
			Text: fmt.Sprintf("permission denied on %s: type `sudo usermod -aG docker $USER` and log in again, or run imglint with sudo", host)}
	case o == "ping" && tlsFault(err):
		return &Error{Kind: KindNoEngine, Host: host, Op: string(o), Err: err,
			Text: fmt.Sprintf("the engine at %s and imglint do not agree on TLS: look at DOCKER_TLS_VERIFY, DOCKER_CERT_PATH or the docker context (%s)", host, sentence(err))}
	case o == "ping" && client.IsErrConnectionFailed(err):
		return &Error{Kind: KindNoEngine, Host: host, Op: string(o), Err: err,
			Text: fmt.Sprintf("no container engine answers at %s: start Docker, or point DOCKER_HOST or a docker context at one that runs", host)}
	case answered(err):
		return &Error{Kind: KindRefused, Host: host, Op: string(o), Err: err, Text: sentence(err)}
	}
	return &Error{Kind: KindLost, Host: host, Op: string(o), Err: err,
		Text: fmt.Sprintf("lost the engine at %s during %q: %v", host, string(o), err)}
}

// tlsFault reports whether a connection failed for its certificates, or for the
// want of them.
func tlsFault(err error) bool {
	return client.IsErrConnectionFailed(err) && slices.ContainsFunc([]string{"x509:", "tls:", "TLS", "HTTPS", "bad certificate"},
		func(words string) bool { return strings.Contains(err.Error(), words) })
}

// upgradeRefused are the Docker client's words where an engine answers a wish
// to attach with an error; what that said is lost.
const upgradeRefused = "unable to upgrade to tcp, received "

// answered reports whether the error is the engine's own answer, which the
// client marks with the class of its HTTP status.
func answered(err error) bool {
	return cerrdefs.IsNotFound(err) || cerrdefs.IsInvalidArgument(err) || cerrdefs.IsConflict(err) ||
		cerrdefs.IsInternal(err) || cerrdefs.IsPermissionDenied(err) || cerrdefs.IsUnauthorized(err) ||
		cerrdefs.IsNotImplemented(err) || cerrdefs.IsUnavailable(err) || cerrdefs.IsNotModified(err) ||
		strings.Contains(err.Error(), "Error response from daemon") || strings.Contains(err.Error(), upgradeRefused)
}

// gone reports whether the object is not there, or on its way out.
func gone(err error) bool {
	return cerrdefs.IsNotFound(err) ||
		cerrdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress")
}

func isConflict(err error) bool { return isKind(err, KindRefused) && cerrdefs.IsConflict(err) }

// sentence returns the engine's own words.
func sentence(err error) string {
	text := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	return strings.Join(strings.Fields(text), " ")
}

func isKind(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}

// imageFaults are the words of refusals that the image itself causes. From
// moby 20.10 to 28, runc and crun: an unknown USER, a WORKDIR that is a file, a
// VOLUME over a file, a mount point that cannot be made.
var imageFaults = []string{
	"unable to find user", "unable to find group", "no matching entries in passwd", "no matching entries in group",
	"is not a directory", "not a directory", "cannot mount volume over existing file",
	"chdir to cwd", "mkdir", "oci runtime", "runc create failed", "unable to start container process",
}

// engineFaults are words of refusals that the same words may accompany, but
// that no image causes.
var engineFaults = []string{
	probeDir, "no space left", "cgroup", "apparmor", "seccomp", "resource temporarily unavailable", "too many open files",
}

// refusal returns the engine's words when it would not start the container
// for the image's own fault.
func refusal(err error) (string, bool) {
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindRefused {
		return "", false
	}
	text := strings.ToLower(e.Text)
	says := func(words string) bool { return strings.Contains(text, words) }
	return e.Text, slices.ContainsFunc(imageFaults, says) && !slices.ContainsFunc(engineFaults, says)
}
