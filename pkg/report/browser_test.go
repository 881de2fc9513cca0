package report

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// browser is a headless Chromium, driven over the DevTools protocol on a pair
// of pipes (--remote-debugging-pipe): JSON messages that end in a NUL byte.
type browser struct {
	t       *testing.T
	to      io.WriteCloser
	from    *bufio.Reader
	id      int
	session string
	events  []event // that came in since the page was opened
}

// message is what travels in both directions.
type message struct {
	ID      int             `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

type event struct {
	method string
	params string
}

// open starts a browser that reaches nothing but files.
func open(t *testing.T) *browser {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs inherited pipes")
	}
	if testing.Short() {
		t.Skip("starts a browser: not with -short")
	}
	program, err := findChromium()
	if err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	profile, err := os.MkdirTemp("", "imglint-browser-*")
	if err != nil {
		t.Fatal(err)
	}
	in, to := pipe(t)
	from, out := pipe(t)
	cmd := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--hide-scrollbars", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+profile, "TMPDIR="+profile)
	cmd.ExtraFiles = []*os.File{in, out}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b := &browser{t: t, to: to, from: bufio.NewReaderSize(from, 1<<20)}
	t.Cleanup(func() {
		b.session = ""
		if _, err := b.try("Browser.close", nil); err != nil && !errors.Is(err, io.EOF) {
			t.Log(err)
		}
		cmd.Wait() // it was told to end; its status says nothing
		cancel()
		remove(t, profile)
	})
	return b
}

// remove removes a browser's profile, into which its helpers may write for a
// moment after the browser has ended.
func remove(t *testing.T, dir string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for os.RemoveAll(dir) != nil {
		select {
		case <-tick.C:
		case <-deadline:
			t.Errorf("cannot remove %s", dir)
			return
		}
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func findChromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", errors.New("needs Chromium: apt-get install chromium")
}

// do sends one command and returns its result.
func (b *browser) do(method string, params map[string]any) map[string]any {
	b.t.Helper()
	result, err := b.try(method, params)
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	return result
}

func (b *browser) try(method string, params map[string]any) (map[string]any, error) {
	b.id++
	text, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	if params == nil {
		text = []byte("{}")
	}
	out, err := json.Marshal(message{ID: b.id, Method: method, Session: b.session, Params: text})
	if err != nil {
		return nil, err
	}
	if _, err := b.to.Write(append(out, 0)); err != nil {
		return nil, err
	}
	return b.answer(b.id)
}

// answer reads until a command is answered and keeps the events in between.
func (b *browser) answer(id int) (map[string]any, error) {
	for {
		text, err := b.from.ReadBytes(0)
		if err != nil {
			return nil, err
		}
		var m message
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			return nil, err
		}
		switch {
		case m.ID == 0:
			b.events = append(b.events, event{m.Method, string(m.Params)})
		case m.ID == id && m.Error != nil:
			return nil, errors.New(m.Error.Message)
		case m.ID == id:
			result := map[string]any{}
			return result, json.Unmarshal(m.Result, &result)
		}
	}
}

// view is how the page is looked at.
type view struct {
	name          string
	width, height int
	scheme, media string
}

// show opens an HTML text in a new page and waits until it is loaded.
func (b *browser) show(html []byte, v view) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "page.html")
	if err := os.WriteFile(file, html, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.session, b.events = "", nil
	target := b.do("Target.createTarget", map[string]any{"url": "about:blank"})
	attached := b.do("Target.attachToTarget", map[string]any{"targetId": target["targetId"], "flatten": true})
	b.session = attached["sessionId"].(string)
	for _, domain := range []string{"Page", "Network", "Log", "Runtime"} {
		b.do(domain+".enable", nil)
	}
	b.do("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": v.width, "height": v.height, "deviceScaleFactor": 1, "mobile": v.width < 600,
	})
	b.do("Emulation.setEmulatedMedia", map[string]any{
		"media": v.media, "features": []map[string]string{{"name": "prefers-color-scheme", "value": v.scheme}},
	})
	b.do("Page.navigate", map[string]any{"url": "file://" + file})
	if got := b.eval(`new Promise(done => { if (document.readyState === "complete") done("complete"); else addEventListener("load", () => done("complete")) })`); got != "complete" {
		b.t.Fatalf("the page is %v", got)
	}
}

// eval runs a script as the developer tools do, whatever the page's policy.
func (b *browser) eval(script string) any {
	b.t.Helper()
	result := b.do("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true, "awaitPromise": true})
	if problem, ok := result["exceptionDetails"]; ok {
		b.t.Fatalf("script: %v", problem)
	}
	value, _ := result["result"].(map[string]any)
	return value["value"]
}

// screenshot keeps a picture of the whole page when IMGLINT_SCREENSHOTS names
// a directory for them.
func (b *browser) screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv("IMGLINT_SCREENSHOTS")
	if dir == "" {
		return
	}
	result := b.do("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true})
	picture, err := base64.StdEncoding.DecodeString(fmt.Sprint(result["data"]))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// complaints lists what the browser refused, loaded or logged.
func (b *browser) complaints() []string {
	b.t.Helper()
	b.eval(`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))`)
	var all []string
	for _, e := range b.events {
		switch e.method {
		case "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Page.javascriptDialogOpening":
			all = append(all, e.method+" "+e.params)
		case "Network.requestWillBeSent":
			var request struct{ Request struct{ URL string } }
			if err := json.Unmarshal([]byte(e.params), &request); err != nil {
				b.t.Fatal(err)
			}
			if url := request.Request.URL; filepath.Base(url) != "page.html" {
				all = append(all, "requested "+url)
			}
		}
	}
	return all
}
