package engine

import (
	"errors"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

func TestOpenReadsTheConfig(t *testing.T) {
	t.Parallel()
	e := connect(t, static)
	ref := makeImage(t, e, []string{
		`ENTRYPOINT ["/app"]`, `CMD ["serve", ":8000"]`, "EXPOSE 8000 53/udp 443", "ENV A=1", "USER web", "WORKDIR /tmp",
		"VOLUME /data", "LABEL k=v", "ONBUILD ENV B=2", `HEALTHCHECK --interval=5s --retries=2 CMD true`,
	})
	im := open(t, e, ref)
	got := im.Facts()
	want := facts.Image{
		Ref: ref, ID: ref, Source: "engine", OS: "linux", Architecture: connect(t).Architecture(),
		Config: facts.Config{
			Entrypoint: []string{"/app"}, Cmd: []string{"serve", ":8000"}, Env: []string{"A=1"}, User: "web", WorkingDir: "/tmp",
			Exposed: []facts.Port{{Number: 53, Protocol: "udp"}, {Number: 443, Protocol: "tcp"}, {Number: 8000, Protocol: "tcp"}},
			Volumes: []string{"/data"}, Labels: map[string]string{"k": "v"}, OnBuild: []string{"ENV B=2"},
			Healthcheck: &facts.Healthcheck{Test: []string{"CMD-SHELL", "true"}, Interval: 5000, Retries: 2},
		},
		History: []facts.History{{Comment: "Imported from -"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	e := connect(t, static)
	if _, err := e.Open(t.Context(), "imglint-test/no-such-image:ever"); !errors.Is(err, ErrNoImage) {
		t.Errorf("error %v, want ErrNoImage", err)
	}
	if _, err := e.Open(t.Context(), "Not A Reference"); errors.Is(err, ErrNoImage) || !isKind(err, KindRefused) {
		t.Errorf("error %v, want the engine's refusal", err)
	}
}

func TestHistoryFacts(t *testing.T) {
	t.Parallel()
	items := []image.HistoryResponseItem{ // newest first
		{ID: "sha256:1", CreatedBy: "CMD [\"a\"]", Comment: "buildkit.dockerfile.v0"},
		{ID: "<missing>", CreatedBy: "COPY a /a", Size: 10},
		{ID: "<missing>", CreatedBy: "WORKDIR /", Size: 0},
		{ID: "<missing>", CreatedBy: "ADD file:x in /", Size: 100},
	}
	steps := func(empty bool) []facts.History {
		return []facts.History{
			{CreatedBy: "ADD file:x in /"},
			{CreatedBy: "WORKDIR /", Empty: empty},
			{CreatedBy: "COPY a /a"},
			{CreatedBy: "CMD [\"a\"]", Comment: "buildkit.dockerfile.v0", Empty: empty},
		}
	}
	if diff := cmp.Diff(steps(true), historyFacts(items, 2)); diff != "" {
		t.Errorf("as many layers as sizes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(steps(false), historyFacts(items, 3)); diff != "" {
		t.Errorf("a layer without a size (-want +got):\n%s", diff)
	}
}

func TestManifestDigest(t *testing.T) {
	t.Parallel()
	in := image.InspectResponse{RepoDigests: []string{"other@sha256:aa", "reg/app@sha256:bb"}}
	for ref, want := range map[string]string{"reg/app:1": "sha256:bb", "other": "sha256:aa", "sha256:cc": "sha256:aa"} {
		if got := manifestDigest(ref, in); got != want {
			t.Errorf("digest of %q: %q, want %q", ref, got, want)
		}
	}
}
