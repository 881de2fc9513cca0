package platform

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/facts"
)

// Fact is one claim about a platform with its source. A nil *Fact means that
// the platform does not document it.
type Fact[T any] struct {
	Value      T          `yaml:"value"`
	Confidence Confidence `yaml:"confidence"`
	Source     string     `yaml:"source"` // a key of Platform.Sources
	Note       string     `yaml:"note"`
}

// Confidence tells how a claim was established.
type Confidence string

// The confidences, best first.
const (
	Measured   Confidence = "measured"
	Documented Confidence = "documented" // an official page was read
	Source     Confidence = "source"     // official open source was read
	Staff      Confidence = "staff"      // the vendor's support writes it
	Reported   Confidence = "reported"   // seen in users' public repositories
	Inferred   Confidence = "inferred"
	Stated     Confidence = "stated" // by the user, of a platform of their own
)

var confidences = []Confidence{Measured, Documented, Source, Staff, Reported, Inferred, Stated}

// or returns the claim's value, or other where nothing is claimed.
func (f *Fact[T]) or(other T) T {
	if f == nil {
		return other
	}
	return f.Value
}

// claim is a Fact of any type.
type claim interface {
	check(sources map[string]string) error
}

func (f *Fact[T]) check(sources map[string]string) error {
	if f == nil {
		return nil
	}
	if !slices.Contains(confidences, f.Confidence) {
		return fmt.Errorf("value %v: confidence %q is not one of %v", f.Value, f.Confidence, confidences)
	}
	if _, ok := sources[f.Source]; !ok {
		return fmt.Errorf("value %v: source %q is not listed under sources", f.Value, f.Source)
	}
	return nil
}

func (p *Platform) validate() error {
	if p.Title == "" || p.AsOf == "" || len(p.Sources) == 0 {
		return fmt.Errorf("title, asOf or sources is missing")
	}
	if c := p.Endpoint.Choice.or(""); !slices.Contains([]Choice{LowestText, LowestNumber, First, Configured, Assigned, Scan, LowestOrOpen}, c) {
		return fmt.Errorf("endpoint.choice: unknown way %q", c)
	}
	if p.Endpoint.Choice.Value == Assigned && p.Endpoint.StandIn == 0 {
		return fmt.Errorf("endpoint.standIn: needed where the port is assigned")
	}
	if protocol := p.Probe.Default.Protocol.or(""); !slices.Contains([]Protocol{HTTP, TCP, Command, Uptime}, protocol) {
		return fmt.Errorf("probe.default.protocol: unknown protocol %q", protocol)
	}
	for rule, words := range p.Says {
		if !slices.Contains(p.Errors.or(nil), words) && (rule != otherwise || words != "") {
			return fmt.Errorf("says.%s: %q is not one of errors", rule, words)
		}
	}
	for _, c := range []*Check{&p.Probe.Default, p.Probe.Path, p.Probe.Strict} {
		if c == nil || c.Follow == nil {
			continue
		}
		if _, ok := follows[c.Follow.Value]; !ok {
			return fmt.Errorf("probe.follow: unknown value %q", c.Follow.Value)
		}
	}
	return checkClaims(reflect.ValueOf(p).Elem(), "", p.Sources)
}

// checkClaims visits every claim of the platform, wherever it stands.
func checkClaims(v reflect.Value, at string, sources map[string]string) error {
	if c, ok := v.Interface().(claim); ok {
		if err := c.check(sources); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return checkClaims(v.Elem(), at, sources)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if err := checkClaims(v.Field(i), strings.TrimPrefix(at+"."+v.Type().Field(i).Name, "."), sources); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkClaims(v.Index(i), at+"["+strconv.Itoa(i)+"]", sources); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			if err := checkClaims(v.MapIndex(k), at+"."+k.String(), sources); err != nil {
				return err
			}
		}
	}
	return nil
}

// Statuses are the accepted statuses: "any", or ranges such as "200-399, 404".
type Statuses []facts.StatusRange

// UnmarshalYAML reads the catalogue's form.
func (s *Statuses) UnmarshalYAML(node *yaml.Node) error {
	if node.Value == "any" {
		*s = nil
		return nil
	}
	for part := range strings.SplitSeq(node.Value, ",") {
		from, to, ok := strings.Cut(strings.TrimSpace(part), "-")
		if !ok {
			to = from
		}
		low, errLow := strconv.Atoi(from)
		high, errHigh := strconv.Atoi(to)
		if errLow != nil || errHigh != nil || low < 100 || high < low || high > 999 {
			return fmt.Errorf("read statuses %q: not \"any\" and not ranges of statuses", node.Value)
		}
		*s = append(*s, facts.StatusRange{From: low, To: high})
	}
	return nil
}
