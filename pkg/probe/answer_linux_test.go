package probe

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/imglint/imglint/pkg/facts"
)

const (
	outside = "198.18.0.2"
	inside  = "127.0.0.1"
)

var ignoreWhen = cmpopts.IgnoreFields(facts.Answer{}, "To", "Port", "Asked", "Took", "First")

func TestAnswers(t *testing.T) {
	t.Parallel()
	http := func(status int) facts.Answer {
		return facts.Answer{Class: facts.ClassHTTP, Status: status, Server: "test"}
	}
	tests := map[string]struct {
		behaviour, network, address string
		outside                     facts.Answer
		inside                      *facts.Answer // nil: not asked
		insideAt                    string
	}{
		"http":       {"http=200", "tcp4", "0.0.0.0:8000", http(200), nil, inside},
		"not found":  {"http=404", "tcp4", "0.0.0.0:8000", http(404), nil, inside},
		"dual":       {"http=200", "tcp", "[::]:8000", http(200), nil, inside},
		"loopback":   {"http=200", "tcp4", "127.0.0.1:8000", facts.Answer{Class: facts.ClassRefused}, ptr(http(200)), inside},
		"loopback 6": {"http=200", "tcp6", "[::1]:8000", facts.Answer{Class: facts.ClassRefused}, ptr(http(200)), "::1"},
		"IPv6 only":  {"http=200", "tcp6", "[::]:8000", facts.Answer{Class: facts.ClassRefused}, ptr(http(200)), "::1"},
		"host":       {"host", "tcp4", "0.0.0.0:8000", http(400), ptr(http(200)), inside},
		"tls":        {"tls", "tcp4", "0.0.0.0:8000", facts.Answer{Class: facts.ClassTLS}, nil, inside},
		"tls h2":     {"tls=h2,http/1.1", "tcp4", "0.0.0.0:8000", facts.Answer{Class: facts.ClassTLS, ALPN: "h2"}, nil, inside},
		"tls redis":  {"tls=redis", "tcp4", "0.0.0.0:8000", facts.Answer{Class: facts.ClassTLS, ALPN: NoALPN}, nil, inside},
		"tls 1.3":    {"tls=1.3", "tcp4", "0.0.0.0:8000", facts.Answer{Class: facts.ClassTLS}, nil, inside},
		"https":      {"https", "tcp4", "0.0.0.0:8000", facts.Answer{Class: facts.ClassTLS, Status: 400, ALPN: "h2"}, ptr(facts.Answer{Class: facts.ClassTLS, Status: 400, ALPN: "h2"}), inside},
		"fastcgi":    {"fastcgi", "tcp4", "0.0.0.0:8000", facts.Answer{Class: facts.ClassOther, Protocol: "fastcgi"}, nil, inside},
		"banner":     {"banner=SSH-2.0-x", "tcp4", "0.0.0.0:8000", facts.Answer{Class: facts.ClassOther, Protocol: "ssh"}, nil, inside},
		"postgres":   {"postgres", "tcp4", "0.0.0.0:8000", facts.Answer{Class: facts.ClassOther, Protocol: "postgres"}, nil, inside},
		"endless":    {"headers=1000000", "tcp4", "0.0.0.0:8000", facts.Answer{Class: facts.ClassOther, Protocol: endlessHeaders}, nil, inside},
		"long":       {"headers=2000", "tcp4", "0.0.0.0:8000", http(200), nil, inside},
		"silent":     {"silent", "tcp4", "0.0.0.0:8000", facts.Answer{Class: facts.ClassSilent}, nil, inside},
		"reset":      {"reset", "tcp4", "0.0.0.0:8000", facts.Answer{Class: facts.ClassReset}, nil, inside},
		"boots":      {"boots=600ms", "tcp4", "0.0.0.0:8000", http(200), nil, inside},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, RoleInject, testConfig, setup{}, self(roleServe, tt.behaviour, tt.network, tt.address)...)
			got := w.answer(outside, tt.outside.Class)
			if diff := cmp.Diff(tt.outside, got, ignoreWhen); diff != "" {
				t.Errorf("from outside (-want +got):\n%s", diff)
			}
			if tt.inside != nil {
				got := w.answer(tt.insideAt, tt.inside.Class)
				if diff := cmp.Diff(*tt.inside, got, ignoreWhen); diff != "" {
					t.Errorf("from inside (-want +got):\n%s", diff)
				}
			}
			w.during(200 * time.Millisecond)
			for _, e := range w.of(facts.EventAnswer) {
				if to := e.Answer.To.String(); to != outside && (tt.inside == nil || to != tt.insideAt) {
					t.Errorf("asked %s too: %s", to, w.told())
				}
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// An answer that the platform does not accept is asked for again, and told
// when it changes.
func TestAnswerAgain(t *testing.T) {
	t.Parallel()
	cfg := testConfig
	cfg.Probe.Accept = []facts.StatusRange{{From: 200, To: 399}}
	script := `timeout 1.5 "$0" ` + roleServe + ` http=503 tcp4 0.0.0.0:8000; exec "$0" ` + roleServe + ` http=200 tcp4 0.0.0.0:8000`
	w := watch(t, RoleInject, cfg, setup{}, "sh", "-c", script, self(roleServe)[0])
	w.until("the good answer", func(e facts.Event) bool {
		return e.Kind == facts.EventAnswer && e.Answer.Status == 200
	})
	var statuses []int
	for _, e := range w.of(facts.EventAnswer) {
		if e.Answer.Class == facts.ClassHTTP {
			statuses = append(statuses, e.Answer.Status)
		}
	}
	if diff := cmp.Diff([]int{503, 200}, statuses); diff != "" {
		t.Errorf("statuses told (-want +got):\n%s", diff)
	}
}

// Another port is asked when the endpoint is not there, and left alone when it is.
func TestAnswersOfOtherPorts(t *testing.T) {
	t.Parallel()
	other := self(roleServe, "http=200", "tcp4", "127.0.0.1:9000")
	script := `"$0" ` + roleServe + ` http=200 tcp4 0.0.0.0:8000 & exec "$0" ` + roleServe + ` http=200 tcp4 127.0.0.1:9000`
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		w := watch(t, RoleInject, testConfig, setup{}, other...)
		opened := w.listening(9000)
		if got := w.answer(inside, facts.ClassHTTP); got.Port != 9000 || got.Asked < opened.T+300 {
			t.Errorf("asked %d at %d ms, opened at %d ms", got.Port, got.Asked, opened.T)
		}
	})
	t.Run("no endpoint known", func(t *testing.T) {
		t.Parallel()
		cfg := testConfig
		cfg.Endpoint = 0
		w := watch(t, RoleInject, cfg, setup{}, "sh", "-c", script, other[0])
		w.until("9000", func(e facts.Event) bool { return e.Kind == facts.EventAnswer && e.Answer.Port == 9000 })
		w.until("8000", func(e facts.Event) bool { return e.Kind == facts.EventAnswer && e.Answer.Port == 8000 })
	})
	t.Run("beside the endpoint", func(t *testing.T) {
		t.Parallel()
		w := watch(t, RoleInject, testConfig, setup{}, "sh", "-c", script, other[0])
		w.listening(8000)
		w.listening(9000)
		w.answer(outside, facts.ClassHTTP)
		w.during(800 * time.Millisecond)
		for _, e := range w.of(facts.EventAnswer) {
			if e.Answer.Port == 9000 && e.T > w.listening(8000).T {
				t.Errorf("asked 9000 while the endpoint was there:\n%s", w.told())
			}
		}
	})
}

func TestRedirectsAreFollowed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		follow facts.Follow
		to     string
		want   facts.Answer
	}{
		"on the host":    {facts.FollowAll, "/last?x=y", facts.Answer{Class: facts.ClassHTTP, Status: 204, Followed: "/last?x=y"}},
		"to another":     {facts.FollowAll, "https://shop.example/", facts.Answer{Class: facts.ClassHTTP, Status: 301, Location: "https://shop.example/", Followed: "/next"}},
		"without an end": {facts.FollowSame, "/next", facts.Answer{Class: facts.ClassHTTP, Status: 301, Location: "/next", Followed: "/next"}},
		"not at all":     {facts.FollowNone, "/last", facts.Answer{Class: facts.ClassHTTP, Status: 302, Location: "/next"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig
			cfg.Probe.Follow = c.follow
			w := watch(t, RoleInject, cfg, setup{}, self(roleServe, "redirects="+c.to, "tcp4", "0.0.0.0:8000")...)
			if diff := cmp.Diff(c.want, w.answer(outside, facts.ClassHTTP), ignoreWhen); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}
