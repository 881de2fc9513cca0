package report

import "github.com/imglint/imglint/pkg/facts"

// Prediction is what was read from the image before anything ran.
type Prediction struct {
	Server      string         `json:"server,omitempty"`
	Version     string         `json:"version,omitempty"`
	Complete    bool           `json:"complete"` // Listens are certain, and all there will be
	Why         string         `json:"why,omitempty"`
	Daemonizes  string         `json:"daemonizes"` // "yes", "no", "unknown"
	DaemonWhy   string         `json:"daemonWhy,omitempty"`
	Hint        string         `json:"hint,omitempty"` // why a program that is not known may go to the background
	Listens     []facts.Listen `json:"listens"`
	Possible    []facts.Listen `json:"possible,omitempty"` // unless what Why names says otherwise
	Ends        string         `json:"ends,omitempty"`
	Interactive string         `json:"interactive,omitempty"`
	Development string         `json:"development,omitempty"`
	Gunicorn    *Gunicorn      `json:"gunicorn,omitempty"`
}

// Gunicorn is what decides whether a worker survives its boot.
type Gunicorn struct {
	WorkerClass  string `json:"workerClass,omitempty"`
	Async        string `json:"async"`
	Preload      string `json:"preload"`
	Timeout      *int   `json:"timeout,omitempty"` // seconds; absent: unknown; 0: never kills
	KillsBooting string `json:"killsBooting"`
}

func prediction(p facts.Prediction) *Prediction {
	out := &Prediction{
		Server: p.Server, Version: p.Version, Complete: p.Complete, Why: p.Why,
		Daemonizes: known(p.Daemonizes), DaemonWhy: p.DaemonWhy, Hint: p.Hint,
		Listens: []facts.Listen{}, Ends: p.Ends, Interactive: p.Interactive, Development: p.Development,
	}
	if p.Complete {
		out.Listens = append(out.Listens, p.Listens...)
	} else {
		out.Possible = p.Listens
	}
	if g := p.Gunicorn; g != nil {
		out.Gunicorn = &Gunicorn{
			WorkerClass: g.WorkerClass, Async: known(g.Async), Preload: known(g.Preload), KillsBooting: known(g.KillsBooting),
		}
		if g.Timeout >= 0 {
			out.Gunicorn.Timeout = &g.Timeout
		}
	}
	return out
}

func known(t facts.Tri) string {
	if t == facts.Unknown {
		return "unknown"
	}
	return string(t)
}
