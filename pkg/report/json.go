package report

import (
	"fmt"
	"io"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// Version of the JSON document; it rises only when a reader would break.
const Version = 1

// Document is what --format json prints; docs/imglint.schema.json is its schema.
type Document struct {
	Version int     `json:"version"`
	Images  []Image `json:"images"`
}

// Image is one image in a Document.
type Image struct {
	Image      string               `json:"image"`
	Digest     string               `json:"digest,omitempty"`
	Source     string               `json:"source,omitempty"`
	Platform   *Platform            `json:"platform,omitempty"`
	Target     *Target              `json:"target,omitempty"`
	Verdict    finding.Verdict      `json:"verdict"`
	Basis      finding.Basis        `json:"basis,omitempty"`
	Reason     string               `json:"reason,omitempty"`
	Launch     *Launch              `json:"launch,omitempty"`
	Prediction *Prediction          `json:"prediction,omitempty"`
	Way        facts.Way            `json:"way,omitempty"` // how the run was watched
	Listeners  []Listener           `json:"listeners"`
	Timeline   []Mark               `json:"timeline"`
	Findings   []finding.Finding    `json:"findings"`
	NotChecked []finding.NotChecked `json:"notChecked"`
	Error      string               `json:"error,omitempty"`
	Read       *facts.Cost          `json:"read,omitempty"`
	Seconds    float64              `json:"seconds"`
}

// Platform is what the image is built for.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
}

// Target is what the container platform demands.
type Target struct {
	Name       string   `json:"name"`
	Endpoint   Endpoint `json:"endpoint"`
	Probe      Probe    `json:"probe"`
	BootWindow float64  `json:"bootWindow"` // seconds
}

// Endpoint is the port that is checked; 0 when the platform cannot know one.
type Endpoint struct {
	Port     int    `json:"port"`
	ChosenBy string `json:"chosenBy"`
}

// Probe is the request that is made.
type Probe struct {
	Method string              `json:"method"`
	Path   string              `json:"path"`
	Host   string              `json:"host"`
	Accept []facts.StatusRange `json:"accept,omitempty"` // absent: any
}

// Launch is what runs in the end.
type Launch struct {
	Argv         []string            `json:"argv"`
	Command      []string            `json:"command,omitempty"`
	Known        bool                `json:"known"`
	Why          string              `json:"why,omitempty"`
	Server       string              `json:"server,omitempty"`
	Version      string              `json:"version,omitempty"`
	Before       []string            `json:"before,omitempty"`
	Background   []string            `json:"background,omitempty"`
	Limit        string              `json:"limit,omitempty"`
	Alternatives []facts.Alternative `json:"alternatives,omitempty"`
	Trail        []facts.Step        `json:"trail,omitempty"`
}

// Listener is a socket that was seen.
type Listener struct {
	Network string  `json:"network"`
	Address string  `json:"address"` // IP address, or path of a unix socket
	Port    int     `json:"port,omitempty"`
	PID     int     `json:"pid,omitempty"`
	Command string  `json:"command,omitempty"`
	At      float64 `json:"at"`               // seconds after the program was executed
	Closed  float64 `json:"closed,omitempty"` // 0: open to the end
}

// Mark is one point of the boot timeline.
type Mark struct {
	At   float64 `json:"at"`
	What string  `json:"what"` // an event's kind, "exit", or "log" for a line of it
	Text string  `json:"text"`

	mute bool // of an answer: not a byte came back
}

// JSON writes all results as one document.
func JSON(w io.Writer, results []Result) error {
	doc := Document{Version: Version, Images: []Image{}}
	for _, r := range results {
		doc.Images = append(doc.Images, document(r))
	}
	if err := encode(w, doc, "  "); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

func document(r Result) Image {
	image := Image{
		Image: r.Ref, Verdict: r.Verdict, Basis: r.Basis, Reason: r.Reason, Seconds: r.Took.Seconds(), Read: r.Cost,
		Listeners: []Listener{}, Timeline: []Mark{}, Findings: []finding.Finding{}, NotChecked: []finding.NotChecked{},
	}
	image.Findings = append(image.Findings, r.Findings...)
	image.NotChecked = append(image.NotChecked, r.NotChecked...)
	if r.Err != nil {
		image.Error = r.Err.Error()
	}
	if r.Facts == nil {
		return image
	}
	f := r.Facts
	image.Digest, image.Source = f.Image.Digest, f.Image.Source
	if image.Digest == "" {
		image.Digest = f.Image.ID
	}
	image.Platform = &Platform{OS: f.Image.OS, Architecture: f.Image.Architecture, Variant: f.Image.Variant}
	image.Target = target(f.Target)
	image.Launch = launch(f)
	image.Prediction = prediction(f.Prediction)
	if f.Run != nil {
		image.Way = f.Run.Way
		image.Listeners = append(image.Listeners, listeners(f.Run)...)
		image.Timeline = append(image.Timeline, boot(f.Run)...)
	}
	return image
}

func target(t facts.Target) *Target {
	return &Target{
		Name:       t.Platform,
		Endpoint:   Endpoint{Port: t.Endpoint.Port, ChosenBy: t.Endpoint.ChosenBy},
		Probe:      Probe{Method: t.Probe.Method, Path: t.Probe.Path, Host: t.Probe.Host, Accept: t.Probe.Accept},
		BootWindow: t.BootWindow.Seconds(),
	}
}

func launch(f *facts.Facts) *Launch {
	l := &Launch{
		Argv: f.Launch.Argv, Command: f.Launch.Command.Words(), Known: f.Launch.Known == facts.Yes, Why: f.Launch.Why,
		Server: f.Prediction.Server, Version: f.Prediction.Version, Trail: f.Launch.Trail,
		Before: spelled(f.Launch.Before), Background: spelled(f.Launch.Background), Limit: f.Launch.Limit, Alternatives: f.Launch.Alternatives,
	}
	if l.Argv == nil {
		l.Argv = []string{}
	}
	return l
}

func listeners(run *facts.Run) []Listener {
	var all []Listener
	for _, l := range run.Listeners() {
		out := Listener{Network: l.Network, Port: l.Port, PID: l.PID, At: l.Opened.Seconds(), Closed: l.Closed.Seconds()}
		out.Address = l.Path
		if l.Network != "unix" {
			out.Address = l.Addr.String()
		}
		if len(l.Argv) > 0 {
			out.Command = l.Argv[0]
		}
		all = append(all, out)
	}
	return all
}
