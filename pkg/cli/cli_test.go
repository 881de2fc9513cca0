package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/rules"
)

// call runs imglint in this process.
func call(t *testing.T, env map[string]string, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = Main(args, IO{
		In: strings.NewReader(""), Out: &o, Err: &e,
		Width:  func() int { return 80 },
		Getenv: func(key string) string { return env[key] },
	})
	return status, o.String(), e.String()
}

// noEngine is an address where nothing answers.
const noEngine = "unix:///nonexistent/imglint-test.sock"

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	badEnv, longEnv := filepath.Join(dir, "env"), filepath.Join(dir, "long")
	for name, text := range map[string]string{badEnv: "# fine\nA=1\nnot a pair=\n", longEnv: "A=1\nB=" + strings.Repeat("x", 200_000)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no image":         {nil, "imglint: name an image, for example: imglint myapp:latest (see imglint --help)\n"},
		"unknown flag":     {[]string{"--platfrom", "x", "app"}, "imglint: unknown flag: --platfrom; see imglint --help (did you mean --platform?)\n"},
		"unknown platform": {[]string{"--platform", "aptibel", "app"}, `did you mean aptible?`},
		"one of platforms": {[]string{"--platform", "heroku,flyy", "app"}, "did you mean fly?"},
		"platforms too":    {[]string{"platforms", "heroku", "fly"}, "imglint: platforms takes one name, for example: imglint platforms heroku\n"},
		"platforms wrong":  {[]string{"platforms", "herku"}, "did you mean heroku?"},
		"manifest missing": {[]string{"--manifest", filepath.Join(dir, "nope"), "app"}, "imglint: --manifest: open "},
		"manifest of none": {[]string{"--manifest", badEnv, "app"}, "no workload"},
		"manifest and all": {[]string{"--manifest", badEnv, "--platform", "all", "app"}, "imglint: --manifest says which platform it is for; leave out --platform all\n"},
		"port":             {[]string{"--port", "70000", "app"}, "imglint: --port 70000: not a port, use 1 to 65535\n"},
		"port word":        {[]string{"--port", "http", "app"}, `invalid argument "http" for "--port"`},
		"path":             {[]string{"--path", "health", "app"}, `imglint: --path "health": a path starts with /` + "\n"},
		"format":           {[]string{"--format", "yaml", "app"}, `imglint: --format "yaml": use text, json, jsonl, github, sarif, junit, gitlab, markdown, review or html` + "\n"},
		"format file":      {[]string{"--format", "sarif=", "app"}, `imglint: --format "sarif=": name a file after the =` + "\n"},
		"format folder":    {[]string{"--format", "sarif=/nonexistent/x", "app"}, "no such file or directory"},
		"formats one out":  {[]string{"--format", "text", "--format", "json", "app"}, "imglint: --format json: two formats for standard output\n"},
		"formats one file": {[]string{"--format", "html=" + badEnv, "--format", "json=" + badEnv, "app"}, "two formats for " + badEnv},
		"formats output":   {[]string{"--format", "text", "--format", "json", "-o", "x", "app"}, "imglint: --output: with several formats, name each one's file: --format text=x\n"},
		"images-from":      {[]string{"--images-from", filepath.Join(dir, "nope")}, "no such file or directory"},
		"images-from none": {[]string{"--images-from", "-"}, "imglint: --images-from -: names no image\n"},
		"fail-on":          {[]string{"--fail-on", "fatal", "app"}, `imglint: --fail-on: unknown severity "fatal": use error, warning or note` + "\n"},
		"ignore":           {[]string{"--ignore", "loopback", "app"}, `imglint: --ignore: there is no rule "loopback"; imglint rules lists them` + "\n"},
		"ignore near":      {[]string{"--ignore", "loopback-bin", "app"}, `imglint: --ignore: there is no rule "loopback-bin", did you mean loopback-bind?` + "\n"},
		"memory":           {[]string{"--memory", "lots", "app"}, `imglint: --memory "lots": use a size of at least 6m, such as 512m or 2g` + "\n"},
		"arch":             {[]string{"--arch", "x86", "app"}, `imglint: --arch "x86": use one of 386, amd64,`},
		"layer bytes":      {[]string{"--max-layer-bytes", "1k", "app"}, "at least 1m"},
		"memory small":     {[]string{"--memory", "1k", "app"}, "at least 6m"},
		"cpus":             {[]string{"--cpus", "-1", "app"}, "imglint: --cpus -1: must not be negative\n"},
		"window":           {[]string{"--boot-window", "-1s", "app"}, "must not be negative"},
		"window word":      {[]string{"--boot-window", "soon", "app"}, `invalid argument "soon" for "--boot-window"`},
		"env":              {[]string{"-e", "=x", "app"}, `imglint: --env "=x": not KEY=VALUE` + "\n"},
		"env file line":    {[]string{"--env-file", badEnv, "app"}, "env:3: not KEY=VALUE"},
		"env file long":    {[]string{"--env-file", longEnv, "app"}, "long:2: the line is longer than the 128 KiB that a variable can have"},
		"env file missing": {[]string{"--env-file", filepath.Join(dir, "nope"), "app"}, "no such file or directory"},
		"dockerfile":       {[]string{"--dockerfile", filepath.Join(dir, "nope"), "app"}, "imglint: --dockerfile: open "},
		"a directory":      {[]string{dir}, "holds neither a Dockerfile nor an image"},
		"host":             {[]string{"--host", "nonsense", "app"}, "nonsense"},
		"explain nothing":  {[]string{"explain"}, "imglint: explain takes one rule, for example: imglint explain loopback-bind\n"},
		"explain unknown":  {[]string{"explain", "loopbck-bind"}, `imglint: there is no rule "loopbck-bind", did you mean loopback-bind?` + "\n"},
		"rules argument":   {[]string{"rules", "x"}, "imglint: rules takes no arguments\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, out, errs := call(t, nil, c.args...)
			if status != ExitUsage {
				t.Errorf("exit status %d, want %d", status, ExitUsage)
			}
			if out != "" {
				t.Errorf("printed to standard output: %q", out)
			}
			if !strings.Contains(errs, c.want) {
				t.Errorf("said %q, want %q in it", errs, c.want)
			}
			if strings.Count(errs, "\n") != 1 {
				t.Errorf("said more than one line: %q", errs)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"rules":     {[]string{"rules"}, "loopback-bind             error    listens on the loopback address only\n"},
		"explain":   {[]string{"explain", "loopback-bind"}, "# loopback-bind\n"},
		"version":   {[]string{"version"}, " rules, "},
		"platforms": {[]string{"platforms"}, "aptible "},
		"contract":  {[]string{"platforms", "kamal"}, "  path                /up  [source: proxy]\n"},
		"no claim":  {[]string{"platforms", "heroku"}, "  architectures            not documented\n"},
		"help":      {[]string{"--help"}, "Exit status:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, out, errs := call(t, nil, c.args...)
			if status != ExitClean || errs != "" {
				t.Errorf("exit status %d, said %q", status, errs)
			}
			if !strings.Contains(out, c.want) {
				t.Errorf("printed %q, want %q in it", out, c.want)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	_, out, _ := call(t, nil, "version", "--output", "json")
	var got buildInfo
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got.Rules != len(rules.All) || got.Platforms < 20 || got.System != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("the version is %+v", got)
	}
	b := buildInfo{Version: "1.2.3", System: "linux/amd64", Go: "go1", Commit: "c0ffee", Time: "2030-01-01T00:00:00Z", Modified: true, Probes: []string{"linux/amd64", "linux/arm64"}, Rules: 2, Platforms: 3}
	want := "imglint 1.2.3 linux/amd64 go1\ncommit  c0ffee 2030-01-01T00:00:00Z, changed since\nprobes  linux/amd64, linux/arm64\nknows   2 rules, 3 platforms\n"
	if diff := cmp.Diff(want, b.text()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if status, _, errs := call(t, nil, "version", "-o", "xml"); status != ExitUsage || !strings.Contains(errs, "use text or json") {
		t.Errorf("exit status %d, said %q", status, errs)
	}
}

// TestHelp keeps docs/help.txt, which the README quotes, equal to the code.
func TestHelp(t *testing.T) {
	t.Parallel()
	_, out, _ := call(t, nil, "--help")
	name := filepath.Join("..", "..", "docs", "help.txt")
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(name, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out); diff != "" {
		t.Errorf("docs/help.txt differs from the code, run UPDATE_DOCS=1 go test ./pkg/cli -run TestHelp (-file +code):\n%s", diff)
	}
}

func TestNoEngine(t *testing.T) {
	t.Parallel()
	status, _, errs := call(t, nil, "--host", noEngine, "127.0.0.1:1/nothing/here:1")
	if status != ExitUnable {
		t.Errorf("exit status %d, want %d", status, ExitUnable)
	}
	if !strings.Contains(errs, "no container engine answers at "+noEngine) {
		t.Errorf("said %q", errs)
	}
}

func TestVariable(t *testing.T) {
	t.Parallel()
	getenv := func(key string) string { return map[string]string{"SET": "value"}[key] }
	for text, want := range map[string][]string{
		"A=b": {"A=b"}, "A=": {"A="}, "A=b=c": {"A=b=c"}, "SET": {"SET=value"}, "UNSET": nil,
	} {
		got, err := variable(text, getenv)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	words := []string{"platform", "port", "path", "format"}
	for word, want := range map[string]string{"platfrom": "platform", "prot": "port", "formta": "format", "xyzzy": "", "": ""} {
		if got := nearest(word, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestVolumeOrVerbose(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-v app":           "--verbose app",
		"app -v":           "app --verbose",
		"-v /a:/b app":     "-v /a:/b app",
		"-v data:/b:ro x":  "-v data:/b:ro x",
		"-v -q app":        "--verbose -q app",
		"-v reg:5000/a:1":  "--verbose reg:5000/a:1",
		"--volume /a:/b x": "--volume /a:/b x",
	} {
		if got := strings.Join(volumeOrVerbose(strings.Fields(args)), " "); got != want {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
	}
}
