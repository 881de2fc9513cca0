package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

var views = []view{
	{"desktop-light", 1100, 900, "light", "screen"},
	{"desktop-dark", 1100, 900, "dark", "screen"},
	{"phone-light", 360, 740, "light", "screen"},
	{"phone-dark", 360, 740, "dark", "screen"},
	{"print", 800, 1100, "light", "print"},
}

// TestPageInBrowser looks at the page as people do: on a wide and a narrow
// screen, light, dark and on paper.
func TestPageInBrowser(t *testing.T) {
	t.Parallel()
	b := open(t)
	format, _ := FindFormat("html")
	html := write(t, format, results(t))
	for _, v := range views {
		b.show(html, v)
		b.screenshot(v.name)
		if wide := b.eval(`document.documentElement.scrollWidth`); wide != float64(v.width) {
			t.Errorf("%s: the page is %v pixels wide, the screen %d", v.name, wide, v.width)
		}
		if got := b.complaints(); len(got) > 0 {
			t.Errorf("%s: the browser complains: %q", v.name, got)
		}
		if got := b.eval(contrast); got != "" {
			t.Errorf("%s: text that is hard to read: %v", v.name, got)
		}
		if small := b.eval(tooSmall); small != "" {
			t.Errorf("%s: cannot be touched: %v", v.name, small)
		}
	}
}

// contrast finds text whose contrast is below 4.5:1 (WCAG 2.2, 1.4.3).
const contrast = `(() => {
	const rgba = text => { const n = text.match(/[\d.]+/g).map(Number); return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1] };
	const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 }); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
	const behind = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c.slice(0, 3) } return [255, 255, 255] };
	const bad = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n = walk.nextNode(); n; n = walk.nextNode()) {
		const e = n.parentElement;
		if (!n.data.trim() || e.closest("title,.skip") || !e.getClientRects().length) continue;
		const style = getComputedStyle(e);
		const ink = rgba(e.closest("svg") ? style.fill : style.color).slice(0, 3);
		const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		if (ratio < 4.5) bad.add(e.tagName + "." + (e.className.baseVal ?? e.className) + " in " + e.parentElement.className + " " + ratio.toFixed(2) + " " + n.data.trim().slice(0, 20));
	}
	return [...bad].join("; ");
})()`

// tooSmall finds links outside of text that are lower than 24 pixels (WCAG
// 2.2, 2.5.8).
const tooSmall = `[...document.querySelectorAll("a.cell, summary")].filter(e => e.getBoundingClientRect().height < 24).map(e => e.textContent).join("; ")`

// TestPageForScreenReaders reads the page as assistive technology does.
func TestPageForScreenReaders(t *testing.T) {
	t.Parallel()
	b := open(t)
	format, _ := FindFormat("html")
	b.show(write(t, format, results(t)[:1]), views[0])
	b.do("Accessibility.enable", nil)
	tree := b.do("Accessibility.getFullAXTree", nil)
	var got []string
	for _, node := range tree["nodes"].([]any) {
		n := node.(map[string]any)
		role, name := axText(n["role"]), axText(n["name"])
		switch role {
		case "heading", "image", "main", "article", "banner":
			got = append(got, strings.TrimSpace(role+" "+name))
		}
	}
	want := []string{
		"banner", "heading Will the release health check pass?", "main", "article shop/loopback-bind:v1",
		"heading shop/loopback-bind:v1", "heading Aptible asks", "heading The image answers", "heading Findings",
		"heading gunicorn listens on 127.0.0.1:8000, which nothing outside the container can reach",
		"heading From start to answer", "heading Ports", "heading Processes", "heading Log",
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("assistive technology does not see %q in\n%s", w, strings.Join(got, "\n"))
		}
	}
	picture := slices.IndexFunc(got, func(s string) bool {
		return strings.HasPrefix(s, "image gunicorn runs. listens on 127.0.0.1:8000, loopback only. from outside")
	})
	if picture < 0 {
		t.Errorf("the timeline has no text for those who do not see it: %q", got)
	}
	if order := b.eval(`[...document.querySelectorAll("h1,h2,h3,h4")].map(h => h.tagName[1]).join("")`); !headingsNest(order.(string)) {
		t.Errorf("heading levels are skipped: %v", order)
	}
	if got := b.eval(`[...document.querySelectorAll("[id]")].length - new Set([...document.querySelectorAll("[id]")].map(e => e.id)).size`); got != 0.0 {
		t.Errorf("%v ids are not unique", got)
	}
	if got := b.eval(`[...document.querySelectorAll("[aria-labelledby]")].filter(e => !document.getElementById(e.getAttribute("aria-labelledby"))).length`); got != 0.0 {
		t.Errorf("%v labels are missing", got)
	}
}

