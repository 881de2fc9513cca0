package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// TestEncode: a document holds no controls, and still says the same.
func TestEncode(t *testing.T) {
	t.Parallel()
	const text = "a\x1b[2J\x7f\u009b31m\u202eb\U000E0001 é <&> \U0001F511"
	for _, indent := range []string{"", "  "} {
		var b bytes.Buffer
		if err := encode(&b, []string{text}, indent); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(b.String(), func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }) {
			t.Errorf("controls in %q", b.String())
		}
		var back []string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || back[0] != text {
			t.Errorf("read back %q, %v", back, err)
		}
	}
}
