package engine

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

// op names an operation of the engine.
type op string

// deadlines bound every operation: an engine can hang for ever, seen with
// Docker 20.10 (moby#42545). For streams it is the time until they begin.
var deadlines = map[op]time.Duration{
	"ping":          2 * time.Second,
	"version":       5 * time.Second,
	"inspect image": 10 * time.Second,
	"history":       10 * time.Second,
	"create":        30 * time.Second, // copies what the image has below its VOLUMEs
	"start":         20 * time.Second,
	"attach":        10 * time.Second,
	"wait":          10 * time.Second,
	"events":        10 * time.Second,
	"inspect":       10 * time.Second,
	"copy out":      20 * time.Second,
	"copy in":       30 * time.Second,
	"kill":          10 * time.Second,
	"exec":          10 * time.Second,
	"remove":        30 * time.Second,
	"save":          2 * time.Minute, // Docker 20.10 says nothing until it has read all layers
	"list":          10 * time.Second,
	"list volumes":  10 * time.Second,
	"remove volume": 20 * time.Second,
	"import image":  time.Minute,
	"list images":   10 * time.Second,
	"remove image":  20 * time.Second,
}

// api is the only holder of the Docker client, so that no operation can go
// without its deadline.
type api struct {
	client *client.Client
	host   string
	heard  *heard
	// hung holds what the engine did not answer in time: it is then asked
	// whether it lives before anything else, so that one that hangs for ever
	// costs each further operation the deadline of a ping and not its own.
	hung atomic.Pointer[Error]
}

// call runs one operation under its deadline.
func call[T any](ctx context.Context, a *api, o op, run func(context.Context, *client.Client) (T, error)) (T, error) {
	if err := a.lives(ctx, o); err != nil {
		var none T
		return none, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, patience(a.host, o), errDeadline)
	defer cancel()
	v, err := run(limited, a.client)
	return v, a.note(explain(limited, ctx, a.host, o, a.heard.add(err)))
}

// stream begins an operation whose answer goes on for long: the deadline is
// for its beginning, and cancel ends it.
func stream[T any](ctx context.Context, a *api, o op, run func(context.Context, *client.Client) (T, error)) (T, context.CancelFunc, error) {
	if err := a.lives(ctx, o); err != nil {
		var none T
		return none, func() {}, err
	}
	lasting, cancel := context.WithCancelCause(ctx)
	stop := func() { cancel(nil) }
	timer := time.AfterFunc(patience(a.host, o), func() { cancel(errDeadline) })
	defer timer.Stop()
	v, err := run(lasting, a.client)
	if err != nil {
		defer stop()
	}
	return v, stop, a.note(explain(lasting, ctx, a.host, o, a.heard.add(err)))
}

func (a *api) ping(ctx context.Context) (types.Ping, error) {
	return call(ctx, a, "ping", func(ctx context.Context, c *client.Client) (types.Ping, error) {
		p, err := c.Ping(ctx)
		if err == nil {
			c.NegotiateAPIVersionPing(p)
		}
		return p, err
	})
}

func (a *api) inspectImage(ctx context.Context, ref string) (image.InspectResponse, error) {
	return call(ctx, a, "inspect image", func(ctx context.Context, c *client.Client) (image.InspectResponse, error) {
		return c.ImageInspect(ctx, ref)
	})
}

func (a *api) history(ctx context.Context, id string) ([]image.HistoryResponseItem, error) {
	return call(ctx, a, "history", func(ctx context.Context, c *client.Client) ([]image.HistoryResponseItem, error) {
		return c.ImageHistory(ctx, id)
	})
}

// create makes a container. It is not cancelled half way, which would leave
// one behind whose ID nobody knows.
func (a *api) create(ctx context.Context, config *container.Config, host *container.HostConfig) (string, error) {
	return call(context.WithoutCancel(ctx), a, "create", func(ctx context.Context, c *client.Client) (string, error) {
		made, err := c.ContainerCreate(ctx, config, host, nil, nil, "")
		return made.ID, err
	})
}

func (a *api) start(ctx context.Context, id string) error {
	_, err := call(ctx, a, "start", func(ctx context.Context, c *client.Client) (struct{}, error) {
		return struct{}{}, c.ContainerStart(ctx, id, container.StartOptions{})
	})
	return err
}

func (a *api) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	return call(ctx, a, "inspect", func(ctx context.Context, c *client.Client) (container.InspectResponse, error) {
		return c.ContainerInspect(ctx, id)
	})
}

// attach gives the container's streams.
func (a *api) attach(ctx context.Context, id string, stdin bool) (types.HijackedResponse, error) {
	return call(ctx, a, "attach", func(ctx context.Context, c *client.Client) (types.HijackedResponse, error) {
		return hijack(ctx, func() (types.HijackedResponse, error) {
			return c.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdin: stdin, Stdout: true, Stderr: true})
		})
	})
}

