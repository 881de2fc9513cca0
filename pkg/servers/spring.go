package servers

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/facts"
)

var (
	springFile  = regexp.MustCompile(`^application(-[\w.-]+)?\.(properties|ya?ml)$`)
	springPlace = regexp.MustCompile(`\$\{([\w.-]+)(?::([^{}]*))?\}`)
	springHard  = []string{"spring.config.import", "spring.config.location", "spring.config.additional-location", "spring.profiles.include", "spring.main.web-application-type"}
)

// java predicts a Spring Boot jar: arguments beat system properties, those beat
// the environment, that beats files beside the jar, and those the files in it
// (spring-boot reference, features/external-config).
func java(run *invocation) {
	o := run.option([]string{"-jar"})
	if o == nil || run.p.Ends != "" {
		return
	}
	file := run.absolute(o.value)
	j, err := run.openJar(file)
	if err = firstError(run.known(o), err); err != nil || !j.spring || !j.web {
		return // the program's code decides
	}
	run.p.Server, run.p.Title = "spring-boot", "Spring Boot"
	run.p.Daemonizes, run.p.DaemonWhy = facts.No, "a Spring Boot web server"
	run.p.Why, run.p.Complete = "", true
	s := spring{run: run, jar: o.at}
	if err := s.load(j, file); err != nil {
		run.unknown("%v", err)
		return
	}
	s.listen()
}

// spring merges the layers of settings.
type spring struct {
	run      *invocation
	jar      int // the word with the jar's name
	files    []map[string]found
	profiles []string
}

func (s *spring) load(j *jar, file string) error {
	if s.run.env["SPRING_APPLICATION_JSON"] != "" {
		return errors.New("SPRING_APPLICATION_JSON may decide")
	}
	active, err := s.value("spring.profiles.active", "")
	if err != nil {
		return err
	}
	s.profiles = strings.FieldsFunc(active.text, func(r rune) bool { return r == ',' || r == ' ' })
	outside, err := s.outside()
	if err != nil {
		return err
	}
	inside := slices.Clone(j.settings)
	for i := range inside {
		inside[i].name = file + "!" + inside[i].name
	}
	// Profiles beat the general file, and what is outside beats the jar.
	for _, group := range [][]jarFile{outside, inside} {
		for _, profiled := range []bool{true, false} {
			for _, f := range group {
				if err := s.add(f, profiled); err != nil {
					return err
				}
			}
		}
	}
	for _, key := range springHard {
		if v, err := s.value(key, ""); err != nil || v.explicit {
			return fmt.Errorf("%s may decide", key)
		}
	}
	if v, _ := s.value("spring.profiles.active", ""); v.text != active.text {
		return fmt.Errorf("%s chooses a profile", v.from)
	}
	return nil
}

// outside are the files beside the program.
func (s *spring) outside() ([]jarFile, error) {
	var all []jarFile
	for _, dir := range []string{"config", "."} {
		for _, ext := range []string{"properties", "yml", "yaml"} {
			name := s.run.absolute(path.Join(dir, "application."+ext))
			text, err := s.run.read(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s may decide and was not read: %w", name, err)
			}
			all = append(all, jarFile{name, text})
		}
	}
	return all, nil
}

func (s *spring) add(f jarFile, profiled bool) error {
	m := springFile.FindStringSubmatch(path.Base(f.name[strings.LastIndexByte(f.name, '!')+1:]))
	profile := strings.TrimPrefix(m[1], "-")
	if profiled != (profile != "") || profiled && !slices.Contains(s.profiles, profile) {
		return nil
	}
	if m[2] == "properties" {
		s.files = append(s.files, properties(f))
		return nil
	}
	documents, err := s.yaml(f)
	s.files = append(s.files, documents...)
	return err
}

var propertyLine = regexp.MustCompile(`^([^=:\s]+)\s*[=:]\s*(.*)$`)

func properties(f jarFile) map[string]found {
	values := map[string]found{}
	for i, line := range strings.Split(f.text, "\n") {
		line = strings.TrimSpace(line)
		if m := propertyLine.FindStringSubmatch(line); m != nil && line[0] != '#' && line[0] != '!' {
			values[relaxed(m[1])] = found{text: m[2], from: fmt.Sprintf("%s:%d", f.name, i+1), explicit: true}
		}
	}
	return values
}

// relaxed: server.port, SERVER_PORT and server.Port are one key.
func relaxed(key string) string {
	return strings.NewReplacer("-", "", "_", ".").Replace(strings.ToLower(key))
}

