package manifest

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/finding"
)

// composeServices reads the services of a Compose file.
// Source: github.com/compose-spec/compose-spec, 05-services.md
func composeServices(root value) []Workload {
	var all []Workload
	root.get("services").pairs(func(name string, s value) {
		w := Workload{
			Platform: "compose", File: s.file, Title: "service " + name, Name: name, Image: s.get("image").text(),
			User: s.get("user").text(), ReadOnly: s.get("read_only").truth(), At: map[finding.Field]finding.Place{},
		}
		w.At[AtName] = s.place()
		if w.User != "" {
			w.At[finding.FieldUser] = s.get("user").place()
		}
		w.composeCommand(s)
		w.composeEnvironment(s)
		w.composePorts(s)
		w.composeHealthcheck(s)
		w.composeMemory(s)
		all = append(all, w)
	})
	return all
}

func (w *Workload) composeCommand(s value) {
	if e := s.get("entrypoint"); e.exists() {
		w.Entrypoint, w.Cmd = words(e), []string{}
		w.At[finding.FieldEntrypoint] = first(e).place()
	}
	if c := s.get("command"); c.exists() {
		w.Cmd = words(c)
		w.At[finding.FieldCmd] = first(c).place()
	}
}

// words reads a list, or a string that is split as a shell would; no shell
// runs it.
func words(v value) []string {
	if v.node.Kind == yaml.SequenceNode {
		all := v.texts()
		for i := range all {
			all[i] = interpolate(all[i])
		}
		return all
	}
	return split(interpolate(v.text()))
}

var variable = regexp.MustCompile(`\$\$|\$\{([A-Za-z_]\w*)(?::?([-?+])([^}]*))?\}|\$([A-Za-z_]\w*)`)

// interpolate puts in defaults as Compose does where a variable is not set;
// what imglint's own environment holds is not asked.
func interpolate(text string) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		if m := variable.FindStringSubmatch(found); m[2] == "-" {
			return m[3]
		}
		return ""
	})
}

func split(text string) []string {
	var all []string
	var word strings.Builder
	begun, quote := false, rune(0)
	for _, r := range text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if begun {
				all = append(all, word.String())
				word.Reset()
			}
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		all = append(all, word.String())
	}
	return all
}

func (w *Workload) composeEnvironment(s value) {
	add := func(key, text string, given bool) {
		if !given {
			w.Elsewhere = append(w.Elsewhere, key)
			return
		}
		w.Env = append(w.Env, key+"="+interpolate(text))
	}
	env := s.get("environment")
	for _, item := range env.items() {
		key, text, given := strings.Cut(item.text(), "=")
		add(key, text, given)
	}
	env.pairs(func(key string, item value) { add(key, item.text(), item.exists()) })
	if env.exists() {
		w.At[finding.FieldEnv] = env.place()
	}
	if file := s.get("env_file"); file.exists() {
		w.Elsewhere = append(w.Elsewhere, "those of env_file")
	}
}

// composePorts reads "8080:80", "127.0.0.1:8080:80/tcp", "80" and the long form.
func (w *Workload) composePorts(s value) {
	for _, p := range append(s.get("ports").items(), s.get("expose").items()...) {
		target := p.get("target")
		if !target.exists() {
			target = p
		}
		number, protocol, _ := strings.Cut(interpolate(target.text()), "/")
		number = number[strings.LastIndexByte(number, ':')+1:]
		n, err := strconv.Atoi(number)
		if err != nil {
			continue // a range, which names no one port
		}
		if protocol == "" {
			protocol = "tcp"
		}
		if named := p.get("protocol").text(); named != "" {
			protocol = named
		}
		w.Ports = append(w.Ports, Port{Number: n, Protocol: protocol, Place: target.place()})
	}
}

// url finds what a healthcheck's curl or wget asks.
var url = regexp.MustCompile(`(https?)://(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d+))?(/[^\s"'|;&]*)?`)

func (w *Workload) composeHealthcheck(s value) {
	h := s.get("healthcheck")
	test := h.get("test")
	if !test.exists() || h.get("disable").truth() {
		return
	}
	p := Probe{
		Kind: "healthcheck", Ask: AskExec, Place: test.place(),
		Initial: duration(h.get("start_period"), 0), Period: duration(h.get("interval"), 30*time.Second),
		Timeout: duration(h.get("timeout"), 30*time.Second), Failures: h.get("retries").number(3),
	}
	if p.Place.Line == 0 || test.node.Kind == yaml.SequenceNode {
		p.Place = first(test).place()
	}
	if m := url.FindStringSubmatch(strings.Join(append(test.texts(), test.text()), " ")); m != nil {
		p.Port = 80
		if p.TLS = m[1] == "https"; p.TLS {
			p.Port = 443
		}
		if m[3] != "" {
			p.Port, _ = strconv.Atoi(m[3])
		}
		if p.Path = m[4]; p.Path == "" {
			p.Path = "/"
		}
	}
	p.PortPlace, p.PathPlace = p.Place, p.Place
	w.Probes = append(w.Probes, p)
}

func duration(v value, other time.Duration) time.Duration {
	if v.text() == "" {
		return other
	}
	d, err := time.ParseDuration(v.text())
	if err != nil {
		v.fault("%q is not a duration such as 30s", v.text())
		return other
	}
	return d
}

func (w *Workload) composeMemory(s value) {
	limit := s.get("deploy", "resources", "limits", "memory")
	if !limit.exists() {
		limit = s.get("mem_limit")
	}
	if !limit.exists() {
		return
	}
	bytes, err := units.RAMInBytes(limit.text())
	if err != nil {
		limit.fault("memory %q is not a size", limit.text())
		return
	}
	w.Memory, w.At[AtMemory] = bytes, limit.place()
}
