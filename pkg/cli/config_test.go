package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/config"
)

// within runs imglint as a process in a folder, with nothing of this process's
// own configuration.
func within(t *testing.T, dir string, env []string, args ...string) (status int, out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append([]string{asImglint + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "DOCKER_HOST=" + os.Getenv("DOCKER_HOST")}, env...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// folder makes a folder with files; it is a repository of its own, so that no
// config file above it holds.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		config.Name: "platform: heroku\nfail-on: note\nenv: {A: secret}\nlimits: {memory: 300m}\nboot-window: 9s\n" +
			"images:\n  - image: app\n    port: 8080\n    dockerfile: sub/Dockerfile\n    args: [web]\n" +
			"ignore:\n  - {rule: missing-expose, reason: on purpose, until: 2001-01-31}\n  - {rule: loopback-bind, reason: sidecar}\n",
		"sub/Dockerfile": "FROM scratch\n",
	})
	env := []string{"IMGLINT_FAIL_ON=warning", "IMGLINT_MEMORY=400m", "IMGLINT_ENV=B=1\nC=2"}
	status, out, errs := within(t, filepath.Join(dir, "sub"), env, "config", "--memory", "500m", "-e", "D=1", "-v")
	if status != ExitClean || errs != "" {
		t.Fatalf("exit status %d, said %q", status, errs)
	}
	if strings.Contains(out, "secret") {
		t.Error("prints the value of a variable")
	}
	got := map[string]string{}
	for _, line := range strings.Split(out, "\n") {
		if fields := strings.Fields(line); len(fields) > 1 {
			got[fields[0]] = strings.Join(fields[1:], " ")
		}
	}
	for name, want := range map[string]string{
		"platform":    "heroku ../.imglint.yaml:1",
		"fail-on":     "warning IMGLINT_FAIL_ON (goes before ../.imglint.yaml:2 note)",
		"memory":      "500m --memory (goes before IMGLINT_MEMORY 400m, ../.imglint.yaml:4 300m)",
		"boot-window": "9s ../.imglint.yaml:5",
		"env":         "A B C D ../.imglint.yaml:3 + IMGLINT_ENV + --env",
		"verbose":     "true --verbose",
		"user":        "- default",
		"port":        "8080 ../.imglint.yaml:8",
		"dockerfile":  "Dockerfile ../.imglint.yaml:9",
		"args":        "web ../.imglint.yaml",
		"image":       "app ../.imglint.yaml:7",
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, want := range []string{"ignore missing-expose ended on 2001-01-31", "ignore loopback-bind"} {
		if !strings.Contains(out, want) {
			t.Errorf("does not say %q:\n%s", want, out)
		}
	}
}