// yaml reads the documents of a file, later ones first; those of a profile that
// is not active do not count.
func (s *spring) yaml(f jarFile) ([]map[string]found, error) {
	var all []map[string]found
	d := yaml.NewDecoder(strings.NewReader(f.text))
	for {
		var node yaml.Node
		err := d.Decode(&node)
		if err != nil && len(all) > 0 || err != nil && err.Error() == "EOF" {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s may decide: %w", f.name, err)
		}
		values := map[string]found{}
		flatten(&node, "", f.name, values)
		on, ok := values["spring.config.activate.onprofile"]
		if old, is := values["spring.profiles"]; is {
			on, ok = old, true
		}
		if !ok || slices.Contains(s.profiles, on.text) {
			all = append([]map[string]found{values}, all...)
		} else if strings.ContainsAny(on.text, "!&|,(") {
			return nil, fmt.Errorf("%s: imglint does not follow the profile %q", on.from, on.text)
		}
	}
	return all, nil
}

func flatten(n *yaml.Node, prefix, file string, values map[string]found) {
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			flatten(c, prefix, file, values)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := relaxed(n.Content[i].Value)
			if prefix != "" {
				key = prefix + "." + key
			}
			flatten(n.Content[i+1], key, file, values)
		}
	case yaml.ScalarNode:
		values[prefix] = found{text: n.Value, from: fmt.Sprintf("%s:%d", file, n.Line), explicit: true}
	}
}

// value finds a setting in the highest layer that has it.
func (s *spring) value(key, fallback string) (found, error) {
	v := s.raw(key, fallback)
	known := true
	v.text = springPlace.ReplaceAllStringFunc(v.text, func(place string) string {
		m := springPlace.FindStringSubmatch(place)
		inner := s.raw(m[1], "")
		known = known && (inner.explicit || strings.Contains(place, ":"))
		return orElse(inner.text, m[2])
	})
	if !known || strings.ContainsAny(v.text, "${}") {
		return v, fmt.Errorf("%s: only a run can tell what %q is", v.from, v.text)
	}
	return v, nil
}

func (s *spring) raw(key, fallback string) found {
	run := s.run
	for i := len(run.options) - 1; i >= 0; i-- {
		if o := run.options[i]; o.index > s.jar && strings.HasPrefix(o.name, "--") && relaxed(o.name[2:]) == relaxed(key) {
			return found{text: o.value, from: o.name, explicit: true, err: run.known(&o)}
		}
	}
	for i := len(run.options) - 1; i >= 0; i-- {
		if o := run.options[i]; o.index < s.jar && o.name == "-D"+key {
			return found{text: o.value, from: o.name, explicit: true, err: run.known(&o)}
		}
	}
	for _, name := range []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"} {
		for _, m := range javaProperty.FindAllStringSubmatch(run.env[name], -1) {
			if m[1] == key {
				return found{text: m[2], from: "env " + name, explicit: true}
			}
		}
	}
	for _, name := range []string{key, strings.ToUpper(strings.NewReplacer(".", "_", "-", "").Replace(key))} {
		if value, ok := run.env[name]; ok {
			return found{text: value, from: "env " + name, explicit: true}
		}
	}
	for _, values := range s.files {
		if v, ok := values[relaxed(key)]; ok {
			return v
		}
	}
	return found{text: fallback, from: "Spring Boot's default"}
}

func (s *spring) listen() {
	run := s.run
	port, err1 := s.value("server.port", "8080")
	host, err2 := s.value("server.address", "::")
	number, err3 := portNumber(port.text)
	if err := firstError(err1, err2, port.err, host.err, err3); err != nil {
		run.unknown("%v", err)
		return
	}
	protocol := "http"
	for _, key := range []string{"server.ssl.key-store", "server.ssl.bundle", "server.ssl.certificate"} {
		if v := s.raw(key, ""); v.explicit {
			protocol = "https"
		}
	}
	run.addListen(host.text, number, host.from, port.from)
	run.p.Listens[len(run.p.Listens)-1].Protocol = protocol
	if v := s.raw("management.server.port", ""); v.explicit && v.text != port.text {
		run.unknown("%s opens one more port", v.from)
	}
	if scope(host.text, false) == facts.ScopeLoopback {
		run.p.FixPublic = []facts.Remedy{{Description: "listen on all interfaces", Argv: append(run.command.Words(), "--server.address=0.0.0.0")}}
	}
}
