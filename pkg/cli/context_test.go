package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/lint"
)

// says runs imglint without an engine and looks for what must and must not be
// printed.
func says(t *testing.T, want, not []string, args ...string) {
	t.Helper()
	status, out, errs := call(t, nil, append([]string{"--host", noEngine}, args...)...)
	for _, text := range want {
		if !strings.Contains(out+errs, text) {
			t.Errorf("%v: status %d: %q is not in\n%s%s", args, status, text, out, errs)
		}
	}
	for _, text := range not {
		if strings.Contains(out+errs, text) {
			t.Errorf("%v: status %d: %q is in\n%s%s", args, status, text, out, errs)
		}
	}
}

const loopbackScript = "#!/bin/sh\nexec gunicorn --bind 127.0.0.1:8000 shop:app\n"

func TestContextFlag(t *testing.T) {
	t.Parallel()
	host := registryHost(t)
	pushed(t, host+"/start", starter(t, "0.0.0.0"))
	dir := written(t, map[string]string{
		"docker/Dockerfile": "FROM " + host + "/start\nCOPY own.sh /own.sh\nENTRYPOINT [\"/own.sh\"]\n",
		"app/own.sh":        loopbackScript,
	})
	file := filepath.Join(dir, "docker", "Dockerfile")
	says(t, []string{"[loopback-bind]", filepath.ToSlash(filepath.Join(dir, "app", "own.sh")) + ":2"}, nil, "--context", filepath.Join(dir, "app"), file)
	says(t, nil, []string{"[loopback-bind]", "[command-not-found]"}, file)
	says(t, []string{"--context", "not a directory"}, nil, "--context", filepath.Join(dir, "none"), file)
}

func TestBuildContextFlag(t *testing.T) {
	t.Parallel()
	host := registryHost(t)
	pushed(t, host+"/open", starter(t, "0.0.0.0"))
	pushed(t, host+"/shut", starter(t, "127.0.0.1"))
	stored := "oci-layout://" + laidOut(t, starter(t, "127.0.0.1"))
	scripts := written(t, map[string]string{"own.sh": loopbackScript})
	ignoring := written(t, map[string]string{"own.sh": loopbackScript, ".dockerignore": "*.sh\n"})
	root := written(t, map[string]string{"own.sh": loopbackScript, "bin/sh": "", "usr/bin/gunicorn": ""})
	fires, silent := []string{"[loopback-bind]"}, []string{"[loopback-bind]"}
	for name, c := range map[string]struct {
		dockerfile, context string
		want, not           []string
	}{
		"an image":        {"FROM base\n", "base=docker-image://" + host + "/shut", fires, nil},
		"another image":   {"FROM base\n", "base=docker-image://" + host + "/open", nil, silent},
		"with a tag":      {"FROM base:latest\n", "base=docker-image://" + host + "/shut", fires, nil},
		"a layout":        {"FROM base\n", "base=" + stored, fires, nil},
		"another name":    {"FROM " + host + "/open\n", "base=" + stored, nil, silent},
		"instead of one":  {"FROM " + host + "/open\n", host + "/open=" + stored, fires, nil},
		"a stage":         {"FROM " + host + "/open AS one\nFROM one\n", "one=" + stored, fires, nil},
		"the target":      {"FROM " + host + "/open AS one\nCMD [\"ignored\"]\n", "one=" + stored, fires, nil},
		"files":           {"FROM " + host + "/open\nCOPY --from=other own.sh /start.sh\n", "other=" + scripts, fires, nil},
		"ignored files":   {"FROM " + host + "/open\nCOPY --from=other own.sh /start.sh\n", "other=" + ignoring, nil, silent},
		"unknown files":   {"FROM " + host + "/shut\nCOPY --from=other own.sh /start.sh\n", "base=" + scripts, nil, silent},
		"a file system":   {"FROM files\nENV PATH=/usr/bin:/bin\nEXPOSE 8000\nENTRYPOINT [\"/own.sh\"]\n", "files=" + root, fires, nil},
		"fetched":         {"FROM far\nENTRYPOINT [\"/own.sh\"]\n", "far=https://example.com/a.git", []string{"is fetched while building"}, silent},
		"without a value": {"FROM base\n", "base", []string{"write NAME=DIR"}, nil},
		"without a dir":   {"FROM base\n", "base=" + scripts + "/none", []string{"--build-context"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := written(t, map[string]string{"Dockerfile": c.dockerfile})
			says(t, c.want, c.not, "--build-context", c.context, dir)
		})
	}
}

