package lint

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/launch/sealed"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/rules"
)

// Real launch commands and scripts in fixtures/launches, whose README explains
// the fields, each with what a person who knows the program says about it.

// launchCase is one launch and the truth about it.
type launchCase struct {
	Name       string
	From       string // where it was seen
	Base       string
	Dir        string
	User       string
	Env        []string
	Entrypoint *commandLine
	Cmd        commandLine
	Expose     *[]int
	Files      map[string]string
	Has        []string
	Listens    string
	Stays      string
	Says       []string
	May        []string

	group string
}

// commandLine is a list of words, or a text for the shell.
type commandLine []string

// UnmarshalYAML reads both forms.
func (c *commandLine) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*c = commandLine{"/bin/sh", "-c", node.Value}
		return nil
	}
	return node.Decode((*[]string)(c))
}

func launchCases(t testing.TB) []launchCase {
	t.Helper()
	names, err := filepath.Glob("../../fixtures/launches/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no launches: %v", err)
	}
	var all []launchCase
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close() //nolint:errcheck // nothing was written
		decoder := yaml.NewDecoder(file)
		decoder.KnownFields(true)
		var cases []launchCase
		if err := decoder.Decode(&cases); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range cases {
			cases[i].group = strings.TrimSuffix(filepath.Base(name), ".yaml")
		}
		all = append(all, cases...)
	}
	return all
}

// base is what an image brings that the cases build on.
type base struct {
	config facts.Config
	shell  string
	files  fstest.MapFS
}

const elfStart = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00"

