package probe

import (
	"net/netip"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
)

func TestRedirected(t *testing.T) {
	t.Parallel()
	to := netip.MustParseAddrPort("198.18.0.2:8000")
	for name, c := range map[string]struct {
		location string
		host     string
		status   int
		want     string
	}{
		"a path":                 {location: "/login", want: "/login"},
		"a path with a query":    {location: "/login?next=/up#top", want: "/login?next=/up"},
		"beside it":              {location: "ready", want: "/health/ready"},
		"a folder beside it":     {location: "ready/", want: "/health/ready/"},
		"above it":               {location: "../", want: "/"},
		"another query":          {location: "?a=b", want: "/health/up?a=b"},
		"this address":           {location: "http://198.18.0.2:8000/up/", want: "/up/"},
		"this address, no path":  {location: "http://198.18.0.2:8000", want: "/"},
		"this host":              {location: "http://Containers/x", host: "containers", want: "/x"},
		"this host, same scheme": {location: "//containers?x", host: "containers", want: "/?x"},
		"another port":           {location: "http://198.18.0.2:9000/"},
		"another host":           {location: "http://shop.example/"},
		"https":                  {location: "https://198.18.0.2:8000/"},
		"another scheme":         {location: "mailto:a@example"},
		"no authority":           {location: "http:/x"},
		"nowhere":                {location: ""},
		"created":                {location: "/new", status: 201},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.status == 0 {
				c.status = 302
			}
			got, ok := redirected(facts.Probe{Path: "/health/up", Host: c.host}, to, facts.Answer{Status: c.status, Location: c.location})
			if ok != (c.want != "") || ok && got != c.want {
				t.Errorf("%q leads to %q, %v; want %q", c.location, got, ok, c.want)
			}
		})
	}
}
