package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// imageView is what the template sees of one image.
type imageView struct {
	ID              string
	Ref             string
	Class, Word     string // of the verdict
	Reason          string
	Basis           string
	Digest          string
	Platform        string
	Tally, Took     string
	Asks            []term
	Answers         []answerView
	Silence         string // why there are no answers
	Findings        []findingView
	Timeline        *timelineView
	Ports           []portView
	Processes       []processView
	Log             logView
	Trail           []facts.Step
	Command         string
	Survivors       []processView // of the second run
	Ignored         []term
	NotChecked      []finding.NotChecked
	Error           string
	PlatformAskedBy string
}

// term is a line of a list of terms.
type term struct{ Name, Value string }

// answerView sums up what one address answered.
type answerView struct {
	Address, From string
	Text, Class   string
	Sign          string
	Times         string
}

var signs = map[string]string{"pass": "✓", "fail": "✕"}

func imageViewOf(n int, r Result) imageView {
	v := imageView{
		ID: fmt.Sprintf("image-%d", n), Ref: clean(r.Ref), Class: verdictClass(r), Word: verdictWord(r),
		Reason: capital(clean(r.Reason)), Took: r.Took.Round(100 * time.Millisecond).String(), Tally: Tally(r.Findings),
	}
	if r.Err != nil {
		v.Error, v.Reason, v.Tally = clean(r.Err.Error()), "It could not be checked", ""
	}
	for _, f := range r.Findings {
		v.Findings = append(v.Findings, findingViewOf(f))
	}
	for _, i := range r.Ignored {
		v.Ignored = append(v.Ignored, term{clean(i.Rule), strings.TrimPrefix(ignoredText(i), clean(i.Rule)+": ")})
	}
	for _, c := range r.NotChecked {
		v.NotChecked = append(v.NotChecked, finding.NotChecked{What: clean(c.What), Why: clean(c.Why)})
	}
	if r.Facts != nil {
		v.addFacts(r)
	}
	return v
}

func (v *imageView) addFacts(r Result) {
	f := r.Facts
	v.Basis = string(r.Basis)
	v.Digest, v.Platform, v.PlatformAskedBy = clean(short(f.Image)), clean(f.Image.Platform()), clean(targetName(f.Target))
	v.Asks = asks(f.Target)
	v.Command = clean(strings.Join(f.Launch.Command.Words(), " "))
	for _, step := range f.Launch.Trail {
		v.Trail = append(v.Trail, facts.Step{Where: clean(step.Where), Did: clean(step.Did)})
	}
	v.Ports = ports(f)
	if f.Run == nil {
		v.Silence = "It was not run, so nothing was asked."
		return
	}
	v.Answers = answers(f)
	if len(v.Answers) == 0 {
		v.Silence = silence(f.Target.Endpoint.Port)
	}
	v.Log = logOf(f.Run, r.Findings)
	v.Timeline = timelineOf(v.ID, f, v.Log)
	v.Processes = processes(f.Run)
	v.Survivors = survivors(f.Wrapped)
}

// silence says why nothing was asked of the endpoint.
func silence(port int) string {
	if port == 0 {
		return "There is no port to ask."
	}
	return fmt.Sprintf("Nothing listened on port %d, so nothing answered.", port)
}

func targetName(t facts.Target) string {
	if t.Title != "" {
		return t.Title
	}
	return t.Platform
}

// asks says what the platform demands.
func asks(t facts.Target) []term {
	if t.Endpoint.Port == 0 {
		return []term{{"port", "none: " + clean(t.Endpoint.ChosenBy)}}
	}
	all := []term{{"request", fmt.Sprintf("%s http://<container>:%d%s", t.Probe.Method, t.Endpoint.Port, clean(t.Probe.Path))}}
	if t.Probe.TCP {
		all[0] = term{"connects to", fmt.Sprintf("<container>:%d", t.Endpoint.Port)}
	}
	if t.Probe.Host != "" && !t.Probe.TCP {
		all = append(all, term{"Host", clean(t.Probe.Host)})
	}
	accepts := "any HTTP status"
	switch {
	case t.Probe.TCP:
		accepts = "an open port"
	case len(t.Probe.Accept) > 0:
		accepts = "status " + statuses(t.Probe)
	}
	all = append(all, term{"accepts", accepts}, term{"within", seconds(t.BootWindow)})
	if t.Endpoint.ChosenBy != "" {
		all = append(all, term{"port chosen by", clean(t.Endpoint.ChosenBy)})
	}
	return all
}

// seconds is a duration as people say it.
func seconds(d time.Duration) string {
	switch {
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
}

// maxAnswers bounds the addresses that are shown.
const maxAnswers = 8

// answers sums up the endpoint's answers by address, the last one counts.
func answers(f *facts.Facts) []answerView {
	var all []answerView
	at, count := map[string]int{}, map[string]int{}
	for _, e := range f.Run.Answers(f.Target.Endpoint.Port) {
		a := e.Answer
		address := fmt.Sprintf("%s:%d", a.To, a.Port)
		i, ok := at[address]
		if !ok {
			if len(all) == maxAnswers {
				continue
			}
			i = len(all)
			at[address] = i
			all = append(all, answerView{Address: address, From: fromWhere(f, a)})
		}
		count[address]++
		all[i].Text, all[i].Class = outcome(a), outcomeClass(f.Target.Probe, a)
		all[i].Sign = signs[all[i].Class]
		if a.Loopback() && !f.Target.LoopbackReached {
			all[i].Class = "inside" // it does not count
		}
		all[i].Times = asked(count[address], e.T)
	}
	return all
}

func asked(n int, last facts.Millis) string {
	if n == 1 {
		return fmt.Sprintf("asked once, at %.1fs", last.Seconds())
	}
	return fmt.Sprintf("asked %d times, last at %.1fs", n, last.Seconds())
}

func fromWhere(f *facts.Facts, a *facts.Answer) string {
	switch {
	case a.Loopback() && f.Target.LoopbackReached:
		return "as " + clean(targetName(f.Target)) + " asks, from inside"
	case a.Loopback():
		return "from inside the container, which does not count"
	}
	return "as " + clean(targetName(f.Target)) + " asks, from outside"
}

// outcome is an answer in a few words.
func outcome(a *facts.Answer) string {
	switch a.Class {
	case facts.ClassHTTP:
		if a.Location != "" {
			return fmt.Sprintf("answered %d → %s", a.Status, clip(clean(a.Location), 80))
		}
		return fmt.Sprintf("answered %d", a.Status)
	case facts.ClassTLS:
		return "wants TLS"
	case facts.ClassOther:
		if a.Protocol != "" {
			return "speaks " + clean(a.Protocol)
		}
		return "does not speak HTTP"
	case facts.ClassClosed:
		return "closed without a word"
	case facts.ClassReset:
		return "reset without a word"
	case facts.ClassSilent:
		return "accepted and said nothing"
	case facts.ClassRefused:
		return "refused"
	}
	return clean("could not be asked: " + a.Error)
}

func outcomeClass(p facts.Probe, a *facts.Answer) string {
	if p.Passes(*a) {
		return "pass"
	}
	return "fail"
}

// clip shortens text to n characters.
func clip(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n-1]) + "…"
}
