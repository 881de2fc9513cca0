package lint

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/manifest"
	"github.com/imglint/imglint/pkg/report"
)

// progressDeadline is how long a Deployment waits for its pods to be ready
// (kubernetes.io/docs/concepts/workloads/controllers/deployment).
const progressDeadline = 10 * time.Minute

// lintWorkload checks an image as a manifest starts it: one start, and each of
// its probes as a demand of its own.
func (l *Linter) lintWorkload(ctx context.Context, img Image, ref string, w Watcher) report.Result {
	began := time.Now()
	secrets := l.Options.redactorFor(img.Facts())
	var checks []*check
	for _, probe := range asked(l.Options.Workload) {
		o := l.Options.deployed(probe)
		c := &check{Options: o, image: img, watch: discreet{w, secrets}}
		c.facts = collect(img.Facts(), img.Files(), o)
		checks = append(checks, c)
	}
	checks[0].unasked(l.Options.Env)
	if l.Options.Workload.Batch && len(l.Options.Workload.Probes) == 0 {
		return checks[0].batch(ref)
	}
	results, err := conclude(ctx, ref, checks, began)
	if err != nil {
		return report.Result{Ref: ref, Verdict: finding.Unknown, Err: secrets.error(err), Took: time.Since(began)}
	}
	result := joined(results)
	redact(secrets, &result)
	return result
}

// deployed are the options with which a manifest's container is started and
// asked as one of its probes does.
func (o Options) deployed(probe *manifest.Probe) Options {
	o.probe = probe
	o.Env = append(slices.Clone(o.Workload.Env), o.Env...)
	o.User = cmp.Or(o.User, o.Workload.User)
	o.Limits.Memory = cmp.Or(o.Workload.Memory, o.Limits.Memory)
	return o
}

// asked are the probes that imglint can make; nil alone stands for none.
func asked(w *manifest.Workload) []*manifest.Probe {
	var all []*manifest.Probe
	for i := range w.Probes {
		if askable(w.Probes[i]) {
			all = append(all, &w.Probes[i])
		}
	}
	if len(all) == 0 {
		return []*manifest.Probe{nil}
	}
	return all
}

func askable(p manifest.Probe) bool {
	request := p.Ask == manifest.AskHTTP || p.Ask == manifest.AskTCP || p.Ask == manifest.AskExec && p.Path != ""
	return request && p.Port != 0 && !p.TLS
}

// unasked says what of the manifest is not looked at.
func (c *check) unasked(given []string) {
	w := c.Workload
	for _, p := range w.Probes {
		if !askable(p) {
			how := string(p.Ask)
			if p.TLS {
				how = "https"
			}
			c.notChecked(fmt.Sprintf("the %s of %s:%d", p.Kind, w.File, p.Place.Line), "imglint does not ask by %s", how)
		}
	}
	for _, name := range w.Elsewhere {
		if !slices.ContainsFunc(given, func(kv string) bool { return strings.HasPrefix(kv, name+"=") }) {
			c.notChecked("the variable "+name, "%s does not hold its value; give it with -e", w.File)
		}
	}
	for _, name := range w.Unset {
		c.notChecked(fmt.Sprintf("what ${%s} stands for in %s", name, w.File), "neither your environment nor .env gives it a value, so that nothing is put there")
	}
	c.facts.NotChecked = append(c.facts.NotChecked, w.Left...)
}

// batch is the result of what has no health check: its end is its success.
func (c *check) batch(ref string) report.Result {
	c.notChecked("whether it ends well", "%s only has to end with 0, and imglint judges what has a health check", c.Workload.Title)
	return report.Result{
		Ref: ref, Facts: c.facts, Verdict: finding.Unknown, Basis: finding.Predicted, NotChecked: c.facts.NotChecked,
		Reason: c.Workload.Title + " has no health check",
	}
}

// deploy changes what was collected as the manifest does.
func deploy(f *facts.Facts, o Options) {
	w := o.Workload
	if w == nil {
		return
	}
	if w.Entrypoint != nil && !o.asIs {
		f.Image.Config.Entrypoint = w.Entrypoint
	}
	if w.Cmd != nil && !o.asIs {
		f.Image.Config.Cmd = w.Cmd
	}
	f.Workload = &facts.Workload{Title: w.Title, User: w.User}
	if w.NonRoot {
		f.Workload.NonRoot = w.At[manifest.AtNonRoot]
	}
	for _, p := range w.Ports {
		if p.Protocol == "tcp" {
			f.Workload.Ports = append(f.Workload.Ports, facts.WorkloadPort{Number: p.Number, Place: p.Place})
		}
	}
	t := &f.Target
	t.Assumed, t.Settings.BootWindow = nil, nil
	if o.probe != nil {
		demand(t, w, o.probe)
		return
	}
	t.Probe.TCP, t.BootWindow = true, progressDeadline
	if len(f.Workload.Ports) > 0 {
		port := f.Workload.Ports[0]
		t.Endpoint = facts.Endpoint{Port: port.Number, ChosenBy: fmt.Sprintf("port, %s:%d", w.File, port.Place.Line), Named: true}
	}
}

