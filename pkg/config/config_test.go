package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/ignore"
)

var known = Known{Rules: []string{"loopback-bind", "missing-expose"}, Platforms: []string{"aptible", "heroku"}}

const whole = `# a comment
platform: heroku
fail-on: warning
env: {A: 1, B: "x y", C: }
env-file: [one.env, two.env]
limits: {memory: 512m, cpus: 0.5}
prove: false
images:
  - plain
  - image: registry.example/app:2
    port: 8080
    path: /health
    args: [web, --fast]
    build: make image
    context: app
    env: [D=1]
    target: web
    build-args: {VERSION: 2, TOKEN: }
    manifest: deploy.yaml
    service: web
ignore:
  - rule: loopback-bind
    reason: a sidecar listens
    until: 2030-12-31
    image: plain
severities:
  missing-expose: note
platforms:
  heroku: {boot-window: 90s}
  ours:
    extends: heroku
    title: Our cluster
    port: 8080
    status: [200, 300-399]
    env: {STAGE: test}
hook:
  paths: ["app/**", Dockerfile]
  always: true
`

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := Parse("c.yaml", []byte(whole), known)
	if err != nil {
		t.Fatal(err)
	}
	want := &File{
		Name: "c.yaml", Dir: ".",
		Settings: Settings{
			"platform": {[]string{"heroku"}, 2}, "fail-on": {[]string{"warning"}, 3},
			"env": {[]string{"A=1", "B=x y", "C"}, 4}, "env-file": {[]string{"one.env", "two.env"}, 5},
			"memory": {[]string{"512m"}, 6}, "cpus": {[]string{"0.5"}, 6}, "no-prove": {[]string{"true"}, 7},
		},
		Images: []Image{
			{Name: "plain", Line: 9, Settings: Settings{}},
			{
				Name: "registry.example/app:2", Line: 10, Args: []string{"web", "--fast"}, Build: "make image", Context: "app",
				Settings: Settings{"port": {[]string{"8080"}, 11}, "path": {[]string{"/health"}, 12}, "env": {[]string{"D=1"}, 16}, "target": {[]string{"web"}, 17}, "build-arg": {[]string{"VERSION=2", "TOKEN"}, 18}, "manifest": {[]string{"deploy.yaml"}, 19}, "service": {[]string{"web"}, 20}},
			},
		},
		Ignores: []ignore.Ignore{{
			Rule: "loopback-bind", Reason: "a sidecar listens", From: "c.yaml:22", Image: "plain",
			Until: time.Date(2030, 12, 31, 0, 0, 0, 0, time.Local),
		}},
		Severities: map[string]finding.Severity{"missing-expose": finding.Note},
		Hook:       Hook{Paths: []string{"app/**", "Dockerfile"}, Always: true},
		Platforms: []Platform{
			{Name: "heroku", Line: 29, Extends: "heroku", Values: map[string][]string{"boot-window": {"90s"}}},
			{Name: "ours", Line: 30, Extends: "heroku", Title: "Our cluster", Values: map[string][]string{
				"port": {"8080"}, "status": {"200", "300-399"}, "env": {"STAGE=test"}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Image("plain:latest") == nil || got.Image("other") != nil {
		t.Error("finds the wrong entry for an image")
	}
}

// mistakes are config texts and what is said about them. invisible are those
// that a JSON Schema cannot see.
var mistakes = map[string]struct {
	text, want string
	invisible  bool
}{
	"unknown key":            {"platfrom: aptible\n", `c.yaml:1: unknown key "platfrom", did you mean platform?`, false},
	"far unknown key":        {"\n\nxyzzy: 1\n", `c.yaml:3: unknown key "xyzzy"`, false},
	"unknown image key":      {"images:\n  - image: a\n    prot: 1\n", `c.yaml:3: unknown key "prot", did you mean port?`, false},
	"twice":                  {"port: 1\nport: 2\n", "c.yaml:2: port is here for the second time, after line 1", true},
	"platform":               {"platform: herku\n", `c.yaml:1: unknown platform "herku", did you mean heroku?`, true},
	"port":                   {"port: 70000\n", `c.yaml:1: port: "70000" is not a port, use 1 to 65535`, false},
	"path":                   {"path: health\n", `c.yaml:1: path: "health" is not a path, which starts with /`, false},
	"bool":                   {"strict: yes please\n", `c.yaml:1: strict: "yes please" is not true or false`, false},
	"duration":               {"boot-window: 3 minutes\n", `c.yaml:1: boot-window: "3 minutes" is not a duration, such as 90s or 3m`, false},
	"size":                   {"limits:\n  memory: lots\n", `c.yaml:2: memory: "lots" is not a size of at least 6m`, true},
	"limit":                  {"limits: {disk: 1}\n", `c.yaml:1: unknown key "disk"`, false},
	"cpus":                   {"limits: {cpus: 0}\n", `c.yaml:1: cpus: "0" is not a number above 0`, false},
	"jobs":                   {"jobs: 0\n", `c.yaml:1: jobs: "0" is not a number from 1`, false},
	"runner":                 {"runner: podman\n", `c.yaml:1: runner: "podman" is not auto, docker or local`, false},
	"fail-on":                {"fail-on: fatal\n", `c.yaml:1: fail-on: "fatal" is not error, warning or note`, false},
	"list for value":         {"port: [1, 2]\n", "c.yaml:1: port: one value is wanted", false},
	"null":                   {"user:\n", "c.yaml:1: user: one value is wanted", false},
	"env value":              {"env:\n  A: [1]\n", "c.yaml:2: env: A: one value is wanted", false},
	"ignore rule":            {"ignore:\n  - {rule: loopback, reason: x}\n", `c.yaml:2: unknown rule "loopback"`, true},
	"ignore no rule":         {"ignore:\n  - {reason: x}\n", "c.yaml:2: ignore: an entry has no rule", false},
	"ignore no reason":       {"ignore:\n  - rule: loopback-bind\n", "c.yaml:2: ignore: say why with reason", false},
	"ignore a word":          {"ignore: [loopback-bind]\n", "c.yaml:1: ignore: keys with values are wanted", false},
	"ignore no list":         {"ignore: loopback-bind\n", "c.yaml:1: ignore: a list is wanted", false},
	"until":                  {"ignore:\n  - {rule: loopback-bind, reason: x, until: soon}\n", `c.yaml:2: until: "soon" is not a day, such as 2030-12-31`, false},
	"severity":               {"severities: {loopback-bind: off}\n", `c.yaml:1: loopback-bind: "off" is not error, warning or note`, false},
	"own platform like none": {"platforms: {ours: {port: 80}}\n", `c.yaml:1: platforms: ours: say with extends which platform it is like`, true},
	"own platform like what": {"platforms: {ours: {extends: herku}}\n", `c.yaml:1: platforms: ours: extends: "herku" is neither a platform that imglint knows nor one above`, true},
	"own platform's name":    {"platforms: {Our Own: {extends: heroku}}\n", `c.yaml:1: platforms: "Our Own" is not a name in lower case such as our-cluster`, false},
	"own platform's key":     {"platforms:\n  ours:\n    extends: heroku\n    prt: 80\n", `c.yaml:4: unknown key "prt", did you mean port?`, false},
	"own platform's port":    {"platforms: {ours: {extends: heroku, port-from: biggest}}\n", `c.yaml:1: port-from: "biggest" is not one of lowest-text, lowest-number, first, configured, assigned, scan, lowest-or-open`, false},
	"own platform's status":  {"platforms: {ours: {extends: heroku, status: 2xx}}\n", `c.yaml:1: status: "2xx" is not any, a status or a range such as 200-399`, true},
	"severity rule":          {"severities: {loopback-bin: note}\n", `c.yaml:1: unknown rule "loopback-bin", did you mean loopback-bind?`, true},
	"severities":             {"severities: note\n", "c.yaml:1: severities: RULE: error, warning or note is wanted", false},
	"image and images":       {"image: a\nimages: [b]\n", "c.yaml:2: image and images exclude each other", false},
	"build without image":    {"build: make\n", "c.yaml:1: build, args and context belong to an image", false},
	"image twice":            {"images: [a, \"a:latest\"]\n", "c.yaml:1: images: a:latest is here for the second time", true},
	"entry without image":    {"images:\n  - port: 1\n", "c.yaml:2: images: an entry has no image: NAME", false},
	"args":                   {"image: a\nargs: web --fast\n", "c.yaml:2: args: a list of words is wanted", false},
	"hook":                   {"hook: {path: x}\n", `c.yaml:1: unknown key "path", did you mean paths?`, false},
	"a list":                 {"- a\n", "c.yaml:1: the file: keys with values are wanted", false},
	"two documents":          {"port: 1\n---\nport: 2\n", "c.yaml: more than one YAML document", true},
	"not YAML":               {"port: [1\n", "c.yaml: yaml: line ", true},
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("c.yaml", []byte(c.text), known)
			if err == nil {
				t.Fatalf("accepted, want %q", c.want)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("said %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse("c.yaml", []byte("port: 0\nxyzzy: 1\npath: a\n"), known)
	want := "c.yaml:1: port: \"0\" is not a port, use 1 to 65535\nc.yaml:2: unknown key \"xyzzy\"\nc.yaml:3: path: \"a\" is not a path, which starts with /"
	if err == nil || err.Error() != want {
		t.Errorf("said %v, want %s", err, want)
	}
}

// TestSchema holds the published schema against the reader: both accept and
// refuse the same texts.
func TestSchema(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "imglint.config.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"whole": whole, "empty": "", "one image": "image: a\nbuild: make\nargs: [1]\n", "list": "platform: [aptible, heroku]\nenv: A=1\ntarget: web\nbuild-args: [A=1]\nservice: web\nmanifest: a\n"} {
		if _, err := Parse(name, []byte(text), known); err != nil {
			t.Errorf("the reader refuses %s", err)
		}
		if err := schema.Validate(document(t, text)); err != nil {
			t.Errorf("%s: the schema refuses it: %v", name, err)
		}
	}
	for name, c := range mistakes {
		if c.invisible {
			continue
		}
		if err := schema.Validate(document(t, c.text)); err == nil {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}

func document(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	if m, ok := v.(map[string]any); ok && m["ignore"] != nil {
		v = days(m)
	}
	return v
}

// days turns the times that YAML makes of days back into the text that editors see.
func days(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = days(value)
		}
	case []any:
		for i, value := range v {
			v[i] = days(value)
		}
	case time.Time:
		return v.Format(time.DateOnly)
	}
	return v
}

func TestFind(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	inner := filepath.Join(root, "repo", "a", "b")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name string) {
		if err := os.WriteFile(name, []byte("port: 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	find := func(want string) {
		t.Helper()
		if got, err := Find(inner); err != nil || got != want {
			t.Errorf("found %q (%v), want %q", got, err, want)
		}
	}
	write(filepath.Join(root, Name))
	find(filepath.Join(root, Name))
	write(filepath.Join(root, "repo", ".git"))
	find("") // what is outside of the repository is not its config
	write(filepath.Join(root, "repo", Name))
	find(filepath.Join(root, "repo", Name))
	write(filepath.Join(inner, Name))
	find(filepath.Join(inner, Name))
	f, err := Read(filepath.Join(inner, Name), known)
	if err != nil || f.Dir != inner {
		t.Errorf("read %+v (%v)", f, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	for _, c := range mistakes {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Parse("c.yaml", []byte(text), known); err != nil && !strings.HasPrefix(err.Error(), "c.yaml") {
			t.Errorf("says %q without the file's name", err)
		}
	})
}
