package manifest

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/docker/go-units"
	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/finding"
)

// composeServices reads the services of a Compose file.
// Source: github.com/compose-spec/compose-spec, 05-services.md
func composeServices(root value) []Workload {
	var all []Workload
	root.interpolates = true
	root.get("services").pairs(func(name string, s value) {
		root.unset = nil
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
		w.composeLeft(s)
		w.Unset = root.unset
		all = append(all, w)
	})
	root.interpolates = false
	return all
}

// composeLeft notes what is decided in other files or by other services.
func (w *Workload) composeLeft(s value) {
	if s.get("extends").exists() {
		w.Left = append(w.Left, finding.NotChecked{What: w.Title + " where it extends another", Why: "that is not read: give what docker compose config prints"})
	}
	needs := s.get("depends_on")
	var names []string
	for _, item := range needs.items() {
		names = append(names, item.text())
	}
	needs.pairs(func(name string, _ value) { names = append(names, name) })
	if len(names) > 0 {
		w.Left = append(w.Left, finding.NotChecked{What: "what it depends on (" + strings.Join(names, ", ") + ")", Why: "imglint starts the one image only"})
	}
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
		return v.texts()
	}
	return split(v.text())
}

// plainVariable is one without a default: $NAME or ${NAME}.
var plainVariable = regexp.MustCompile(`\$\$|\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)`)

// interpolated is the value with variables replaced, as Compose's own library
// does it.
func (v value) interpolated() string {
	text := v.node.Value
	lookup := v.around.Lookup
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	replaced, err := template.SubstituteWithOptions(text, lookup, template.WithoutLogging)
	if err != nil {
		v.fault("%v", err)
		return text
	}
	for _, m := range plainVariable.FindAllStringSubmatch(text, -1) {
		name := m[1] + m[2]
		if _, ok := lookup(name); !ok && name != "" && !slices.Contains(v.unset, name) {
			v.unset = append(v.unset, name)
		}
	}
	return replaced
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
	w.composeEnvFiles(s.get("env_file"))
	add := func(key, text string, given bool) {
		if !given && s.around.Lookup != nil {
			text, given = s.around.Lookup(key)
		}
		if !given {
			w.Elsewhere = append(w.Elsewhere, key)
			return
		}
		w.Env = append(w.Env, key+"="+text)
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
}

// composeEnvFiles reads the files that env_file names: one, a list, or entries
// with path and required.
func (w *Workload) composeEnvFiles(files value) {
	list := files.items()
	if files.text() != "" {
		list = []value{files}
	}
	for _, file := range list {
		name := file.text()
		if path := file.get("path"); path.exists() {
			name = path.text()
		}
		required := file.get("required").text() != "false"
		if files.around.Read == nil {
			w.Elsewhere = append(w.Elsewhere, "those of env_file "+name)
			continue
		}
		text, err := files.around.Read(name)
		if err != nil {
			if required {
				file.fault("env_file: %v", err)
			}
			continue
		}
		pairs, err := dotenv.ParseWithLookup(bytes.NewReader(text), dotenv.LookupFn(files.around.Lookup))
		if err != nil {
			file.fault("env_file %s: %v", name, err)
		}
		for _, key := range slices.Sorted(maps.Keys(pairs)) {
			w.Env = append(w.Env, key+"="+pairs[key])
		}
	}
}

// Dotenv reads the text of a .env file as Compose does.
func Dotenv(text []byte) (map[string]string, error) {
	return dotenv.Parse(bytes.NewReader(text))
}

// composePorts reads "8080:80", "127.0.0.1:8080:80/tcp", "80" and the long form.
func (w *Workload) composePorts(s value) {
	for _, p := range append(s.get("ports").items(), s.get("expose").items()...) {
		target := p.get("target")
		if !target.exists() {
			target = p
		}
		number, protocol, _ := strings.Cut(target.text(), "/")
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
