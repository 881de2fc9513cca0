package engine

import (
	"context"
	"fmt"
	"os"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
)

func (a *api) version(ctx context.Context) (types.Version, error) {
	v, err := call(ctx, a, "version", func(ctx context.Context, c *client.Client) (types.Version, error) {
		return c.ServerVersion(ctx)
	})
	if asked := os.Getenv(client.EnvOverrideAPIVersion); asked != "" && isKind(err, KindRefused) {
		err = &Error{Kind: KindConfig, Host: a.host, Op: "version", Err: err,
			Text: fmt.Sprintf("the engine at %s does not take API version %q, for which DOCKER_API_VERSION asks: unset that", a.host, asked)}
	}
	return v, err
}

// oldest is the first API (Docker 17.06) that can be told to wait for the end
// of a container that is not started yet. Before, it counts as ended.
const oldest = "1.30"

// modern refuses an API that is too old to see what a container does.
func (a *api) modern() error {
	v, err := call(context.Background(), a, "ping", func(_ context.Context, c *client.Client) (string, error) { return c.ClientVersion(), nil })
	if err != nil || !versions.LessThan(v, oldest) {
		return err
	}
	who := fmt.Sprintf("the engine at %s speaks API version %s", a.host, v)
	if asked := os.Getenv(client.EnvOverrideAPIVersion); asked != "" {
		who = fmt.Sprintf("DOCKER_API_VERSION asks for API version %q", asked)
	}
	return &Error{Kind: KindConfig, Host: a.host, Op: "ping", Text: fmt.Sprintf("%s, and imglint needs %s (Docker 17.06) or a newer one", who, oldest)}
}