func readBase(t testing.TB, name string) base {
	t.Helper()
	archive, err := txtar.ParseFile("../../fixtures/launches/bases/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	b := base{shell: "dash", files: fstest.MapFS{}}
	for line := range strings.Lines(string(archive.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "entrypoint":
			b.config.Entrypoint = strings.Fields(value)
		case "env":
			b.config.Env = strings.Fields(value)
		case "dir":
			b.config.WorkingDir = value
		case "sh":
			b.shell = value
		}
	}
	if b.shell != "none" {
		b.furnish(t)
	}
	for _, f := range archive.Files {
		b.add(f.Name, string(f.Data))
	}
	return b
}

// furnish adds a shell, users and the programs that are expected everywhere.
func (b base) furnish(t testing.TB) {
	t.Helper()
	programs, err := os.ReadFile("../../fixtures/launches/bases/programs.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(programs)) {
		b.add("usr/local/bin/"+name, "#!ELF")
	}
	for _, name := range []string{"bin/" + b.shell, "bin/bash", "usr/bin/env", "bin/cat", "usr/bin/find", "usr/sbin/nginx", "usr/sbin/apache2ctl"} {
		b.add(name, "#!ELF")
	}
	b.files["bin/sh"] = &fstest.MapFile{Data: []byte(b.shell), Mode: fs.ModeSymlink | 0o777}
	var passwd, group strings.Builder
	for i, user := range []string{"root", "app", "node", "bun", "deno", "nginx", "www-data", "redis", "mysql", "postgres", "mongodb", "rabbitmq", "memcache", "nobody", "nextjs", "rails", "static", "sail", "user"} {
		fmt.Fprintf(&passwd, "%s:x:%d:%d::/home/%s:/bin/sh\n", user, i, i, user)
		fmt.Fprintf(&group, "%s:x:%d:\n", user, i)
	}
	b.add("etc/passwd", passwd.String())
	b.add("etc/group", group.String())
}

// add puts a file there; what starts with #! is executable.
func (b base) add(name, text string) {
	mode := fs.FileMode(0o644)
	if strings.HasPrefix(text, "#!") || strings.HasPrefix(text, "#! ") {
		mode = 0o755
	}
	if strings.HasPrefix(text, "#!ELF") {
		text = elfStart
	}
	b.files[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(text), Mode: mode}
}

// image is the case's image.
func (c launchCase) image(t testing.TB) (facts.Image, fs.FS) {
	t.Helper()
	name := c.Base
	if name == "" {
		name = "debian"
	}
	b := readBase(t, name)
	for _, name := range c.Has {
		b.add(name, "#!ELF")
	}
	for name, text := range c.Files {
		b.add(name, text)
	}
	config := b.config
	config.Env = append(config.Env, c.Env...)
	config.Cmd, config.User = c.Cmd, c.User
	if c.Dir != "" {
		config.WorkingDir = c.Dir
	}
	if c.Entrypoint != nil {
		config.Entrypoint = *c.Entrypoint
	}
	for _, port := range c.exposed() {
		config.Exposed = append(config.Exposed, facts.Port{Number: port, Protocol: "tcp"})
	}
	return facts.Image{Ref: c.Name, Source: "engine", OS: "linux", Architecture: "amd64", Config: config}, b.files
}

// exposed is what the case says, else the first port that others can reach.
func (c launchCase) exposed() []int {
	if c.Expose != nil {
		return *c.Expose
	}
	for word := range strings.FieldsSeq(c.Listens) {
		if port, err := strconv.Atoi(strings.TrimPrefix(word, "any:")); err == nil {
			return []int{port}
		}
	}
	return nil
}

// good: the platform's health check passes.
func (c launchCase) good() bool {
	ports := c.exposed()
	return c.stays() == "yes" && len(ports) > 0 && slices.Contains(strings.Fields(c.Listens), fmt.Sprintf("any:%d", slices.Min(ports)))
}

func (c launchCase) stays() string {
	if c.Stays == "" {
		return "yes"
	}
	return c.Stays
}

// claims is what imglint says about a launch, in the words of the cases.
type claims struct{ listens, stays string }

func claimed(f *facts.Facts) claims {
	p, l := f.Prediction, f.Launch
	c := claims{listens: "?", stays: "?"}
	switch {
	case l.Known != facts.Yes:
		return c
	case l.Ends != "" || l.Limit != "" || p.Ends != "" || p.Interactive != "" || p.Daemonizes == facts.Yes:
		c.stays = "ends"
	case p.Daemonizes == facts.No:
		c.stays = "yes"
	}
	if !p.Complete {
		return c
	}
	words := map[string]bool{}
	for _, listen := range p.Listens {
		switch {
		case listen.Network == "unix":
			words["unix"] = true
		case listen.Network == "tcp" && (listen.Port != 0 || listen.Scope != facts.ScopeLoopback): // uwsgi talks to its workers on a random port
			words[fmt.Sprintf("%s:%d", map[facts.Scope]string{facts.ScopeAny: "any", facts.ScopeAny6: "any6", facts.ScopeLoopback: "lo"}[listen.Scope], listen.Port)] = true
		}
	}
	maps.DeleteFunc(words, func(word string, _ bool) bool { // one that IPv4 reaches is there as well
		port, six := strings.CutPrefix(word, "any6:")
		return six && words["any:"+port]
	})
	c.listens = strings.Join(slices.Sorted(maps.Keys(words)), " ")
	if c.listens == "" {
		c.listens = "none"
	}
	return c
}

// agrees compares the listeners with the truth, which may leave some open.
func (c launchCase) agrees(listens string) bool {
	want, got := strings.Fields(c.Listens), strings.Fields(listens)
	open := slices.Contains(want, "...")
	for _, word := range want {
		if word != "..." && !slices.Contains(got, word) {
			return false
		}
	}
	return open || len(got) == len(want)
}

// tally counts the answers to one question.
type tally struct{ decidable, right, wrong, silent, guessed int }

func (n *tally) count(truth string, claim string, agrees bool) {
	switch {
	case truth == "fails": // there is nothing to say about what it would do
	case truth == "?" && claim != "?":
		n.guessed++
	case truth == "?":
	case claim == "?":
		n.decidable++
		n.silent++
	case agrees:
		n.decidable++
		n.right++
	default:
		n.decidable++
		n.wrong++
	}
}

func (n tally) String() string {
	return fmt.Sprintf("%d decidable, %d right, %d wrong, %d not known; %d claims where nobody can tell: precision %.2f%%, coverage %.1f%%",
		n.decidable, n.right, n.wrong, n.silent, n.guessed, 100*n.precision(), 100*n.coverage())
}

func (n tally) precision() float64 { return float64(n.right) / float64(n.right+n.wrong+n.guessed) }

func (n tally) coverage() float64 { return float64(n.right) / float64(n.decidable) }

// TestLaunches holds what imglint says about launches against the truth:
// nothing wrong where it claims to know, and known where a person can tell.
func TestLaunches(t *testing.T) {
	t.Parallel()
	p, err := platform.Load("aptible")
	if err != nil {
		t.Fatal(err)
	}
	var listens, stays tally
	cases := launchCases(t)
	for _, c := range cases {
		image, files := c.image(t)
		o := Options{Rules: rules.All, Signs: rules.Signs{}, Platform: p, Static: true, Interpreter: sealed.Here{}}
		f := collect(image, files, o)
		got := claimed(f)
		truth := c.stays()
		if truth == "background" {
			truth = "ends"
		}
		stays.count(truth, got.stays, truth == got.stays)
		why := f.Launch.Why + " | " + f.Launch.Ends + " | " + f.Prediction.Why + " | " + f.Prediction.Ends
		if got.stays != truth {
			t.Logf("%s/%s: stays %s, and imglint says %s (%s)", c.group, c.Name, truth, got.stays, why)
		}
		if truth != "ends" {
			listens.count(c.Listens, got.listens, c.agrees(got.listens))
			if !c.agrees(got.listens) && (got.listens != "?" || c.Listens != "?") {
				t.Logf("%s/%s: listens on %s, and imglint says %s (%s)", c.group, c.Name, c.Listens, got.listens, why)
			}
		}
		c.compareFindings(t, judged(o, f, true).Findings)
	}
	t.Logf("%d launches\naddresses: %s\nstays: %s", len(cases), listens, stays)
	for what, n := range map[string]tally{"addresses": listens, "stays": stays} {
		if n.precision() < 0.99 {
			t.Errorf("%s: too much is wrong: %s", what, n)
		}
		if n.coverage() < 0.90 {
			t.Errorf("%s: too little is known: %s", what, n)
		}
	}
}

// compareFindings: what passes is not spoken about, but for what the case says.
func (c launchCase) compareFindings(t *testing.T, findings []finding.Finding) {
	t.Helper()
	if !c.good() && c.Says == nil {
		return
	}
	var got []string
	for _, f := range findings {
		if f.Severity >= finding.Warning && !slices.Contains(c.May, f.Rule) {
			got = append(got, f.Rule)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, slices.Sorted(slices.Values(c.Says))) {
		t.Errorf("%s/%s: findings %v, want %v", c.group, c.Name, got, c.Says)
	}
}
