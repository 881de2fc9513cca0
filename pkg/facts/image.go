package facts

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Image is an image's identity, config and history.
type Image struct {
	Ref          string    `json:"ref"`              // as the user named it
	ID           string    `json:"id,omitempty"`     // digest of the config, sha256:…
	Digest       string    `json:"digest,omitempty"` // digest of the manifest, when known
	Source       string    `json:"source"`           // "engine", "registry", …
	OS           string    `json:"os"`
	Architecture string    `json:"architecture"` // GOARCH spelling
	Variant      string    `json:"variant,omitempty"`
	Config       Config    `json:"config"`
	History      []History `json:"history,omitempty"` // oldest first
}

// Platform returns os/arch[/variant].
func (i Image) Platform() string {
	s := i.OS + "/" + i.Architecture
	if i.Variant != "" {
		s += "/" + i.Variant
	}
	return s
}

// Config is the part of an image's config that decides how it starts.
type Config struct {
	Entrypoint  []string          `json:"entrypoint,omitempty"`
	Cmd         []string          `json:"cmd,omitempty"`
	Env         []string          `json:"env,omitempty"` // KEY=VALUE
	User        string            `json:"user,omitempty"`
	WorkingDir  string            `json:"workingDir,omitempty"`
	Exposed     []Port            `json:"exposed,omitempty"` // sorted, see SortPorts
	Volumes     []string          `json:"volumes,omitempty"`
	Shell       []string          `json:"shell,omitempty"`
	StopSignal  string            `json:"stopSignal,omitempty"`
	Healthcheck *Healthcheck      `json:"healthcheck,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	OnBuild     []string          `json:"onBuild,omitempty"`
}

// Argv is what the container engine executes: ENTRYPOINT followed by CMD.
func (c Config) Argv() []string {
	return slices.Concat(c.Entrypoint, c.Cmd)
}

// Lookup returns the value of an environment variable of the image.
func (c Config) Lookup(key string) (string, bool) {
	for _, kv := range slices.Backward(c.Env) {
		if k, v, ok := strings.Cut(kv, "="); ok && k == key {
			return v, true
		}
	}
	return "", false
}

// Healthcheck is the image's own HEALTHCHECK. Durations are zero when unset.
type Healthcheck struct {
	Test        []string `json:"test"` // "CMD"|"CMD-SHELL"|"NONE", then words
	Interval    Millis   `json:"interval,omitempty"`
	Timeout     Millis   `json:"timeout,omitempty"`
	StartPeriod Millis   `json:"startPeriod,omitempty"`
	Retries     int      `json:"retries,omitempty"`
}

// CheckArgv is what the image's HEALTHCHECK executes, nil without one.
func (c Config) CheckArgv() []string {
	if c.Healthcheck == nil || len(c.Healthcheck.Test) < 2 {
		return nil
	}
	words := c.Healthcheck.Test[1:]
	switch c.Healthcheck.Test[0] {
	case "CMD":
		return words
	case "CMD-SHELL":
		shell := c.Shell
		if len(shell) == 0 {
			shell = []string{"/bin/sh", "-c"}
		}
		return slices.Concat(shell, words)
	}
	return nil
}

// History is one entry of an image's build history.
type History struct {
	CreatedBy string `json:"createdBy,omitempty"`
	Comment   string `json:"comment,omitempty"`
	Empty     bool   `json:"empty,omitempty"` // the step made no layer
}

// Port is an exposed port.
type Port struct {
	Number   int
	Protocol string // "tcp", "udp" or "sctp"
}

// String returns NUMBER/PROTOCOL.
func (p Port) String() string { return strconv.Itoa(p.Number) + "/" + p.Protocol }

// MarshalText and UnmarshalText use the form of String.
func (p Port) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (p *Port) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePort(string(text))
	return err
}

// ParsePort reads NUMBER or NUMBER/PROTOCOL as found in an image config; the
// protocol is tcp when absent.
func ParsePort(text string) (Port, error) {
	number, protocol, ok := strings.Cut(text, "/")
	if !ok {
		protocol = "tcp"
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 65535 {
		return Port{}, fmt.Errorf("parse port %q: not a number from 1 to 65535", text)
	}
	return Port{Number: n, Protocol: strings.ToLower(protocol)}, nil
}

// SortPorts orders ports by number, then protocol.
func SortPorts(ports []Port) {
	slices.SortFunc(ports, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Protocol, b.Protocol))
	})
}
