package cli

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/imglint/imglint/pkg/report"
)

// inEveryFormat runs imglint once and returns all that it says, by format; the
// terminal is "stderr".
func inEveryFormat(t *testing.T, m *machine, args ...string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	all := []string{"--boot-window", "2s", "--no-prove"}
	said := map[string]string{}
	for _, f := range report.Formats {
		said[f.Name] = ""
		all = append(all, "--format", f.Name+"="+filepath.Join(dir, f.Name))
	}
	cmd, out := m.imglint(t, append(all, args...)...)
	_ = cmd.Run() // what it says is looked at
	leftBy(t, cmd.Process.Pid)
	for name := range said {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		said[name] = string(text)
	}
	said["stderr"] = out.String()
	return said
}

// TestHostileTextInEveryFormat: what an image says gives no orders to a
// terminal, a CI job or a browser, and breaks no document.
func TestHostileTextInEveryFormat(t *testing.T) {
	ref := hostileImage(t, "hostile")
	for _, runner := range []string{runnerDocker, runnerLocal} {
		m := machineOf(t)
		for _, what := range []string{"escapes", "banner", "unix"} {
			t.Run(runner+"/"+what, func(t *testing.T) {
				for format, text := range inEveryFormat(t, m, "--runner", runner, ref, "--", what) {
					for _, fault := range faultsIn(format, text) {
						t.Errorf("%s: %s", format, fault)
					}
				}
			})
		}
	}
}

// faultsIn are what a report must not have in it.
func faultsIn(format, text string) (faults []string) {
	for i, r := range text {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			faults = append(faults, fmt.Sprintf("%U in %.80q", r, text[max(0, i-20):]))
			break
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "::error::forged") || strings.HasPrefix(line, "##[error]") {
			faults = append(faults, fmt.Sprintf("a line is an order to a job: %.80q", line))
		}
	}
	if format == "html" && strings.Contains(text, "<script>alert") {
		faults = append(faults, "markup of the image")
	}
	var err error
	switch format {
	case "json", "sarif", "gitlab", "review":
		if !json.Valid([]byte(text)) {
			err = fmt.Errorf("it is no JSON")
		}
	case "jsonl":
		for line := range strings.Lines(text) {
			if !json.Valid([]byte(line)) {
				err = fmt.Errorf("a line is no JSON: %q", line)
			}
		}
	case "junit":
		for d := xml.NewDecoder(strings.NewReader(text)); err == nil; {
			_, err = d.Token()
		}
		if err == io.EOF {
			err = nil
		}
	}
	if err != nil {
		faults = append(faults, err.Error())
	}
	return faults
}

// TestSecretsNeverShow: what the user gives by -e and --env-file is in no
// report, however the image prints it.
func TestSecretsNeverShow(t *testing.T) {
	ref := hostileImage(t, "hostile")
	const (
		key      = `p@ss"w0rd/quux+zed=\x41~Ünï`
		password = `correct%2Fhorse"x`
		database = "postgres://shop:" + password + "@db:5432/shop?a=b&c=d"
	)
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("DATABASE_URL="+database+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	given := []string{"-e", "API_KEY=" + key, "--env-file", file}
	calls := map[string][]string{
		"a status": {ref, "--", "secrets", "status"}, "a banner": {ref, "--", "secrets", "banner"}, "a crash": {ref, "--", "secrets", "crash"},
		"an argument": {ref, "--", "secrets", "banner", key}, "no such program": {"--entrypoint", "/" + key, ref, "--", key},
		"no such user": {"--user", key, ref}, "no such volume": {"--volume", key + ":/x", ref},
	}
	for _, runner := range []string{runnerDocker, runnerLocal} {
		m := machineOf(t)
		for what, args := range calls {
			t.Run(runner+"/"+what, func(t *testing.T) {
				said := inEveryFormat(t, m, append(append([]string{"--runner", runner}, given...), args...)...)
				shown := false
				for format, text := range said {
					shown = shown || strings.Contains(text, "[API_KEY]")
					for _, secret := range []string{key, password, database} {
						for way, hidden := range encodings(secret) {
							if strings.Contains(text, hidden) || strings.Contains(html.UnescapeString(text), hidden) {
								t.Errorf("%s: %s of %q", format, way, secret)
							}
						}
					}
					if strings.Contains(text, "w0rd/quux") || strings.Contains(text, "horse") {
						t.Errorf("%s: a piece of a secret", format)
					}
				}
				if !shown {
					t.Errorf("no report names the variable, so that nothing was tried:\n%s%s", said["text"], said["stderr"])
				}
			})
		}
	}
}

// encodings are ways in which the image prints a secret.
func encodings(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	ways := map[string]string{
		"the value": secret, "JSON": string(quoted[1 : len(quoted)-1]), "Go": strings.Trim(strconv.Quote(secret), `"`),
		"ASCII": strings.Trim(strconv.QuoteToASCII(secret), `"`), "the query": url.QueryEscape(secret), "the path": url.PathEscape(secret),
		"hex": hex.EncodeToString([]byte(secret)),
	}
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte("abc"[:before] + secret))
		ways[fmt.Sprint("base64 at ", before)] = text[4 : len(text)-1]
	}
	return ways
}
