package dockerfile

import (
	"maps"
	"slices"
	"strings"
	"time"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/imglint/imglint/pkg/facts"
)

// defaultPath is what buildkit sets where the base has no PATH.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func fromSpec(spec *dockerspec.DockerOCIImage, base *bases) facts.Image {
	c := spec.Config
	img := facts.Image{
		Source:       "Dockerfile",
		OS:           spec.OS,
		Architecture: spec.Architecture,
		Variant:      spec.Variant,
		Config: facts.Config{
			Entrypoint: c.Entrypoint,
			Cmd:        c.Cmd,
			Env:        c.Env,
			User:       c.User,
			WorkingDir: c.WorkingDir,
			Volumes:    slices.Sorted(maps.Keys(c.Volumes)),
			Shell:      c.Shell,
			StopSignal: c.StopSignal,
			Labels:     c.Labels,
			OnBuild:    c.OnBuild,
		},
	}
	if base.unknown && !base.ownPath {
		img.Config.Env = slices.DeleteFunc(slices.Clone(c.Env), func(kv string) bool { return kv == defaultPath })
	}
	for text := range c.ExposedPorts {
		if p, err := facts.ParsePort(text); err == nil {
			img.Config.Exposed = append(img.Config.Exposed, p)
		}
	}
	facts.SortPorts(img.Config.Exposed)
	img.Config.Healthcheck = fromHealthcheck(c.Healthcheck)
	for _, h := range spec.History {
		img.History = append(img.History, facts.History{CreatedBy: h.CreatedBy, Comment: h.Comment, Empty: h.EmptyLayer})
	}
	return img
}

func fromHealthcheck(h *dockerspec.HealthcheckConfig) *facts.Healthcheck {
	if h == nil {
		return nil
	}
	return &facts.Healthcheck{
		Test:        h.Test,
		Interval:    facts.ToMillis(h.Interval),
		Timeout:     facts.ToMillis(h.Timeout),
		StartPeriod: facts.ToMillis(h.StartPeriod),
		Retries:     h.Retries,
	}
}

func toSpec(img facts.Image, spec *dockerspec.DockerOCIImage) {
	c := img.Config
	spec.Author = ""
	if img.OS != "" {
		spec.Platform = ocispec.Platform{OS: img.OS, Architecture: img.Architecture, Variant: img.Variant}
	}
	spec.Config.ImageConfig = ocispec.ImageConfig{
		Entrypoint: c.Entrypoint,
		Cmd:        c.Cmd,
		Env:        c.Env,
		User:       c.User,
		WorkingDir: c.WorkingDir,
		StopSignal: c.StopSignal,
		Labels:     c.Labels,
	}
	for _, p := range c.Exposed {
		spec.Config.ExposedPorts = set(spec.Config.ExposedPorts, p.String())
	}
	for _, v := range c.Volumes {
		spec.Config.Volumes = set(spec.Config.Volumes, v)
	}
	spec.Config.Shell = c.Shell
	spec.Config.OnBuild = c.OnBuild
	if h := c.Healthcheck; h != nil {
		spec.Config.Healthcheck = &dockerspec.HealthcheckConfig{
			Test:        h.Test,
			Interval:    time.Duration(h.Interval) * time.Millisecond,
			Timeout:     time.Duration(h.Timeout) * time.Millisecond,
			StartPeriod: time.Duration(h.StartPeriod) * time.Millisecond,
			Retries:     h.Retries,
		}
	}
	for _, h := range img.History {
		spec.History = append(spec.History, ocispec.History{
			CreatedBy: strings.ToValidUTF8(h.CreatedBy, "\uFFFD"), Comment: h.Comment, EmptyLayer: h.Empty,
		})
	}
}

func set(m map[string]struct{}, key string) map[string]struct{} {
	if m == nil {
		m = map[string]struct{}{}
	}
	m[key] = struct{}{}
	return m
}
