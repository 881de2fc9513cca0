package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
)

// Podman speaks Docker's API, and not all of it. What it leaves out there it
// tells in its own (libpod), which is the same in all versions from 4.0 on.
const libpodVersion = "/v4.0.0/libpod"

// isPodman reports whether Podman is what answers.
func isPodman(v types.Version) bool {
	return slices.ContainsFunc(v.Components, func(c types.ComponentVersion) bool { return c.Name == "Podman Engine" })
}

// libpod asks Podman in its own words.
func libpod[T any](ctx context.Context, a *api, o op, path string) (T, error) {
	return call(ctx, a, o, func(ctx context.Context, c *client.Client) (answer T, err error) {
		at, err := client.ParseHostURL(c.DaemonHost())
		if err != nil {
			return answer, err
		}
		h := c.HTTPClient()
		u := url.URL{Scheme: "http", Host: at.Host, Path: libpodVersion + path}
		if at.Scheme == "unix" || at.Scheme == "npipe" {
			u.Host = client.DummyHost
		}
		if t, ok := h.Transport.(*http.Transport); ok && t.TLSClientConfig != nil {
			u.Scheme = "https"
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return answer, err
		}
		response, err := h.Do(request)
		if err != nil {
			return answer, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return answer, &Error{Kind: KindRefused, Host: a.host, Op: string(o), Text: fmt.Sprintf("Podman answered %q with %s", path, response.Status)}
		}
		return answer, json.NewDecoder(response.Body).Decode(&answer)
	})
}

// inspect describes an image. Podman 4 leaves out its HEALTHCHECK where it
// speaks as Docker does.
func (e *Engine) inspect(ctx context.Context, ref string) (image.InspectResponse, error) {
	in, err := e.api.inspectImage(ctx, ref)
	if err != nil || !e.podman || in.Config == nil || in.Config.Healthcheck != nil {
		return in, err
	}
	type inspected struct {
		Healthcheck *dockerspec.HealthcheckConfig
	}
	own, err := libpod[inspected](ctx, e.api, "inspect image", "/images/"+strings.TrimPrefix(in.ID, "sha256:")+"/json")
	in.Config.Healthcheck = own.Healthcheck
	return in, err
}