// TestEnvironmentPrecedence asks which value of a variable reaches the image:
// a more particular place wins, whether it says --env or --env-file.
func TestEnvironmentPrecedence(t *testing.T) {
	dir := folder(t, map[string]string{
		config.Name: "env: {FILE: config, VARIABLE: config, IMAGE: config, FLAG: config, TOP: config}\nenv-file: top.env\n" +
			"images:\n  - {image: app, env: {IMAGE: image}, env-file: image.env}\n",
		"top.env": "TOP=file\nOTHER=top\n", "image.env": "OTHER=image\nIMAGE=file\n", "typed.env": "FILE=typed\nFLAG=file\n",
	})
	t.Chdir(dir)
	set := newRoot(IO{}).Flags()
	if err := set.Parse([]string{"--env", "FLAG=typed", "--env-file", "typed.env"}); err != nil {
		t.Fatal(err)
	}
	s, err := settle(set, IO{Getenv: func(name string) string { return map[string]string{"IMGLINT_ENV": "VARIABLE=mine"}[name] }})
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.options("app", s.file.Image("app"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, pair := range o.Env {
		key, value, _ := strings.Cut(pair, "=")
		got[key] = value
	}
	want := map[string]string{"FILE": "typed", "VARIABLE": "mine", "IMAGE": "image", "FLAG": "typed", "TOP": "config", "OTHER": "image"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestImageOwnBuild checks two stages of one Dockerfile under two names, as the
// hook does when neither is built.
func TestImageOwnBuild(t *testing.T) {
	t.Parallel()
	file := &config.File{Dir: ".", Images: []config.Image{
		{Name: "web", Settings: config.Settings{"target": {Values: []string{"web"}}, "build-arg": {Values: []string{"A=1", "B"}}}},
		{Name: "worker", Settings: config.Settings{"target": {Values: []string{"worker"}}}},
	}}
	s := &settings{typed: newRoot(IO{}).Flags(), file: file, getenv: func(name string) string { return map[string]string{"B": "2"}[name] }}
	s.standIn("Dockerfile", "web")
	s.standIn("Dockerfile", "worker")
	all, err := s.each([]string{"Dockerfile", "Dockerfile", "Dockerfile"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range all {
		got = append(got, fmt.Sprint(o.build.Target, o.build.Args))
	}
	if diff := cmp.Diff([]string{"webmap[A:1 B:2]", "workermap[]", "map[]"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file string
		env  []string
		args []string
		want string
	}{
		"unknown key":     {"prot: 1\n", nil, nil, `imglint: .imglint.yaml:1: unknown key "prot", did you mean port?`},
		"missing file":    {"", nil, []string{"--config", "nope.yaml"}, "nope.yaml: no such file"},
		"missing by env":  {"", []string{"IMGLINT_CONFIG=nope.yaml"}, nil, "nope.yaml: no such file"},
		"variable":        {"", []string{"IMGLINT_PORT=http"}, nil, `IMGLINT_PORT: invalid argument "http"`},
		"env of an image": {"images:\n  - {image: app, env: [\"=1\"]}\n", nil, nil, `--env "=1": not KEY=VALUE`},
		"platform":        {"platform: herku\n", nil, nil, "did you mean heroku?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, map[string]string{config.Name: c.file})
			status, out, errs := within(t, dir, c.env, append(c.args, "app")...)
			if status != ExitUsage || out != "" || !strings.Contains(errs, c.want) {
				t.Errorf("exit status %d, printed %q, said %q, want %q in it", status, out, errs, c.want)
			}
		})
	}
}

func TestInit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"nothing": {map[string]string{"README": ""}, []string{"platform: aptible\n", "dockerfile: Dockerfile\n"}},
		"one": {
			map[string]string{"Dockerfile": "FROM a\nEXPOSE 8000/tcp 53/udp\n", "fly.toml": "", ".env.example": "# x\nexport A=secret\nB=\n"},
			[]string{"platform: fly   # because of fly.toml\n", "# port: 8000   # EXPOSE says so\n", "    #   A: \n    #   B: \n"},
		},
		"many": {
			map[string]string{"web app/Dockerfile": "FROM a\n", "worker.Dockerfile": "FROM a\nEXPOSE 80 443 $PORT\n", "node_modules/x/Dockerfile": "", ".git/Dockerfile": "", "Dockerfile.dockerignore": ""},
			[]string{"-web-app\n    dockerfile: \"web app/Dockerfile\"\n", "-worker\n    dockerfile: worker.Dockerfile\n", "# EXPOSE has several: 80 443\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, c.files)
			if status, _, errs := within(t, dir, nil, "init"); status != ExitClean {
				t.Fatalf("init: exit status %d, said %q", status, errs)
			}
			text, err := os.ReadFile(filepath.Join(dir, config.Name))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(text), want) {
					t.Errorf("has no %q:\n%s", want, text)
				}
			}
			if strings.Contains(string(text), "secret") || strings.Contains(string(text), "node_modules") {
				t.Errorf("has what it should not:\n%s", text)
			}
			if status, _, errs := within(t, dir, nil, "config"); status != ExitClean {
				t.Errorf("cannot read its own file: %s", errs)
			}
			if status, _, errs := within(t, dir, nil, "init"); status != ExitUsage || !strings.Contains(errs, "exists already") {
				t.Errorf("a second init: exit status %d, said %q", status, errs)
			}
			// What stands in comments has to be right too once it is used.
			uncommented := strings.NewReplacer("\n# ", "\n", "\n    # ", "\n    ").Replace(string(text))
			uncommented = uncommented[strings.Index(uncommented, "\nplatform:"):]
			var kept []string
			for _, line := range strings.Split(uncommented, "\n") {
				if !strings.Contains(line, "those that it needs to start:") && !strings.HasPrefix(line, "The ") && !strings.HasPrefix(line, "Findings ") && !strings.HasPrefix(line, "When ") {
					kept = append(kept, line)
				}
			}
			if _, err := config.Parse("c", []byte(strings.Join(kept, "\n")), knownNames()); err != nil {
				t.Errorf("its comments are wrong: %v\n%s", err, strings.Join(kept, "\n"))
			}
		})
	}
}

// TestConfigOnImages lints one image under different configs.
func TestConfigOnImages(t *testing.T) {
	dockerfile := "FROM " + base + "\nLABEL dev.imglint.ignore=\"no-command for nothing\"\n" +
		"# imglint ignore=missing-expose the port is set elsewhere\nCMD [\"httpd\", \"-f\", \"-p\", \"8000\"]\n"
	_, text, _ := strings.Cut(dockerfile, "\n")
	ref := build(t, "config", strings.Split(strings.TrimSpace(text), "\n")...)
	for name, c := range map[string]struct {
		dockerfile, config string
		args               []string
		status             int
		says, not          []string
	}{
		"nothing": {
			"", "", []string{ref}, ExitFindings,
			[]string{"[missing-expose]", "ignore no-command is not needed"}, nil,
		},
		"ignored above the instruction": {
			dockerfile, "", []string{ref}, ExitClean,
			nil, []string{"[missing-expose]", "missing-expose is not needed"},
		},
		"ignored in the config, image named there": {
			"", "image: " + ref + "\nignore:\n  - {rule: missing-expose, reason: x}\n  - {rule: empty, reason: x}\n", nil, ExitUsage,
			[]string{`unknown rule "empty"`}, nil,
		},
		"ignored in the config": {
			"", "image: " + ref + "\nignore:\n  - {rule: missing-expose, reason: x}\n  - {rule: no-command, reason: x}\n  - {rule: not-http, reason: only a run can tell}\n", nil, ExitClean,
			[]string{".imglint.yaml:4: ignore no-command is not needed"}, []string{"[missing-expose]", "not-http"},
		},
		"expired": {
			"", "ignore:\n  - {rule: missing-expose, reason: x, until: 2001-01-01}\n", []string{ref}, ExitFindings,
			[]string{"[missing-expose]", "ignore missing-expose ended on 2001-01-01"}, nil,
		},
		"for another image": {
			"", "ignore:\n  - {rule: missing-expose, reason: x, image: other}\n", []string{ref}, ExitFindings,
			[]string{"[missing-expose]"}, nil,
		},
		"graded down": {
			"", "severities: {missing-expose: note}\n", []string{ref}, ExitClean,
			[]string{"note: ", "[missing-expose]", "will fail"}, nil,
		},
		"port": {
			"", "images:\n  - {image: \"" + ref + "\", port: 8000}\n", []string{ref}, ExitClean,
			[]string{":8000/"}, []string{"[missing-expose]"},
		},
		"args": {
			"", "image: " + ref + "\nport: 8000\nargs: [nonsense]\n", nil, ExitFindings,
			[]string{"nonsense", "[command-not-found]"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			if c.dockerfile != "" {
				files["Dockerfile"] = c.dockerfile
			}
			if c.config != "" {
				files[config.Name] = c.config
			}
			status, out, errs := within(t, folder(t, files), nil, append([]string{"--static"}, c.args...)...)
			if status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			for _, want := range c.says {
				if !strings.Contains(out+errs, want) {
					t.Errorf("does not say %q", want)
				}
			}
			for _, no := range c.not {
				if strings.Contains(out+errs, no) {
					t.Errorf("says %q", no)
				}
			}
			if t.Failed() {
				t.Logf("%s%s", out, errs)
			}
		})
	}
}

// TestSchemaKeys holds the config file against the flags: every key of the
// schema that is a setting is one that this build has.
func TestSchemaKeys(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/imglint.config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]any `json:"properties"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	flags := newRoot(IO{Getenv: func(string) string { return "" }}).Flags()
	renamed := map[string]string{"volumes": "volume", "build-args": "build-arg", "prove": "no-prove", "limits": "memory"}
	own := []string{"image", "images", "args", "build", "context", "ignore", "severities", "hook", "platforms"}
	for key := range schema.Properties {
		name := key
		if other, ok := renamed[key]; ok {
			name = other
		}
		if !slices.Contains(own, key) && flags.Lookup(name) == nil {
			t.Errorf("%s: there is no flag --%s", key, name)
		}
	}
}
