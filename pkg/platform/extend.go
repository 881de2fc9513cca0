package platform

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/facts"
)

// Changes are what a user says about a platform of their own, or about one of
// the catalogue as they have set it up. Keys are those of ChangeKeys.
type Changes struct {
	ID    string
	Title string
	// From is where it is said, ".imglint.yaml:12".
	From   string
	Values map[string][]string
}

// stated is the key of Platform.Sources for what a user says.
const stated = "config"

// changers apply one key each.
var changers = map[string]func(*Platform, []string) error{
	"port": func(p *Platform, v []string) error {
		n, err := strconv.Atoi(v[0])
		p.Endpoint.Default = said(n)
		if c := p.Endpoint.Choice.Value; c != Scan {
			p.Endpoint.Choice = said(Configured)
		}
		return err
	},
	"port-from": func(p *Platform, v []string) error {
		p.Endpoint.Choice = said(Choice(v[0]))
		p.Endpoint.StandIn = cmp.Or(p.Endpoint.StandIn, assignedPort)
		return nil
	},
	"port-env":    changeBool(func(p *Platform) **Fact[bool] { return &p.Endpoint.Injected }),
	"every-port":  changeBool(func(p *Platform) **Fact[bool] { return &p.Endpoint.Every }),
	"healthcheck": changeBool(func(p *Platform) **Fact[bool] { return &p.Probe.Healthcheck }),
	"inside":      changeBool(func(p *Platform) **Fact[bool] { return &p.Host.AsksInside }),
	"low-ports":   changeBool(func(p *Platform) **Fact[bool] { return &p.Host.PrivilegedPorts }),
	"ask": func(p *Platform, v []string) error {
		p.Probe.Default.Protocol, p.Probe.Path = said(Protocol(v[0])), nil
		return nil
	},
	"path": func(p *Platform, v []string) error {
		p.Probe.Default = p.Probe.Default.with(p.Probe.Path)
		p.Probe.Default.Protocol, p.Probe.Default.Path = said(HTTP), said(v[0])
		return nil
	},
	"host": func(p *Platform, v []string) error { p.Probe.Default.Host = said(v[0]); return nil },
	"status": func(p *Platform, v []string) error {
		var s Statuses
		err := s.UnmarshalYAML(&yaml.Node{Value: strings.Join(v, ",")})
		p.Probe.Default.Accept = said(s)
		return err
	},
	"redirects": func(p *Platform, v []string) error {
		follow := facts.Follow(strings.TrimSuffix(v[0], "none"))
		p.Probe.Default.Redirects, p.Probe.Default.Follow = said("followed: "+v[0]), said(follow)
		return nil
	},
	"header":      func(p *Platform, v []string) error { p.Probe.Headers = said(v[0]); return nil },
	"try-timeout": changeSeconds(func(p *Platform) **Fact[Seconds] { return &p.Probe.Default.Timeout }),
	"boot-window": changeSeconds(func(p *Platform) **Fact[Seconds] { return &p.Window.Default }),
	"grace":       changeSeconds(func(p *Platform) **Fact[Seconds] { return &p.Stop.Grace }),
	"architectures": func(p *Platform, v []string) error {
		p.Host.Architectures = said(v)
		return nil
	},
	"procfile": func(p *Platform, v []string) error { p.Procfile = said(v[0]); return nil },
	"says": func(p *Platform, v []string) error {
		p.Errors, p.Says = said(v[:1]), nil
		return nil
	},
	"env": func(p *Platform, v []string) error {
		for _, kv := range v {
			name, value, _ := strings.Cut(kv, "=")
			p.Environment = slices.DeleteFunc(slices.Clone(p.Environment), func(o Variable) bool { return o.Name == name })
			p.Environment = append(p.Environment, Variable{Name: name, Value: said(value)})
		}
		return nil
	},
}

// order is that of changers where it matters: "ask" decides what "path" adds to.
var order = []string{"ask", "port-from", "port", "path"}

// assignedPort stands in for the port of a platform that assigns one.
const assignedPort = 24731

// ChangeKeys lists the keys of Changes.Values.
func ChangeKeys() []string { return slices.Sorted(maps.Keys(changers)) }

// Extend is the platform with a user's changes; base stays as it is.
func (p *Platform) Extend(c Changes) (*Platform, error) {
	own := *p
	own.ID, own.Title = c.ID, cmp.Or(c.Title, p.Title)
	if c.Title == "" && c.ID != p.ID {
		own.Title = c.ID
	}
	own.AsOf = fmt.Sprintf("%s, on top of %s (%s)", c.From, p.ID, p.AsOf)
	own.Sources = maps.Clone(p.Sources)
	own.Sources[stated] = c.From
	keys := slices.Concat(order, slices.Sorted(maps.Keys(c.Values)))
	done := map[string]bool{}
	for _, key := range keys {
		values, given := c.Values[key]
		if !given || done[key] {
			continue
		}
		done[key] = true
		change, known := changers[key]
		if !known || len(values) == 0 {
			return nil, fmt.Errorf("extend platform %q: unknown or empty key %q", p.ID, key)
		}
		if err := change(&own, values); err != nil {
			return nil, fmt.Errorf("extend platform %q: %s: %w", p.ID, key, err)
		}
	}
	if err := own.validate(); err != nil {
		return nil, fmt.Errorf("extend platform %q: %w", p.ID, err)
	}
	return &own, nil
}

// said is a claim that the user makes.
func said[T any](value T) *Fact[T] {
	return &Fact[T]{Value: value, Confidence: Stated, Source: stated}
}

func changeBool(at func(*Platform) **Fact[bool]) func(*Platform, []string) error {
	return func(p *Platform, v []string) error {
		yes, err := strconv.ParseBool(v[0])
		*at(p) = said(yes)
		return err
	}
}

func changeSeconds(at func(*Platform) **Fact[Seconds]) func(*Platform, []string) error {
	return func(p *Platform, v []string) error {
		d, err := time.ParseDuration(v[0])
		*at(p) = said(Seconds(d.Seconds()))
		return err
	}
}
