package engine

import (
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/image"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/imglint/imglint/pkg/facts"
)

// imageFacts translates the engine's inspection of an image.
func imageFacts(ref string, in image.InspectResponse) facts.Image {
	f := facts.Image{
		Ref:          ref,
		ID:           in.ID,
		Digest:       manifestDigest(ref, in),
		Source:       "engine",
		OS:           in.Os,
		Architecture: in.Architecture,
		Variant:      in.Variant,
	}
	if in.Config != nil {
		f.Config = configFacts(*in.Config)
	}
	return f
}

func configFacts(c dockerspec.DockerOCIImageConfig) facts.Config {
	f := facts.Config{
		Entrypoint: c.Entrypoint,
		Cmd:        c.Cmd,
		Env:        c.Env,
		User:       c.User,
		WorkingDir: c.WorkingDir,
		Shell:      c.Shell,
		StopSignal: c.StopSignal,
		Labels:     c.Labels,
		OnBuild:    c.OnBuild,
		Volumes:    slices.Sorted(maps.Keys(c.Volumes)),
	}
	for text := range c.ExposedPorts {
		// A port that cannot be read cannot be published either.
		if p, err := facts.ParsePort(text); err == nil {
			f.Exposed = append(f.Exposed, p)
		}
	}
	facts.SortPorts(f.Exposed)
	if h := c.Healthcheck; h != nil && len(h.Test) > 0 {
		f.Healthcheck = &facts.Healthcheck{
			Test:        h.Test,
			Interval:    facts.ToMillis(h.Interval),
			Timeout:     facts.ToMillis(h.Timeout),
			StartPeriod: facts.ToMillis(h.StartPeriod),
			Retries:     h.Retries,
		}
	}
	return f
}

// manifestDigest returns the digest under which the image was pulled or
// pushed: of the repository that the user named when there are several.
func manifestDigest(ref string, in image.InspectResponse) string {
	var digest string
	for _, repo := range in.RepoDigests {
		name, d, _ := strings.Cut(repo, "@")
		if digest == "" || strings.HasPrefix(ref, name) {
			digest = d
		}
	}
	return digest
}

// historyFacts translates the history, which the engine gives newest first.
// It does not say which steps made no layer; that is certain only when the
// steps with a size are as many as the layers.
func historyFacts(items []image.HistoryResponseItem, layers int) []facts.History {
	sized := 0
	for _, h := range items {
		if h.Size > 0 {
			sized++
		}
	}
	var history []facts.History
	for _, h := range slices.Backward(items) {
		history = append(history, facts.History{
			CreatedBy: h.CreatedBy,
			Comment:   h.Comment,
			Empty:     h.Size == 0 && sized == layers,
		})
	}
	return history
}
