package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// Undocumented is what a claim says where the platform says nothing.
const Undocumented = "not documented"

// Claim is one line of a platform's contract.
type Claim struct {
	Topic string // "endpoint", "probe", …; claims of one topic follow each other
	Name  string
	// Text is the value in words, Undocumented where Known is false.
	Text       string
	Known      bool
	Confidence Confidence
	Source     string // a key of Platform.Sources
	Note       string
}

// Contract lists everything the catalogue says about the platform, and
// everything that it asked and found no answer to.
func (p *Platform) Contract() []Claim {
	claims := slices.Concat(p.endpointClaims(), p.probeClaims(), p.windowClaims(), p.hostClaims())
	claims = append(claims, say("image", "Procfile", p.Procfile))
	if p.Release != nil {
		claims = append(claims, say("image", "before a release", p.Release))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Fields)) {
		claims = append(claims, say("image", name, p.Fields[name]))
	}
	claims = append(claims, say("failure", "its words", p.Errors))
	for _, note := range p.Notes {
		claims = append(claims, say("note", "", note))
	}
	return claims
}

func (p *Platform) endpointClaims() []Claim {
	e := p.Endpoint
	claims := []Claim{
		say("endpoint", "chosen by", e.Choice), say("endpoint", "default port", e.Default),
		say("endpoint", "handed out as PORT", e.Injected), say("endpoint", "every exposed port", e.Every),
		say("endpoint", "setting", e.Setting),
	}
	for _, v := range p.Environment {
		claims = append(claims, say("environment", v.Name, v.Value))
	}
	return claims
}

func (p *Platform) probeClaims() []Claim {
	claims := checkLines("probe", &p.Probe.Default, true)
	claims = append(claims, checkLines("probe with a path", p.Probe.Path, false)...)
	claims = append(claims, checkLines("probe in strict mode", p.Probe.Strict, false)...)
	return append(claims,
		say("probe", "from", p.Probe.From), say("probe", "headers", p.Probe.Headers), say("probe", "HEALTHCHECK counts", p.Probe.Healthcheck),
		say("probe", "every", p.Probe.Every), say("probe", "strict mode is", p.Probe.StrictSetting))
}

// checkLines lists one form of the question; of a form that only says what
// differs, what it does not say is not missing.
func checkLines(topic string, c *Check, whole bool) []Claim {
	if c == nil {
		return nil
	}
	claims := []Claim{
		say(topic, "protocol", c.Protocol), say(topic, "method", c.Method), say(topic, "path", c.Path),
		say(topic, "Host", c.Host), say(topic, "accepts", c.Accept), say(topic, "one try", c.Timeout),
		say(topic, "redirects", c.Redirects), say(topic, "redirects followed", c.Follow),
	}
	if c.Follow == nil {
		claims = claims[:len(claims)-1]
	}
	return slices.DeleteFunc(claims, func(c Claim) bool { return !whole && !c.Known })
}

func (p *Platform) windowClaims() []Claim {
	return []Claim{
		say("boot window", "default", p.Window.Default), say("boot window", "least", p.Window.Min),
		say("boot window", "most", p.Window.Max), say("boot window", "setting", p.Window.Setting),
		say("end", "a container that ends", p.Restarts),
		say("stop", "signal", p.Stop.Signal), say("stop", "grace", p.Stop.Grace),
		say("stop", "most", p.Stop.Max), say("stop", "setting", p.Stop.Setting),
	}
}

func (p *Platform) hostClaims() []Claim {
	return []Claim{
		say("host", "architectures", p.Host.Architectures), say("host", "127.0.0.1 is reached", p.Host.Loopback),
		say("host", "the check asks inside", p.Host.AsksInside),
		say("host", "low ports for all users", p.Host.PrivilegedPorts), say("host", "memory, MB", p.Host.MemoryMB),
	}
}

func say[T any](topic, name string, f *Fact[T]) Claim {
	if f == nil {
		return Claim{Topic: topic, Name: name, Text: Undocumented}
	}
	return Claim{
		Topic: topic, Name: name, Text: inWords(f.Value), Known: true,
		Confidence: f.Confidence, Source: f.Source, Note: f.Note,
	}
}

var choices = map[Choice]string{
	LowestText:   "the lowest exposed tcp port, compared as text",
	LowestNumber: "the lowest exposed tcp port",
	First:        "the first exposed tcp port, in the Dockerfile's order",
	Configured:   "a setting of the platform; EXPOSE is not read",
	Assigned:     "the platform, when the program starts",
	Scan:         "a scan for open ports",
	LowestOrOpen: "whoever deploys it: the lowest exposed tcp port, or any that is open",
}

var follows = map[facts.Follow]string{
	facts.FollowNone: "none", facts.FollowSame: "those on the same host", facts.FollowAll: "all",
}

func inWords(value any) string {
	switch v := value.(type) {
	case Choice:
		return choices[v]
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case Seconds:
		return v.Duration().String()
	case facts.Follow:
		return follows[v]
	case []string:
		return strings.Join(v, " · ")
	case Statuses:
		return facts.Probe{Accept: v}.Accepted()
	}
	return fmt.Sprint(value)
}
