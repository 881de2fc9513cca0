package ignore

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/finding"
)

func TestInline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []Ignore
		errs []string
	}{
		"above an instruction": {
			"FROM a\n# imglint ignore=loopback-bind a sidecar listens\nCMD [\"a\"]\n",
			[]Ignore{{Rule: "loopback-bind", Reason: "a sidecar listens", From: "D:2", File: "D", Line: 3, EndLine: 3}}, nil,
		},
		"two rules, blank lines, other comments, CRLF": {
			"FROM a\r\n  #imglint  ignore=a,b why\r\n\r\n# more\r\nCMD a \\\r\n  # in between\r\n  b\r\nUSER x\r\n",
			[]Ignore{
				{Rule: "a", Reason: "why", From: "D:2", File: "D", Line: 5, EndLine: 7},
				{Rule: "b", Reason: "why", From: "D:2", File: "D", Line: 5, EndLine: 7},
			}, nil,
		},
		"a here-document": {
			"FROM a\n# imglint ignore=a why\nRUN <<-EOF cat\n# imglint ignore=b not a comment\n\tEOF\nCMD a\n",
			[]Ignore{{Rule: "a", Reason: "why", From: "D:2", File: "D", Line: 3, EndLine: 5}}, nil,
		},
		"escape": {
			"# escape=`\nFROM a\n# imglint ignore=a why\nCMD a `\n b\nUSER c\n",
			[]Ignore{{Rule: "a", Reason: "why", From: "D:3", File: "D", Line: 4, EndLine: 5}}, nil,
		},
		"no reason":      {"# imglint ignore=a\nFROM a\n", nil, []string{"D:1: ignore a: say why, after the rule's name"}},
		"no rule":        {"# imglint ignore=a,,b why\nFROM a\n", nil, []string{`D:1: ignore "a,,b": a rule's name is missing`}},
		"no instruction": {"FROM a\n# imglint ignore=a why\n", nil, []string{"D:2: ignore a: no instruction is below it"}},
		"other tools":    {"# hadolint ignore=DL3006\nFROM a\n# imglint is nice\nCMD a\n", nil, nil},
		"nothing":        {"", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, errs := Inline("D", []byte(c.text))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.errs, texts(errs)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func texts(errs []error) []string {
	var all []string
	for _, err := range errs {
		all = append(all, err.Error())
	}
	return all
}

func TestFromLabel(t *testing.T) {
	t.Parallel()
	got, errs := FromLabel("a no port is wanted; b,c why\n\nd")
	want := []Ignore{
		{Rule: "a", Reason: "no port is wanted", From: "label dev.imglint.ignore"},
		{Rule: "b", Reason: "why", From: "label dev.imglint.ignore"},
		{Rule: "c", Reason: "why", From: "label dev.imglint.ignore"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"label dev.imglint.ignore: ignore d: say why, after the rule's name"}, texts(errs)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	found := finding.Finding{Rule: "a", Place: finding.Place{File: "D", Line: 4}}
	for name, c := range map[string]struct {
		ignore Ignore
		want   bool
	}{
		"rule":            {Ignore{Rule: "a"}, true},
		"other rule":      {Ignore{Rule: "b"}, false},
		"image":           {Ignore{Rule: "a", Image: "app"}, true},
		"other image":     {Ignore{Rule: "a", Image: "app:2"}, false},
		"lines":           {Ignore{Rule: "a", File: "D", Line: 3, EndLine: 4}, true},
		"lines before":    {Ignore{Rule: "a", File: "D", Line: 1, EndLine: 3}, false},
		"lines elsewhere": {Ignore{Rule: "a", File: "E", Line: 3, EndLine: 4}, false},
	} {
		if got := c.ignore.Covers("app:latest", found); got != c.want {
			t.Errorf("%s: covers %t, want %t", name, got, c.want)
		}
	}
}

func TestSameImage(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]bool{
		{"app", "app:latest"}:                   true,
		{"reg:5000/app", "reg:5000/app:latest"}: true,
		{"reg:5000/app", "reg:5000/app:1"}:      false,
		{"app@sha256:00", "app"}:                false,
	} {
		if got := SameImage(pair[0], pair[1]); got != want {
			t.Errorf("%v: %t, want %t", pair, got, want)
		}
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	until := time.Date(2030, 5, 31, 0, 0, 0, 0, time.UTC)
	for now, want := range map[time.Time]bool{
		until.Add(23 * time.Hour): false, until.Add(24 * time.Hour): true, until.AddDate(-1, 0, 0): false,
	} {
		if got := (Ignore{Until: until}).Expired(now); got != want {
			t.Errorf("%s: expired %t, want %t", now, got, want)
		}
	}
	if (Ignore{}).Expired(until) {
		t.Error("an ignore without a last day expired")
	}
}