func TestBuildChecks(t *testing.T) {
	t.Parallel()
	host := registryHost(t)
	pushed(t, host+"/start", starter(t, "0.0.0.0"))
	text := "FROM " + host + "/start\nCOPY secret.txt /srv/\nENV A $NOT_THERE\n"
	files := func(first string) string {
		return written(t, map[string]string{"Dockerfile": first + text, "secret.txt": "", ".dockerignore": "secret.*\n"})
	}
	says(t, []string{"2: note", "[CopyIgnoredFile]", "[UndefinedVar]", "[LegacyKeyValueFormat]"}, []string{"error:"}, files(""))
	says(t, []string{"[UndefinedVar]"}, []string{"[CopyIgnoredFile]"}, "--ignore", "CopyIgnoredFile", files(""))
	says(t, []string{"[UndefinedVar]"}, []string{"[CopyIgnoredFile]"}, files("# check=skip=CopyIgnoredFile\n"))
	says(t, nil, []string{"[UndefinedVar]", "[CopyIgnoredFile]"}, "--no-build-checks", files("# check=error=true\n"))
	says(t, []string{"3: error: Attempting to Copy", "[CopyIgnoredFile]", "this ends the build"}, []string{"[UndefinedVar]"}, files("# check=skip=UndefinedVar;error=true\n"))
	other := written(t, map[string]string{"Dockerfile": "FROM --platform=linux/arm64 " + host + "/start\n"})
	says(t, []string{"[FromPlatformFlagConstDisallowed]", "[InvalidBaseImagePlatform]"}, nil, other)
}

// TestBaseNotAtHand says what can be said without the base image.
func TestBaseNotAtHand(t *testing.T) {
	t.Parallel()
	host := registryHost(t)
	base := "FROM " + host + "/none:1\nENV A=$FROM_THE_BASE\n"
	server := base + "WORKDIR /app\nCOPY . .\nEXPOSE 8000\nENTRYPOINT [\"uvicorn\", \"--host\", \"127.0.0.1\", \"--port\", \"8000\", \"shop:app\"]\n"
	unread := "not checked: what the base image " + host + "/none:1 sets"
	says(t, []string{"6: error: uvicorn", "[loopback-bind]", unread}, []string{"[UndefinedVar]", "[command-not-found]"}, written(t, map[string]string{"Dockerfile": server}))
	says(t, []string{unread, "UNKNOWN"}, []string{"error:", "warning:"}, written(t, map[string]string{"Dockerfile": base}))
}

// TestContextLinks keeps a build context's links inside it.
func TestContextLinks(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("links need a right that users do not have")
	}
	host := registryHost(t)
	pushed(t, host+"/start", starter(t, "0.0.0.0"))
	outside := written(t, map[string]string{"own.sh": loopbackScript})
	for name, target := range map[string]string{"absolute": outside, "dots": "../" + filepath.Base(outside)} {
		dir := written(t, map[string]string{
			"Dockerfile": "FROM " + host + "/start\nCOPY own.sh /start.sh\nCOPY in/own.sh /other.sh\nENTRYPOINT [\"/start.sh\"]\n",
		})
		for link, to := range map[string]string{"own.sh": filepath.Join(target, "own.sh"), "in": target, ".dockerignore": filepath.Join(target, "own.sh")} {
			if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		status, out, errs := call(t, nil, "--host", noEngine, dir)
		if strings.Contains(out, "127.0.0.1") || strings.Contains(out, "[") && strings.Contains(out, "error") {
			t.Errorf("%s: %d %s%s", name, status, out, errs)
		}
	}
}

// TestBuildChecksPage holds the page against BuildKit's own list.
func TestBuildChecksPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "build-checks.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " ")
		if _, ok := lint.BuildCheck(name); ok {
			rows++
		}
	}
	if rows != 22 {
		t.Errorf("the page has %d of BuildKit's 22 checks", rows)
	}
}