// hijack takes a connection over. The client does not heed the context while
// it waits for the engine's answer, so it is waited for here.
func hijack(ctx context.Context, take func() (types.HijackedResponse, error)) (types.HijackedResponse, error) {
	type result struct {
		types.HijackedResponse
		error
	}
	done := make(chan result)
	go func() {
		conn, err := take()
		select {
		case done <- result{conn, err}:
		case <-ctx.Done():
			if err == nil {
				conn.Close()
			}
		}
	}()
	select {
	case r := <-done:
		return r.HijackedResponse, r.error
	case <-ctx.Done():
		return types.HijackedResponse{}, ctx.Err()
	}
}

// waiting is the engine's promise to tell how a container ended.
type waiting struct {
	end   <-chan container.WaitResponse
	fault <-chan error
}

func (a *api) wait(ctx context.Context, id string) (waiting, context.CancelFunc, error) {
	return stream(ctx, a, "wait", func(ctx context.Context, c *client.Client) (waiting, error) {
		end, fault := c.ContainerWait(ctx, id, container.WaitConditionNextExit)
		select {
		case err := <-fault:
			return waiting{}, err
		default:
			return waiting{end, fault}, nil
		}
	})
}

// incidents gives what happens to the container: processes killed for memory,
// and signals that somebody sends it through the engine.
func (a *api) incidents(ctx context.Context, id string) (<-chan events.Message, context.CancelFunc, error) {
	return stream(ctx, a, "events", func(ctx context.Context, c *client.Client) (<-chan events.Message, error) {
		messages, fault := c.Events(ctx, events.ListOptions{Filters: filters.NewArgs(
			filters.Arg("type", string(events.ContainerEventType)),
			filters.Arg("container", id),
			filters.Arg("event", string(events.ActionOOM)),
			filters.Arg("event", string(events.ActionKill)),
		)})
		select {
		case err := <-fault:
			return nil, err
		default:
			return messages, nil
		}
	})
}

// copyOut gives a tar stream of a path; each read of it has the deadline.
func (a *api) copyOut(ctx context.Context, id, path string) (io.ReadCloser, container.PathStat, error) {
	var stat container.PathStat
	body, cancel, err := stream(ctx, a, "copy out", func(ctx context.Context, c *client.Client) (body io.ReadCloser, err error) {
		body, stat, err = c.CopyFromContainer(ctx, id, path)
		return body, err
	})
	if err != nil {
		return nil, stat, err
	}
	return &patientReader{body, cancel, deadlines["copy out"]}, stat, nil
}

// patientReader gives every read the same time.
type patientReader struct {
	io.ReadCloser
	cancel context.CancelFunc
	each   time.Duration
}

func (r *patientReader) Read(p []byte) (int, error) {
	timer := time.AfterFunc(r.each, r.cancel)
	defer timer.Stop()
	return r.ReadCloser.Read(p)
}

func (r *patientReader) Close() error {
	r.cancel()
	return r.ReadCloser.Close()
}

func (a *api) copyIn(ctx context.Context, id, dir string, tar io.Reader) error {
	_, err := call(ctx, a, "copy in", func(ctx context.Context, c *client.Client) (struct{}, error) {
		return struct{}{}, c.CopyToContainer(ctx, id, dir, tar, container.CopyToContainerOptions{})
	})
	return err
}

// remove kills and removes a container with its anonymous volumes; one that
// is gone is a success.
func (a *api) remove(ctx context.Context, id string) error {
	_, err := call(ctx, a, "remove", func(ctx context.Context, c *client.Client) (struct{}, error) {
		return struct{}{}, c.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
	return ignoreGone(err)
}

func (a *api) list(ctx context.Context) ([]container.Summary, error) {
	return call(ctx, a, "list", func(ctx context.Context, c *client.Client) ([]container.Summary, error) {
		return c.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelMark+"=1"))})
	})
}

func (a *api) listVolumes(ctx context.Context) ([]*volume.Volume, error) {
	return call(ctx, a, "list volumes", func(ctx context.Context, c *client.Client) ([]*volume.Volume, error) {
		all, err := c.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labelMark+"=1"))})
		return all.Volumes, err
	})
}

func (a *api) removeVolume(ctx context.Context, name string) error {
	_, err := call(ctx, a, "remove volume", func(ctx context.Context, c *client.Client) (struct{}, error) {
		return struct{}{}, c.VolumeRemove(ctx, name, false)
	})
	return ignoreGone(err)
}

// ignoreGone makes a success of an object that is not there any more, or is
// being removed by someone else.
func ignoreGone(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Kind == KindRefused && gone(e.Err) {
		return nil
	}
	return err
}