func axText(v any) string {
	m, _ := v.(map[string]any)
	s, _ := m["value"].(string)
	return s
}

func headingsNest(levels string) bool {
	last := '0'
	for _, level := range levels {
		if level > last+1 {
			return false
		}
		last = level
	}
	return levels != ""
}

// hostileTexts try to leave every context of the page.
var hostileTexts = []string{
	`<script>document.title="owned"</script>`,
	`</title><script>document.title="owned"</script>`,
	`</style><script>document.title="owned"</script><style>*{display:none}`,
	`"><img src="http://canary.invalid/x.png" onerror="document.title='owned'">`,
	`' onmouseover='document.title="owned"' x='`,
	`<svg onload="document.title='owned'"><a href="javascript:document.title='owned'">x</a></svg>`,
	`javascript:document.title="owned"`,
	`--><iframe srcdoc="<script>parent.document.title='owned'</script>"></iframe>`,
	`{{.Title}}{{template "page"}}`,
	"\u202egnp.exe\x1b]0;owned\x07\x00",
	`&lt;script&gt;`,
	`<meta http-equiv="refresh" content="0;url=http://canary.invalid/">`,
	`<base href="http://canary.invalid/"><link rel="stylesheet" href="//canary.invalid/a.css">`,
}

// hostile is a result that says nothing else.
func hostile(t *testing.T) []Result {
	t.Helper()
	var all []Result
	for _, evil := range hostileTexts {
		r := results(t)[0]
		r.Ref, r.Reason = evil, evil
		r.NotChecked = []finding.NotChecked{{What: evil, Why: evil}}
		for i := range r.Findings {
			f := &r.Findings[i]
			f.Message, f.Detail, f.Rule = evil, evil, evil
			f.Place.File, f.Place.Source, f.Place.Inherited = evil, evil, ""
			f.Evidence = []finding.Evidence{{Kind: evil, Text: evil}}
			f.Fix.Description, f.Fix.Instruction, f.Fix.Proof = evil, evil, evil
			f.Fix.Diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-" + evil + "\n+" + evil + "\n"
		}
		f := r.Facts
		f.Image.Digest, f.Image.OS, f.Target.Platform, f.Target.Title = evil, evil, evil, evil
		f.Target.Probe.Path, f.Target.Probe.Host, f.Target.Endpoint.ChosenBy = evil, evil, evil
		f.Launch.Command.Argv = []facts.Word{{Text: evil}}
		f.Launch.Trail = []facts.Step{{Where: evil, Did: evil}}
		for i := range f.Run.Events {
			e := &f.Run.Events[i]
			e.Argv = []string{evil}
			if e.Process != nil {
				e.Process.Argv = []string{evil}
			}
			if e.Socket != nil {
				e.Socket.Argv = []string{evil}
			}
			if e.Answer != nil {
				e.Answer.Location, e.Answer.Server, e.Answer.Error = evil, evil, evil
			}
		}
		f.Run.Argv = []string{evil}
		f.Run.Log.Lines = []facts.LogLine{{Text: evil, Stream: evil}}
		all = append(all, r)
	}
	return all
}

// TestHostilePage: nothing that an image says becomes markup, loads, or runs.
func TestHostilePage(t *testing.T) {
	t.Parallel()
	b := open(t)
	format, _ := FindFormat("html")
	html := write(t, format, hostile(t))
	b.show(html, views[0])
	if got := b.eval(`document.title`); got != "imglint" {
		t.Errorf("the title became %q", got)
	}
	foreign := `[...document.querySelectorAll("*")].filter(e => !` + allowed + `.includes(e.localName) || [...e.attributes].some(a => a.name.startsWith("on") || a.name === "style" || /^\s*javascript:/i.test(a.value))).map(e => e.outerHTML.slice(0, 200)).join("\n")`
	if got := b.eval(foreign); got != "" {
		t.Errorf("an image made elements of its own:\n%v", got)
	}
	if got := b.eval(`document.querySelectorAll("script,iframe,img,base,link,meta[http-equiv=refresh]").length`); got != 0.0 {
		t.Errorf("%v elements that load or run", got)
	}
	if shown := b.eval(`document.querySelector(".log code").textContent`); shown != hostileTexts[0] {
		t.Errorf("the log line is shown as %q", shown)
	}
	if got := b.complaints(); len(got) > 0 {
		t.Errorf("the browser complains: %q", got)
	}
	if bytes.ContainsAny(html, "\x1b\x07\x00") || bytes.Contains(html, []byte("\u202e")) {
		t.Error("the page holds control characters")
	}
}

