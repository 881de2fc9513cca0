package servers

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

func (g *gunicornRun) workers() {
	w := &facts.Gunicorn{Timeout: 30, TimeoutFrom: "gunicorn's default", KillsBooting: killsBooting(g.p.Version)}
	w.Preload, _ = g.flag("preload_app")
	if v := last(g.values("timeout")); v != nil {
		n, err := strconv.Atoi(v.text)
		if v.err != nil || err != nil {
			n = -1
		}
		w.Timeout, w.TimeoutFrom = n, v.from
	}
	w.WorkerClass = "sync"
	threads := last(g.values("threads"))
	if v := last(g.values("worker_class")); v != nil {
		w.WorkerClass = v.text
		if v.err != nil {
			w.WorkerClass = ""
		}
	} else if threads != nil {
		n, err := strconv.Atoi(threads.text)
		switch {
		case threads.err != nil || err != nil:
			w.WorkerClass = ""
		case n > 1:
			w.WorkerClass = "gthread"
		}
	}
	w.Async, w.ASGI = asyncWorker(w.WorkerClass)
	if w.Preload != facts.Yes {
		w.FixPreload = g.remedy(fix{Insert: []string{"--preload"}}, "load the app before the workers start")
	}
	if w.Timeout != 0 {
		w.FixTimeout = g.remedy(fix{Flag: g.spelled("timeout"), Value: "120"}, "give the workers 120 seconds")
		g.p.Unlimited = g.remedy(fix{Flag: g.spelled("timeout"), Value: "0"}, "never kill a worker")
	}
	g.p.Gunicorn = w
}

// spelled is the option as the command has it, else its long form.
func (g *gunicornRun) spelled(key string) string {
	flags := gunicornSettings[key]
	if o := g.option(flags); o != nil {
		return o.name
	}
	return flags[len(flags)-1]
}

func last(all []found) *found {
	if len(all) == 0 {
		return nil
	}
	return &all[len(all)-1]
}

// asyncWorker tells asynchronous workers from synchronous ones.
func asyncWorker(class string) (async facts.Tri, asgi bool) {
	name := strings.TrimPrefix(strings.TrimPrefix(class, "egg:gunicorn#"), "gunicorn.workers.")
	switch {
	case name == "sync" || name == "gthread" || name == "gthread.ThreadWorker" || name == "sync.SyncWorker":
		return facts.No, false
	case strings.Contains(name, "uvicorn") || name == "asgi":
		return facts.Yes, true
	case strings.HasPrefix(name, "gevent") || strings.HasPrefix(name, "ggevent") || strings.HasPrefix(name, "eventlet") ||
		strings.HasPrefix(name, "tornado") || strings.HasPrefix(name, "aiohttp") || strings.HasPrefix(name, "meinheld"):
		return facts.Yes, false
	}
	return facts.Unknown, false
}

// killsBooting: measured, 20.1.0 and 21.2.0 kill a worker that is still
// booting, 22.0.0 to 26.1.0 do not.
func killsBooting(version string) facts.Tri {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return facts.Unknown
	}
	return truth(n < 22)
}

var versionInfo = regexp.MustCompile(`version_info\s*=\s*\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)`)

// version reads gunicorn/__init__.py in the library directories of the
// interpreter that runs it.
func (g *gunicornRun) version() {
	if g.files == nil {
		return
	}
	for _, dir := range g.libraries() {
		text, err := g.head(path.Join(dir, "gunicorn/__init__.py"))
		if err != nil {
			continue
		}
		if m := versionInfo.FindStringSubmatch(text); m != nil {
			g.p.Version = strings.Join(m[1:], ".")
			return
		}
	}
}
