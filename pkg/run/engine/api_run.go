package engine

import (
	"context"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

func (a *api) kill(ctx context.Context, id, signal string) error {
	_, err := call(ctx, a, "kill", func(ctx context.Context, c *client.Client) (struct{}, error) {
		return struct{}{}, c.ContainerKill(ctx, id, signal)
	})
	return err
}

// exec starts a command in a container.
func (a *api) exec(ctx context.Context, id string, argv []string) (execID string, conn types.HijackedResponse, err error) {
	conn, err = call(ctx, a, "exec", func(ctx context.Context, c *client.Client) (types.HijackedResponse, error) {
		made, err := c.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: argv, AttachStdout: true, AttachStderr: true})
		if err != nil {
			return types.HijackedResponse{}, err
		}
		execID = made.ID
		return hijack(ctx, func() (types.HijackedResponse, error) {
			return c.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
		})
	})
	return execID, conn, err
}

// execState says how an exec ended.
func (a *api) execState(ctx context.Context, execID string) (container.ExecInspect, error) {
	return call(ctx, a, "exec", func(ctx context.Context, c *client.Client) (container.ExecInspect, error) {
		return c.ContainerExecInspect(ctx, execID)
	})
}
