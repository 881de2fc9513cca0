package lint

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
)

// TestRedactEscaped: a secret is hidden however it is written.
func TestRedactEscaped(t *testing.T) {
	t.Parallel()
	quote := func(s string) string {
		b, _ := json.Marshal(s)
		return string(b[1 : len(b)-1])
	}
	encoded := func(e *base64.Encoding, before, after string) func(string) string {
		return func(s string) string { return e.EncodeToString([]byte(before + s + after)) }
	}
	ways := map[string]func(string) string{
		"plain":             func(s string) string { return s },
		"JSON":              quote,
		"JSON in JSON":      func(s string) string { return quote(quote(s)) },
		"ASCII of Go":       strconv.QuoteToASCII,
		"Go":                strconv.Quote,
		"bytes of Python":   func(s string) string { return escapedBytes(s, `\x%02x`) },
		"octal":             func(s string) string { return escapedBytes(s, `\%03o`) },
		"UTF-16":            func(s string) string { return quoteUTF16(s) },
		"query":             url.QueryEscape,
		"path":              url.PathEscape,
		"twice in a query":  func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
		"lower case query":  func(s string) string { return lowerPercent(url.QueryEscape(s)) },
		"HTML":              html.EscapeString,
		"shell":             func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
		"slashes of PHP":    func(s string) string { return strings.ReplaceAll(quote(s), "/", `\/`) },
		"base64":            encoded(base64.StdEncoding, "", ""),
		"base64 in an URL":  encoded(base64.RawURLEncoding, "", ""),
		"Basic of a user":   encoded(base64.StdEncoding, "u:", ""),
		"Basic of another":  encoded(base64.StdEncoding, "us:", "\n"),
		"Basic of a third":  encoded(base64.StdEncoding, "use:", "more"),
		"base64 in a query": func(s string) string { return url.QueryEscape(encoded(base64.StdEncoding, "u:", "")(s)) },
		"hex":               func(s string) string { return hex.EncodeToString([]byte(s)) },
		"HEX":               func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
	}
	for _, secret := range []string{`p@ss"w0rd/quux+zed=\x41~Ünï`, "it's <b>&amp; 100% %41\\u00e9 \U0001F511", `\\"\n\`, "plainenough", "%25%25%25", "~~~???>>>"} {
		r := newRedactor([]string{"API_KEY=" + secret})
		for way, write := range ways {
			text := "before " + write(secret) + " after"
			got := r.Replace(text)
			if !strings.Contains(got, "[API_KEY]") || strings.Contains(got, secret) || !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
				t.Errorf("%s: %q became %q", way, text, got)
			}
		}
	}
}

func escapedBytes(s, format string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '\\':
			b.WriteString(`\\`)
		case c < 0x20 || c >= 0x7f:
			fmt.Fprintf(&b, format, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// quoteUTF16 is JSON as Python writes it.
func quoteUTF16(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c > 0xffff:
			c -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		case c > 0x7e:
			fmt.Fprintf(&b, `\u%04x`, c)
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func lowerPercent(s string) string {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' {
			s = s[:i] + strings.ToLower(s[i:i+3]) + s[i+3:]
		}
	}
	return s
}

// TestRedactPieces: of several values that begin alike the longest is hidden,
// of one that a text was cut off in what is left of it, and of one of several
// lines each.
func TestRedactPieces(t *testing.T) {
	t.Parallel()
	r := newRedactor([]string{
		"A_KEY=abcd", "B_KEY=abcdefghijklmnop", "DATABASE_URL=postgres://shop:correct-horse-battery@db:5432/shop",
		"TLS_KEY=-----BEGIN-----\nMIIEvQIBADANBgkqhkiG\nAAAAB3NzaC1yc2EAAAAD\n-----END-----", "SETTINGS=shop.settings.prod",
	})
	tests := map[string]string{
		"abcdefghijklmnop and abcd":           "[B_KEY] and [A_KEY]",
		`it sent "hello abcdefghijk"`:         `it sent "hello [B_KEY]"`,
		`it sent "hello abcdefghijk…`:         `it sent "hello [B_KEY]…`,
		"at postgres://shop:correct":          "at [DATABASE_URL]",
		"AUTH correct-horse":                  "AUTH [password of DATABASE_URL]",
		"postgres":                            "postgres",
		"postgres://other:1/x":                "postgres://other:1/x",
		"MIIEvQIBADANBgkqhkiG":                "[TLS_KEY]",
		"shop.settings":                       "shop.settings",
		"shop.settings.prod":                  "[SETTINGS]",
		"correct-horse-battery is a password": "[password of DATABASE_URL] is a password",
	}
	for text, want := range tests {
		if got := r.Replace(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// TestRedactLeaves: what a report is about, and what stands in the image and
// its Dockerfile, is no secret.
func TestRedactLeaves(t *testing.T) {
	t.Parallel()
	o := Options{
		Env:        []string{"HOST=127.0.0.1", "BIND=127.0.0.1:8000", "NAME=localhost:8000", "STATIC=/usr/share/html", "MODULE=shop.settings", "TOKEN=shop.settings2"},
		Dockerfile: Dockerfile{Text: []byte(`CMD ["serve", "/usr/share/html", "shop.settings2"]`)},
	}
	r := o.redactorFor(facts.Image{Config: facts.Config{Env: []string{"MODULE=shop.settings"}}})
	const text = "127.0.0.1 127.0.0.1:8000 localhost:8000 /usr/share/html shop.settings "
	if got := r.Replace(text + "shop.settings2"); got != text+"[TOKEN]" {
		t.Errorf("left %q", got)
	}
	err := r.error(fmt.Errorf("start with shop.settings2: %w", ErrNoImage))
	if got, want := err.Error(), "start with [TOKEN]: no such image"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

// BenchmarkRedactLog hides ten secrets in the largest log that is kept.
func BenchmarkRedactLog(b *testing.B) {
	var env []string
	for i := range 10 {
		env = append(env, fmt.Sprintf("KEY%d=%dpqowieur%%laksjdfh\"zmxncb", i, i))
	}
	r := newRedactor(env)
	for name, text := range map[string]string{"words": strings.Repeat("GET /index.html 200 ", 50_000), "signs": strings.Repeat(`\\\\%%25`, 125_000)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.Replace(text)
			}
		})
	}
}
