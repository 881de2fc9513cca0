// Package platform is the catalogue of container platforms: what each asks of
// a new release before it takes traffic. A platform is one embedded YAML file;
// every claim in it names its source, and null means that the platform does
// not document it.
package platform

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/agext/levenshtein"
	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/facts"
)

//go:embed catalogue/*.yaml
var catalogue embed.FS

// Platform is what is known about one platform.
type Platform struct {
	ID    string `yaml:"id"`
	Title string `yaml:"title"`
	// AsOf tells how old the documents are that the claims were read from.
	AsOf string `yaml:"asOf"`
	// Sources names the documents; every Fact points to one of them.
	Sources map[string]string `yaml:"sources"`

	Endpoint Endpoint `yaml:"endpoint"`
	Probe    Probe    `yaml:"probe"`
	Window   Window   `yaml:"window"`
	// Environment is what the platform adds besides PORT.
	Environment []Variable `yaml:"environment"`
	// Procfile is the file of the image whose lines the platform starts.
	Procfile *Fact[string] `yaml:"procfile"`
	// Release is the file of the image that lists what runs before a release.
	Release *Fact[string] `yaml:"release"`
	// Restarts tells what becomes of a container that ended.
	Restarts *Fact[string] `yaml:"restarts"`
	Stop     Stop          `yaml:"stop"`
	Host     Host          `yaml:"host"`
	// Fields tells what becomes of the image's instructions: EXPOSE, HEALTHCHECK, …
	Fields map[string]*Fact[string] `yaml:"fields"`
	// Errors are the platform's own words when the check fails.
	Errors *Fact[[]string] `yaml:"errors"`
	// Says tells which of Errors a user will read, by the rule that fires or
	// its Moment; the first of them where it says nothing. Under "otherwise"
	// it can say "" for those that no words are known of.
	Says  map[string]string `yaml:"says"`
	Notes []*Fact[string]   `yaml:"notes"`
}

// Endpoint is how the platform chooses the port it asks.
type Endpoint struct {
	Choice *Fact[Choice] `yaml:"choice"`
	// Default is the port when Choice finds none.
	Default *Fact[int] `yaml:"default"`
	// StandIn is the port that imglint hands out where the platform assigns
	// one that nobody can know beforehand.
	StandIn int `yaml:"standIn"`
	// Injected: the port is given to the program as PORT.
	Injected *Fact[bool] `yaml:"injected"`
	// Every: all exposed ports are asked, not only the chosen one; where
	// nothing is asked by itself, all of them get requests.
	Every   *Fact[bool]     `yaml:"every"`
	Setting *Fact[[]string] `yaml:"setting"`
}

// Choice names a way to choose the port.
type Choice string

// The ways to choose.
const (
	LowestText   Choice = "lowest-text"    // of the exposed tcp ports, compared as text
	LowestNumber Choice = "lowest-number"  // of the exposed tcp ports
	First        Choice = "first"          // exposed tcp port in the Dockerfile's order
	Configured   Choice = "configured"     // a setting of the platform; EXPOSE is not read
	Assigned     Choice = "assigned"       // by the platform when the program starts
	Scan         Choice = "scan"           // any port that is open; Default is handed out
	LowestOrOpen Choice = "lowest-or-open" // LowestNumber, but whoever deploys can name any that is open
)

// Probe is how the platform asks.
type Probe struct {
	Default Check `yaml:"default"`
	// Path holds what differs once a path is configured, Strict what differs
	// in the platform's strict mode; nil: there is no such thing.
	Path    *Check         `yaml:"path"`
	Strict  *Check         `yaml:"strict"`
	From    *Fact[string]  `yaml:"from"`
	Headers *Fact[string]  `yaml:"headers"`
	Every   *Fact[Seconds] `yaml:"every"` // the time between two tries
	// Healthcheck: the image's HEALTHCHECK is what the platform goes by.
	Healthcheck *Fact[bool] `yaml:"healthcheck"`
	// StrictSetting is how strict mode is switched on, the current way first.
	StrictSetting *Fact[[]string] `yaml:"strictSetting"`
}

