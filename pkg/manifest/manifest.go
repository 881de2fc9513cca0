// Package manifest reads what a Kubernetes or a Compose file says about the
// containers that it starts, with the line of everything that it says.
package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/finding"
)

// Workload is one container that a manifest starts.
type Workload struct {
	Platform string // "kubernetes" or "compose"
	File     string
	Title    string // "Deployment web, container app"
	Name     string // of the container or service
	Image    string
	// Entrypoint and Cmd replace the image's; nil: they do not.
	Entrypoint, Cmd []string
	Env             []string // KEY=VALUE
	// Elsewhere are the variables whose values the file does not hold.
	Elsewhere []string
	// Unset are variables of the file itself, ${NAME}, that nothing gives a value.
	Unset []string
	// Left tells what else the file does with or beside the container, and why
	// it is not looked at.
	Left []finding.NotChecked
	// Batch: it has to come to an end, so that there is no health check.
	Batch  bool
	Ports  []Port
	Probes []Probe
	Memory int64  // bytes; 0: no limit
	User   string // "": the image's
	// NonRoot: the container is not started as root.
	NonRoot  bool
	ReadOnly bool // the root file system
	// At tells where fields are set: finding.FieldCmd, … or the keys below.
	At map[finding.Field]finding.Place
}

// Further keys of Workload.At.
const (
	AtMemory  finding.Field = "memory"
	AtNonRoot finding.Field = "runAsNonRoot"
	AtName    finding.Field = "name"
)

// Port is a port of the container that the file names.
type Port struct {
	Number   int
	Name     string
	Protocol string // "tcp" or "udp"
	Place    finding.Place
}

// Probe is one check that the file asks for.
type Probe struct {
	Kind string // "startupProbe", "readinessProbe", "livenessProbe", "healthcheck"
	Ask  Ask
	// Port is where it asks; 0: the file names a port that it does not define.
	Port    int
	Path    string
	Host    string // Host header; "": the address that is asked
	TLS     bool
	Headers []string // "Name: value", without Host
	Initial time.Duration
	Period  time.Duration
	Timeout time.Duration
	// Failures in a row are allowed before it acts.
	Failures int

	Place, PortPlace, PathPlace finding.Place
}

// Ask is how a probe asks.
type Ask string

// The ways.
const (
	AskHTTP Ask = "http"
	AskTCP  Ask = "tcp"
	AskExec Ask = "exec"
	AskGRPC Ask = "grpc"
)

// Patience is how long the probe bears with a container that does not answer.
func (p Probe) Patience() time.Duration {
	return p.Initial + time.Duration(p.Failures)*p.Period
}

// ErrNoWorkload says that a file starts no container.
var ErrNoWorkload = errors.New("no workload: neither a Kubernetes Deployment, StatefulSet, DaemonSet, Job or Pod nor Compose services")

// Around is what a file can refer to. Its zero value is nothing at all.
type Around struct {
	// Lookup tells the value of a variable of the environment and of .env.
	Lookup func(string) (string, bool)
	// Read reads a file whose path is relative to the manifest's folder.
	Read func(string) ([]byte, error)
}

// Parse reads a file, which may hold several documents, and nothing besides.
func Parse(name string, text []byte) ([]Workload, error) { return ParseIn(name, text, Around{}) }

// ParseIn reads a file with what is around it.
func ParseIn(name string, text []byte, around Around) ([]Workload, error) {
	r := &reader{file: name, lines: strings.Split(string(text), "\n"), around: around, shared: map[string]map[string]string{}}
	documents, err := r.documents(text)
	if err != nil {
		return nil, err
	}
	var all []Workload
	for _, root := range documents {
		r.share(root)
	}
	for _, root := range documents {
		if root.get("services").exists() && !root.get("apiVersion").exists() {
			all = append(all, composeServices(root)...)
			continue
		}
		all = append(all, kubernetesObject(root)...)
	}
	if len(r.faults) > 0 {
		return nil, fmt.Errorf("read manifest %q: %w", name, errors.Join(r.faults...))
	}
	if len(all) == 0 && bytes.Contains(text, []byte("{{")) {
		return nil, fmt.Errorf("read manifest %q: a template holds no workload yet: give what helm template prints", name)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("read manifest %q: %w", name, ErrNoWorkload)
	}
	return all, nil
}

// documents splits a file.
func (r *reader) documents(text []byte) ([]value, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var all []value
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil && bytes.Contains(text, []byte("{{")):
			return nil, fmt.Errorf("read manifest %q: a template is not YAML yet: give what helm template prints: %w", r.file, err)
		case err != nil:
			return nil, fmt.Errorf("read manifest %q: %w", r.file, err)
		case len(doc.Content) == 0:
			continue
		}
		root := value{r, doc.Content[0]}
		if root.get("kind").text() == "Kustomization" {
			return nil, fmt.Errorf("read manifest %q: a Kustomization names files: give what kubectl kustomize prints", r.file)
		}
		all = append(all, root)
	}
}
