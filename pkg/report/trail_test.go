package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

func said(words ...string) facts.Command {
	c := facts.Command{}
	for _, w := range words {
		c.Argv = append(c.Argv, facts.Word{Text: w, Known: true})
	}
	return c
}

// TestVerboseSaysWhy: -v tells every step, every other way with the line that
// decides, and where every predicted value comes from.
func TestVerboseSaysWhy(t *testing.T) {
	t.Parallel()
	f := &facts.Facts{
		Launch: facts.Launch{
			Argv: []string{"/ep.sh", "web"}, Known: facts.Unknown, Why: "an entrypoint script decides: /ep.sh:4: pg_isready -h db fails",
			Trail:  []facts.Step{{Where: "ENTRYPOINT", Did: "/ep.sh runs"}, {Where: "/ep.sh:4", Did: "assuming that pg_isready -h db succeeds"}},
			Before: []facts.Command{said("python", "manage.py", "migrate")}, Background: []facts.Command{{Argv: []facts.Word{{Text: "while true; do\n  x\ndone &"}}}},
			Command: said("gunicorn", "app"), Limit: "timeout ends gunicorn after 60s",
			Alternatives: []facts.Alternative{{Argv: []string{"celery", "worker"}, Because: "/ep.sh:4: pg_isready -h db fails"}, {Because: "/ep.sh:9: x fails"}},
		},
		Prediction: facts.Prediction{Complete: true,
			Server: "gunicorn", Title: "gunicorn", Version: "21.2.0", Daemonizes: facts.No, DaemonWhy: "gunicorn's default",
			Listens: []facts.Listen{
				{Network: "tcp", Host: "127.0.0.1", Port: 8000, Protocol: "http", HostFrom: "gunicorn's default", PortFrom: "gunicorn's default"},
				{Network: "tcp", Host: "0.0.0.0", Port: 80, HostFrom: "/etc/nginx/nginx.conf:12", PortFrom: "env PORT"},
				{Network: "tcp", Host: "127.0.0.1", HostFrom: "--bind", PortFrom: "--bind"},
				{Network: "unix", Path: "/run/a.sock", HostFrom: "--uds"},
			},
		},
	}
	var b bytes.Buffer
	if err := Text(&b, Result{Ref: "x", Verdict: finding.Unknown, Facts: f}, Style{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	want := `  runs   ENTRYPOINT: /ep.sh runs
  runs   /ep.sh:4: assuming that pg_isready -h db succeeds
  first  python manage.py migrate
  beside while true; do …
  runs   gunicorn app
  ends   timeout ends gunicorn after 60s
  unsure an entrypoint script decides: /ep.sh:4: pg_isready -h db fails
  or     celery worker  if /ep.sh:4: pg_isready -h db fails
  or     nothing: the container ends  if /ep.sh:9: x fails
  stays  gunicorn stays in the foreground: gunicorn 21.2.0's default
  expect tcp 127.0.0.1 port 8000 (http) from gunicorn 21.2.0's default
  expect tcp 0.0.0.0 port 80, host from /etc/nginx/nginx.conf:12, port from env PORT
  expect tcp 127.0.0.1, a port that the kernel chooses from --bind
  expect unix:/run/a.sock from --uds
`
	_, got, _ := strings.Cut(b.String(), "\n\n  runs")
	got = "  runs" + got
	got = got[:min(len(got), len(want))]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verbose text (-want +got):\n%s", diff)
	}
}

func TestJSONHoldsAlternatives(t *testing.T) {
	t.Parallel()
	l := launch(&facts.Facts{Launch: facts.Launch{
		Limit: "timeout ends a after 9", Before: []facts.Command{said("b", "c")}, Background: []facts.Command{said("d")},
		Alternatives: []facts.Alternative{{Argv: []string{"e"}, Because: "f:1: g fails"}},
	}})
	want := &Launch{Argv: []string{}, Command: []string{}, Limit: "timeout ends a after 9", Before: []string{"b c"}, Background: []string{"d"}, Alternatives: []facts.Alternative{{Argv: []string{"e"}, Because: "f:1: g fails"}}}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("launch (-want +got):\n%s", diff)
	}
}