// Check is one form of the question.
type Check struct {
	Protocol  *Fact[Protocol] `yaml:"protocol"`
	Method    *Fact[string]   `yaml:"method"`
	Path      *Fact[string]   `yaml:"path"`
	Host      *Fact[string]   `yaml:"host"` // "address": ADDRESS:PORT of the container
	Accept    *Fact[Statuses] `yaml:"accept"`
	Timeout   *Fact[Seconds]  `yaml:"timeout"` // of one try
	Redirects *Fact[string]   `yaml:"redirects"`
	// Follow is what Redirects comes to; nil: not documented, none is followed.
	Follow *Fact[facts.Follow] `yaml:"follow"`
}

// Protocol names the way a check is made.
type Protocol string

// The protocols.
const (
	HTTP    Protocol = "http"
	TCP     Protocol = "tcp"     // a connection is enough
	Command Protocol = "command" // run inside the container, as HEALTHCHECK is
	Uptime  Protocol = "uptime"  // the container only has to stay up
)

// Window is how long the platform waits for the first good answer.
type Window struct {
	Default *Fact[Seconds]  `yaml:"default"`
	Min     *Fact[Seconds]  `yaml:"min"`
	Max     *Fact[Seconds]  `yaml:"max"`
	Setting *Fact[[]string] `yaml:"setting"` // the current way first
}

// Variable is an environment variable that the platform sets; one without a
// value is known by name only.
type Variable struct {
	Name  string        `yaml:"name"`
	Value *Fact[string] `yaml:"value"`
}

// Stop is how the platform stops a container.
type Stop struct {
	Signal  *Fact[string]  `yaml:"signal"`
	Grace   *Fact[Seconds] `yaml:"grace"`
	Max     *Fact[Seconds] `yaml:"max"`
	Setting *Fact[string]  `yaml:"setting"`
}

// Host is what the platform's machines are like.
type Host struct {
	Architectures *Fact[[]string] `yaml:"architectures"` // GOARCH spelling
	// Loopback: a listener on 127.0.0.1 is reached.
	Loopback *Fact[bool] `yaml:"loopback"`
	// AsksInside: the check is made inside the container, so that it reaches
	// 127.0.0.1 whatever Loopback says about everybody else.
	AsksInside *Fact[bool] `yaml:"asksInside"`
	// PrivilegedPorts: a user other than root may bind below 1024.
	PrivilegedPorts *Fact[bool] `yaml:"privilegedPorts"`
	MemoryMB        *Fact[int]  `yaml:"memoryMB"`
}

// Seconds is a number of seconds in the catalogue.
type Seconds float64

// Duration converts to the standard library's type.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// Names lists the catalogue in order.
func Names() []string {
	entries, _ := fs.ReadDir(catalogue, "catalogue") // embedded: it is there
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// UnknownError says that the catalogue has no such platform.
type UnknownError struct {
	Name  string
	Close string // the nearest name, "" when none is near
}

// Error names the nearest platform, or all of them.
func (e *UnknownError) Error() string {
	if e.Close != "" {
		return fmt.Sprintf("unknown platform %q: did you mean %s?", e.Name, e.Close)
	}
	return fmt.Sprintf("unknown platform %q: there are %s", e.Name, strings.Join(Names(), ", "))
}

// Load reads one platform of the catalogue. Case does not matter, nor whether
// words are joined by - or _.
func Load(name string) (*Platform, error) {
	id := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
	if !slices.Contains(Names(), id) {
		return nil, &UnknownError{Name: name, Close: nearest(id)}
	}
	text, err := catalogue.ReadFile(path.Join("catalogue", id+".yaml"))
	if err != nil {
		return nil, fmt.Errorf("read platform %q: %w", id, err)
	}
	return decode(id, text)
}

func decode(id string, text []byte) (*Platform, error) {
	p := &Platform{}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("read platform %q: %w", id, err)
	}
	if p.ID != id {
		return nil, fmt.Errorf("read platform %q: its id is %q", id, p.ID)
	}
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("read platform %q: %w", id, err)
	}
	return p, nil
}

// nearest returns the name that a slip of the finger or two leads to.
func nearest(name string) string {
	best, distance := "", max(2, len(name)/3)+1
	for _, n := range Names() {
		if d := levenshtein.Distance(name, n, nil); d < distance {
			best, distance = n, d
		}
		if len(name) >= 3 && strings.Contains(n, name) {
			return n
		}
	}
	return best
}
