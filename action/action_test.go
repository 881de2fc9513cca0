// Package action tests the GitHub Action by playing the runner: it reads
// action.yml, runs its steps as a runner does and reads what they say as
// GitHub's toolkit does.
package action

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

type action struct {
	Inputs  map[string]struct{ Default string }
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, Shell, Run string
			Env            map[string]string
		}
	}
}

// runner is one job on one machine.
type runner struct {
	t         *testing.T
	action    action
	workspace string
	temp      string
	inputs    map[string]string
	env       []string
	path      string                       // where the runner put the action
	steps     map[string]map[string]string // outputs
	log       strings.Builder
}

func newRunner(t *testing.T, inputs map[string]string, files map[string]string) *runner {
	t.Helper()
	for _, program := range []string{"bash", "curl", "tar", "sha256sum"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s", program)
		}
	}
	text, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{t: t, path: "..", workspace: t.TempDir(), temp: t.TempDir(), inputs: map[string]string{}, steps: map[string]map[string]string{}}
	if err := yaml.Unmarshal(text, &r.action); err != nil {
		t.Fatal(err)
	}
	for name, input := range r.action.Inputs {
		r.inputs[name] = strings.ReplaceAll(input.Default, "${{ github.token }}", "secret")
	}
	for name, value := range inputs {
		if _, ok := r.action.Inputs[name]; !ok {
			t.Fatalf("the action has no input %s", name)
		}
		r.inputs[name] = value
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(r.workspace, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	event := filepath.Join(r.temp, "event.json")
	if err := os.WriteFile(event, []byte(`{"pull_request":{"number":1,"head":{"sha":"c0ffee"}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	r.env = []string{
		"CI=true", "GITHUB_ACTIONS=true", "GITHUB_WORKSPACE=" + r.workspace, "RUNNER_TEMP=" + r.temp, "GITHUB_EVENT_PATH=" + event,
		"GITHUB_EVENT_NAME=pull_request", "GITHUB_REPOSITORY=a/b", "HOME=" + os.Getenv("HOME"), "DOCKER_HOST=" + os.Getenv("DOCKER_HOST"),
	}
	return r
}

var expression = regexp.MustCompile(`\$\{\{\s*([a-z_.-]+)\s*\}\}`)

// evaluate replaces the few expressions that action.yml uses.
func (r *runner) evaluate(text string) string {
	return expression.ReplaceAllStringFunc(text, func(match string) string {
		words := strings.Split(expression.FindStringSubmatch(match)[1], ".")
		switch {
		case words[0] == "inputs":
			if value, ok := r.inputs[words[1]]; ok {
				return value
			}
		case strings.Join(words, ".") == "github.action_path":
			path, err := filepath.Abs(r.path)
			if err != nil {
				r.t.Fatal(err)
			}
			return path
		case strings.Join(words, ".") == "github.action_ref":
			return "0123456789abcdef0123456789abcdef01234567"
		case words[0] == "steps" && words[2] == "outputs":
			return r.steps[words[1]][words[3]]
		}
		r.t.Fatalf("action.yml uses %s, which this runner does not know", match)
		return ""
	})
}

// run runs the steps until one fails and returns its exit status.
func (r *runner) run(env ...string) int {
	r.t.Helper()
	path := os.Getenv("PATH")
	for n, step := range r.action.Runs.Steps {
		files := map[string]string{}
		current := append(append([]string{}, r.env...), env...)
		for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_ENV", "GITHUB_STEP_SUMMARY"} {
			files[name] = filepath.Join(r.temp, fmt.Sprintf("%s-%d", name, n))
			current = append(current, name+"="+files[name])
			if err := os.WriteFile(files[name], nil, 0o644); err != nil {
				r.t.Fatal(err)
			}
		}
		for key, value := range step.Env {
			current = append(current, key+"="+r.evaluate(value))
		}
		script := filepath.Join(r.temp, fmt.Sprintf("step-%d.sh", n))
		if err := os.WriteFile(script, []byte(r.evaluate(step.Run)), 0o644); err != nil {
			r.t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
		cmd.Dir, cmd.Env = r.workspace, append(current, "PATH="+path)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		r.log.Write(out.Bytes())
		r.steps[step.ID] = outputs(r.t, read(r.t, files["GITHUB_OUTPUT"]))
		r.steps[step.ID]["summary"] = read(r.t, files["GITHUB_STEP_SUMMARY"])
		for _, dir := range strings.Fields(read(r.t, files["GITHUB_PATH"])) {
			path = dir + ":" + path
		}
		if err != nil {
			return cmd.ProcessState.ExitCode()
		}
	}
	return 0
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// output is what the action gives to the steps that follow.
func (r *runner) output(name string) string { return r.evaluate(r.action.Outputs[name].Value) }

// outputs reads NAME=VALUE and NAME<<END lines, as the runner's FileCommandManager.
func outputs(t *testing.T, text string) map[string]string {
	t.Helper()
	all := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		if name, end, ok := strings.Cut(lines[i], "<<"); ok {
			var value []string
			for i++; i < len(lines) && lines[i] != end; i++ {
				value = append(value, lines[i])
			}
			if i == len(lines) {
				t.Errorf("output %s has no end", name)
			}
			all[name] = strings.Join(value, "\n")
		} else if name, value, ok := strings.Cut(lines[i], "="); ok {
			all[name] = value
		} else if lines[i] != "" {
			t.Errorf("the runner cannot read output %q", lines[i])
		}
	}
	return all
}

type command struct {
	Name, Data string
	Properties map[string]string
}

var (
	data     = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%")
	property = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%")
)

// commands reads a log as the runner's ActionCommand.TryParseV2; ##[ is the
// form before that, which it still obeys anywhere in a line.
func commands(t *testing.T, log string) []command {
	t.Helper()
	var all []command
	for _, line := range strings.Split(log, "\n") {
		if strings.Contains(line, "##[") {
			t.Errorf("the runner takes this for a command: %q", line)
		}
		rest, ok := strings.CutPrefix(strings.TrimLeft(line, " \t"), "::")
		if !ok {
			continue
		}
		head, text, ok := strings.Cut(rest, "::")
		if !ok {
			t.Errorf("not a whole command: %q", line)
			continue
		}
		name, pairs, _ := strings.Cut(head, " ")
		c := command{Name: name, Data: data.Replace(text), Properties: map[string]string{}}
		for _, pair := range strings.Split(pairs, ",") {
			if key, value, ok := strings.Cut(pair, "="); ok {
				c.Properties[strings.TrimSpace(key)] = property.Replace(value)
			}
		}
		all = append(all, c)
	}
	return all
}

// built is the binary of a release.
func built(t *testing.T) []byte {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "imglint")
	build := exec.Command("go", "build", "-o", binary, "../cmd/imglint")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build imglint: %v\n%s", err, out)
	}
	return []byte(read(t, binary))
}

// release serves what a release holds.
func release(t *testing.T, body []byte, spoil func(archive []byte) []byte) string {
	t.Helper()
	var archive bytes.Buffer
	packed := gzip.NewWriter(&archive)
	w := tar.NewWriter(packed)
	if err := w.WriteHeader(&tar.Header{Name: "imglint", Mode: 0o755, Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("imglint_9.8.7_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH)
	sum := fmt.Sprintf("%x  other.tar.gz\n%x  %s\n", sha256.Sum256(nil), sha256.Sum256(archive.Bytes()), name)
	served := spoil(archive.Bytes())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/download/v9.8.7/checksums.txt":
			fmt.Fprint(w, sum)
		case "/download/v9.8.7/" + name:
			w.Write(served)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return "IMGLINT_RELEASES=" + server.URL
}

func intact(archive []byte) []byte { return archive }

const (
	bad  = "FROM scratch\nCOPY server /server\nCMD [\"/server\"]\n"
	good = "FROM scratch\nCOPY server /server\nEXPOSE 8000\nCMD [\"/server\"]\n"
)

func TestAction(t *testing.T) {
	if testing.Short() {
		t.Skip("builds imglint: not with -short")
	}
	releases := release(t, built(t), intact)
	for name, c := range map[string]struct {
		inputs   map[string]string
		files    map[string]string
		status   int
		verdict  string
		findings string
	}{
		"a failing Dockerfile": {
			map[string]string{"image": "Dockerfile\n", "sarif": "out.sarif"}, map[string]string{"Dockerfile": bad, "server": "x"}, 1, "fail", "1",
		},
		"a fine one, and flags": {
			map[string]string{"image": "Dockerfile", "args": `--env "A=b c" --path '/a b'`}, map[string]string{"Dockerfile": good, "server": "x"}, 0, "unknown", "0",
		},
		"the worst of two, and the config file": {
			nil, map[string]string{"good.Dockerfile": good, "bad.Dockerfile": bad, "server": "x", ".imglint.yaml": "images: [good.Dockerfile, bad.Dockerfile]\n"}, 1, "fail", "1",
		},
		"an input against the config file": {
			map[string]string{"image": "Dockerfile", "fail-on": "note", "platform": "heroku"}, map[string]string{"Dockerfile": good, "server": "x", ".imglint.yaml": "platform: fly\nfail-on: error\n"}, 0, "unknown", "0",
		},
		"an image that looks like a flag": {map[string]string{"image": "--help"}, nil, 3, "unknown", "0"},
		"wrong flags":                     {map[string]string{"image": "Dockerfile", "args": "--nonsense"}, map[string]string{"Dockerfile": good}, 2, "unknown", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.inputs == nil {
				c.inputs = map[string]string{}
			}
			c.inputs["version"] = "v9.8.7"
			r := newRunner(t, c.inputs, c.files)
			if err := os.MkdirAll(filepath.Join(r.workspace, ".git"), 0o755); err != nil {
				t.Fatal(err)
			}
			if status := r.run(releases); status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			got := []string{r.output("verdict"), r.output("findings"), r.output("sarif")}
			if diff := cmp.Diff([]string{c.verdict, c.findings, c.inputs["sarif"]}, got); diff != "" {
				t.Errorf("outputs (-want +got):\n%s", diff)
			}
			r.said(c.verdict == "fail")
			if t.Failed() {
				t.Log(r.log.String())
			}
		})
	}
}

// said checks the annotations, the page of the job and the SARIF file.
func (r *runner) said(failing bool) {
	r.t.Helper()
	var annotation *command
	depth := 0
	for _, c := range commands(r.t, r.log.String()) {
		switch c.Name {
		case "error":
			if c.Properties["line"] != "" {
				annotation = &c
			}
		case "group":
			depth++
		case "endgroup":
			depth--
		case "notice", "warning":
		default:
			r.t.Errorf("unknown command %+v", c)
		}
	}
	if depth != 0 {
		r.t.Errorf("%d groups are not ended", depth)
	}
	if !failing {
		return
	}
	if annotation == nil || !strings.HasSuffix(annotation.Properties["file"], "Dockerfile") || annotation.Properties["line"] != "3" {
		r.t.Errorf("annotation is %+v", annotation)
	}
	if summary := r.steps["check"]["summary"]; !strings.Contains(summary, "missing-expose") {
		r.t.Errorf("the page of the job is %q", summary)
	}
	if name := r.output("sarif"); name != "" {
		var sarif struct{ Version string }
		if err := json.Unmarshal([]byte(read(r.t, filepath.Join(r.workspace, name))), &sarif); err != nil || sarif.Version != "2.1.0" {
			r.t.Errorf("SARIF version %q: %v", sarif.Version, err)
		}
	}
}

const (
	fixable = "FROM scratch\nCOPY gunicorn /usr/bin/gunicorn\nEXPOSE 8000\nCMD [\"gunicorn\", \"app:app\"]\n"
	elf     = "\x7fELF"
)

// pullRequest is a pull request at GitHub's API, whose Dockerfile is fixable.
type pullRequest struct {
	reviews  []map[string]any
	comments []map[string]string
	readOnly bool // as for a fork
}

func (p *pullRequest) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s %s without the token", r.Method, r.URL)
		}
		var answer any
		switch r.Method + " " + r.URL.Path {
		case "GET /repos/a/b/pulls/1/files":
			answer = []map[string]string{{"filename": "Dockerfile", "patch": "@@ -0,0 +1,4 @@\n+" + strings.ReplaceAll(strings.TrimSuffix(fixable, "\n"), "\n", "\n+")}}
		case "GET /repos/a/b/pulls/1/comments":
			answer = append([]map[string]string{}, p.comments...)
		case "POST /repos/a/b/pulls/1/reviews":
			if p.readOnly {
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprint(w, `{"message":"Resource not accessible by integration"}`)
				return
			}
			var review map[string]any
			if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
				t.Error(err)
			}
			p.reviews, answer = append(p.reviews, review), map[string]int{"id": 1}
		default:
			http.NotFound(w, r)
			return
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return "GITHUB_API_URL=" + server.URL
}

// TestReview plays the job of a pull request three times: with the right to
// comment, again, and without the right.
func TestReview(t *testing.T) {
	if testing.Short() {
		t.Skip("builds imglint: not with -short")
	}
	releases := release(t, built(t), intact)
	p := &pullRequest{}
	api := p.serve(t)
	inputs := map[string]string{"image": "Dockerfile", "version": "v9.8.7", "review": "true"}
	files := map[string]string{"Dockerfile": fixable, "gunicorn": elf}
	play := func(env ...string) string {
		r := newRunner(t, inputs, files)
		if status := r.run(append(env, releases, api)...); status != 1 || r.output("verdict") != "fail" {
			t.Errorf("exit status %d, verdict %s\n%s", status, r.output("verdict"), r.log.String())
		}
		r.said(false)
		return r.log.String()
	}
	play()
	if len(p.reviews) != 1 {
		t.Fatalf("%d reviews", len(p.reviews))
	}
	comments, _ := p.reviews[0]["comments"].([]any)
	comment, _ := comments[0].(map[string]any)
	body, _ := comment["body"].(string)
	if p.reviews[0]["commit_id"] != "c0ffee" || comment["path"] != "Dockerfile" || comment["line"] != 4.0 ||
		!strings.Contains(body, "```suggestion\nCMD [\"gunicorn\", \"--bind\", \"0.0.0.0:8000\", \"app:app\"]\n```") {
		t.Errorf("the review is %v", p.reviews[0])
	}
	p.comments = []map[string]string{{"body": body}}
	if play(); len(p.reviews) != 1 {
		t.Error("says the same again")
	}
	p.comments, p.readOnly = nil, true
	if log := play(); !strings.Contains(log, "::warning title=imglint::the fixes are not on the pull request") || strings.Contains(log, "secret") {
		t.Errorf("without the right it says %s", log)
	}
	inputs["review"] = "false"
	if log := play("GITHUB_API_URL=http://127.0.0.1:1"); strings.Contains(log, "::warning") {
		t.Errorf("unasked it says %s", log)
	}
}

func TestInstall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inputs map[string]string
		spoil  func([]byte) []byte
		says   string
	}{
		"changed archive":   {map[string]string{"version": "v9.8.7"}, func(b []byte) []byte { return append(b[:len(b):len(b)], 0) }, "the checksum of imglint_9.8.7_"},
		"no such release":   {map[string]string{"version": "v0.0.1"}, intact, "cannot download checksums.txt of v0.0.1"},
		"no release's name": {map[string]string{"version": "$(id)"}, intact, "name a release such as v1.2.3, or source"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t, c.inputs, nil)
			if status := r.run(release(t, []byte("#!/bin/sh\n"), c.spoil)); status == 0 {
				t.Error("passed")
			}
			all := commands(t, r.log.String())
			if len(all) == 0 || !strings.Contains(all[len(all)-1].Data, c.says) {
				t.Errorf("said %q, want %q in it", r.log.String(), c.says)
			}
		})
	}
}