// allowed are the elements that the template makes.
const allowed = `["html","head","meta","title","style","body","a","header","p","span","svg","path","h1","h2","h3","h4","main","section","table","thead","tbody","tr","th","td","strong","article","div","ul","ol","li","code","dl","dt","dd","br","mark","ins","del","line","text","rect","circle","details","summary"]`

// TestPolicyHolds puts markup into the page itself, as if escaping had failed:
// the policy alone must keep it from running and loading.
func TestPolicyHolds(t *testing.T) {
	t.Parallel()
	b := open(t)
	format, _ := FindFormat("html")
	html := string(write(t, format, results(t)[:1]))
	evil := `<script>document.title="owned"</script><img src="http://canary.invalid/x.png" onerror="document.title='owned'"><style>body{display:none}</style><link rel="stylesheet" href="http://canary.invalid/a.css"><p style="color:red" onclick="document.title='owned'" id="evil">x</p>`
	b.show([]byte(strings.Replace(html, `<main id="main">`, `<main id="main">`+evil, 1)), views[0])
	b.eval(`document.getElementById("evil").click()`)
	if got := b.eval(`document.title`); got != "shop/loopback-bind:v1 · imglint" {
		t.Errorf("the title became %q", got)
	}
	if got := b.eval(`getComputedStyle(document.body).display`); got == "none" {
		t.Error("a foreign style was applied")
	}
	if b.eval(`getComputedStyle(document.body).maxWidth + getComputedStyle(document.querySelector("main")).maxWidth`) == "nonenone" {
		t.Error("the page's own style was not applied")
	}
	complaints := strings.Join(b.complaints(), "\n")
	if !strings.Contains(complaints, "Content Security Policy") {
		t.Errorf("the browser refused nothing, so this test proves nothing: %s", complaints)
	}
	for _, e := range b.events {
		if e.method == "Network.responseReceived" && strings.Contains(e.params, "canary.invalid") {
			t.Errorf("something was loaded: %s", e.params)
		}
	}
}

// TestLargePage: a flood of everything makes a page that can still be read.
func TestLargePage(t *testing.T) {
	t.Parallel()
	r := results(t)[0]
	run := r.Facts.Run
	long := strings.Repeat("x", 4096)
	run.Events = run.Events[:len(run.Events):len(run.Events)]
	for i := range 50_000 {
		e := run.Events[i%7]
		e.T = facts.Millis(i)
		if e.Process != nil {
			e.Process = &facts.Process{PID: i + 2, PPID: i + 1, Argv: []string{long, long}}
		}
		run.Events = append(run.Events, e)
		run.Log.Lines = append(run.Log.Lines, facts.LogLine{T: facts.Millis(i), Text: long})
	}
	format, _ := FindFormat("html")
	html := write(t, format, []Result{r})
	if len(html) > 3<<20 {
		t.Errorf("the page is %d bytes", len(html))
	}
	if want := fmt.Sprintf("%d lines are left out", len(run.Log.Lines)-logFirst-logLast); !bytes.Contains(html, []byte(want)) {
		t.Errorf("the page does not say that %s", want)
	}
}

// TestPageMatrix: an image on several platforms is one row, each cell a link
// to its own part of the page.
func TestPageMatrix(t *testing.T) {
	t.Parallel()
	var all []Result
	for _, ref := range []string{"a", "b"} {
		for i, platform := range []string{"aptible", "render"} {
			r := results(t)[i*3]
			r.Ref, r.Facts.Target.Platform = ref, platform
			all = append(all, r)
		}
	}
	platforms, rows := matrix(append(all, Result{Ref: "c", Err: io.EOF}))
	if diff := cmp.Diff([]string{"aptible", "render"}, platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	want := []matrixRow{
		{"a", []matrixCell{{"#image-1", "fail", "FAIL", "loopback-bind"}, {"#image-2", "pass", "PASS", "answered after 0.4s"}}},
		{"b", []matrixCell{{"#image-3", "fail", "FAIL", "loopback-bind"}, {"#image-4", "pass", "PASS", "answered after 0.4s"}}},
		{"c", []matrixCell{{"#image-5", "unknown", "NOT CHECKED", "could not be checked"}, {}}},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	format, _ := FindFormat("html")
	if text := string(write(t, format, all)); !strings.Contains(text, "2 images on 2 platforms: 2 fail, 2 pass") {
		t.Error("the page does not count its images and platforms")
	}
}

func TestSeconds(t *testing.T) {
	t.Parallel()
	for text, d := range map[string]facts.Millis{"3 min": 180_000, "10 s": 10_000, "1.5 s": 1500, "1 min 30 s": 90_000, "0.3 s": 300} {
		if diff := cmp.Diff(text, seconds(d.Duration())); diff != "" {
			t.Errorf("%d ms (-want +got):\n%s", d, diff)
		}
	}
}