// demand makes a target of a probe.
func demand(t *facts.Target, w *manifest.Workload, p *manifest.Probe) {
	where := fmt.Sprintf("%s, %s:%d", p.Kind, w.File, max(p.PortPlace.Line, p.Place.Line))
	t.Endpoint = facts.Endpoint{Port: p.Port, ChosenBy: where, Named: true}
	t.Settings.Port = []string{where}
	t.Probe = facts.Probe{
		TCP: p.Ask == manifest.AskTCP, Method: "GET", Path: cmp.Or(p.Path, "/"), Host: p.Host, Headers: p.Headers,
		Accept: []facts.StatusRange{{From: 200, To: 399}}, TryTimeout: p.Timeout, Loopback: p.Ask == manifest.AskExec,
	}
	t.LoopbackReached = t.Probe.Loopback
	t.BootWindow = p.Patience()
	started := slices.ContainsFunc(w.Probes, func(o manifest.Probe) bool { return o.Kind == "startupProbe" })
	if p.Kind == "readinessProbe" || started && p.Kind == "livenessProbe" {
		t.BootWindow = progressDeadline // it only waits, or is not asked before
	}
	t.Settings.BootWindow = []string{"initialDelaySeconds, failureThreshold and periodSeconds of a startupProbe"}
	if p.Kind == "healthcheck" {
		t.Settings.BootWindow = []string{"start_period of the healthcheck"}
	}
}

// joined makes one result of those of a container's probes: it is as good as
// the worst, and what several of them say is said once.
func joined(probes []report.Result) report.Result {
	worst := probes[0]
	for _, p := range probes {
		if weight[p.Verdict] > weight[worst.Verdict] || p.Verdict == finding.Unknown && worst.Verdict == finding.Pass {
			worst = p
		}
	}
	result := worst
	result.Findings, result.NotChecked = nil, nil
	for _, p := range probes {
		for _, f := range p.Findings {
			same := func(o finding.Finding) bool { return o.Rule == f.Rule && o.Place == f.Place }
			if !slices.ContainsFunc(result.Findings, same) {
				result.Findings = append(result.Findings, f)
			}
		}
		for _, n := range p.NotChecked {
			if !slices.Contains(result.NotChecked, n) {
				result.NotChecked = append(result.NotChecked, n)
			}
		}
	}
	return result
}

// aboutPort and aboutAnswer are the rules whose findings are the probe's fault
// as much as the program's.
var (
	aboutPort   = []string{"unexposed-port", "wrong-endpoint-port", "port-env-ignored"}
	aboutAnswer = []string{"status-refused", "host-refused", "https-redirect", "slow-response", "not-http", "tls-on-port"}
)

// inManifest places a finding at the manifest's line, if it is about what that
// says.
func (c *check) inManifest(f *finding.Finding) bool {
	w, p := c.Workload, c.probe
	if f.Place.File != "" {
		return true
	}
	at := finding.Place{}
	switch {
	case p != nil && slices.Contains(aboutPort, f.Rule):
		at = p.PortPlace
	case p != nil && slices.Contains(aboutAnswer, f.Rule):
		at = p.PathPlace
	case p != nil && f.Rule == "slow-boot":
		at = p.Place
	case f.Rule == "out-of-memory":
		at = w.At[manifest.AtMemory]
	default:
		at = w.At[f.Place.Field]
	}
	if at.File == "" {
		return false
	}
	if f.Fix != nil && f.Fix.Instruction != "" {
		// The Dockerfile's instruction is not what runs.
		f.Fix.Description = fmt.Sprintf("%s, in %s as in %s", f.Fix.Description, w.File, f.Fix.Instruction)
		f.Fix.Instruction, f.Fix.Change = "", finding.Change{}
	}
	if start := strings.Index(at.Source, f.Place.Words); f.Place.Words != "" && start >= 0 {
		at.Words, at.Column, at.EndColumn = f.Place.Words, start+1, start+1+len(f.Place.Words)
	}
	f.Place = at
	return true
}