// TestPinned: of an action that is pinned to a release's commit, action/version
// tells which release to run.
func TestPinned(t *testing.T) {
	t.Parallel()
	version := strings.TrimSpace(read(t, "version"))
	if !regexp.MustCompile(`^(source|v\d+\.\d+\.\d+)$`).MatchString(version) {
		t.Errorf("action/version is %q", version)
	}
	r := newRunner(t, nil, nil)
	r.path = t.TempDir()
	if err := os.Mkdir(filepath.Join(r.path, "action"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"version": "v9.8.7\n", "install": read(t, "install")} {
		if err := os.WriteFile(filepath.Join(r.path, "action", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := "#!/bin/sh\necho the release, called with $1\n"
	if status := r.run(release(t, []byte(program), intact)); status != 0 || !strings.Contains(r.log.String(), "the release, called with version") || !strings.Contains(r.log.String(), "the release, called with action") {
		t.Errorf("exit status %d, said %s", status, r.log.String())
	}
}

// TestFromSource builds the checkout that the action came in, as a ref that is
// no release does.
func TestFromSource(t *testing.T) {
	if testing.Short() {
		t.Skip("builds imglint: not with -short")
	}
	r := newRunner(t, map[string]string{"image": "Dockerfile"}, map[string]string{"Dockerfile": bad, "server": "x"})
	r.env = append(r.env, "GOFLAGS="+os.Getenv("GOFLAGS"), "GOPROXY="+os.Getenv("GOPROXY"))
	if status := r.run(); status != 1 || r.output("verdict") != "fail" {
		t.Errorf("exit status %d, verdict %q\n%s", status, r.output("verdict"), r.log.String())
	}
	r.said(true)
}
