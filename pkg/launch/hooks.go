package launch

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// hook is a script that the official nginx images run before nginx
// (nginx/docker-nginx, entrypoint/), told by its name and by words of its text.
type hook struct {
	text string
	// does is what it comes to; nil: it changes no address. The IPv6 hook adds
	// "listen [::]:80" beside "listen 80".
	does func(*follower, *facts.Command) bool
}

var hooks = map[string]hook{
	"10-listen-on-ipv6-by-default.sh": {text: `listen  [::]:80;`},
	"20-envsubst-on-templates.sh":     {text: "auto_envsubst", does: (*follower).fillTemplates},
	"30-tune-worker-processes.sh":     {text: "AUTOTUNE"},
}

// hooked says what one of nginx's hooks comes to; ok is false for other
// programs.
func (f *follower) hooked(c facts.Command) (facts.Command, bool) {
	h, ok := hooks[path.Base(c.Name())]
	if !ok || path.Dir(c.Name()) != "/docker-entrypoint.d" {
		return c, false
	}
	text, err := f.read(c.Name())
	if err != nil || !strings.Contains(text, h.text) {
		return c, false
	}
	c.Runs = []facts.Command{}
	return c, h.does == nil || h.does(f, &c)
}

// fillTemplates writes nginx's templates out with the environment filled in.
func (f *follower) fillTemplates(c *facts.Command) bool {
	env := newVars(c.Env)
	get := func(name, other string) string {
		if text, _, _ := env.lookup(name); text != "" {
			return text
		}
		return other
	}
	from, to := get("NGINX_ENVSUBST_TEMPLATE_DIR", "/etc/nginx/templates"), get("NGINX_ENVSUBST_OUTPUT_DIR", "/etc/nginx/conf.d")
	suffix := get("NGINX_ENVSUBST_TEMPLATE_SUFFIX", ".template")
	if get("NGINX_ENVSUBST_FILTER", "") != "" || f.files == nil {
		return false
	}
	switch f.exists(from) {
	case facts.No:
		return true
	case facts.Unknown:
		return false
	}
	err := fs.WalkDir(f.files, inside(from), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, suffix) {
			return err
		}
		if strings.HasSuffix(name, ".stream-template") {
			return fmt.Errorf("%s is for streams", name)
		}
		text, err := f.read("/" + name)
		if err != nil {
			return err
		}
		out := path.Join(to, strings.TrimSuffix(strings.TrimPrefix("/"+name, path.Clean(from)+"/"), suffix))
		filled, known := fill(text, env, c.EnvUnknown)
		if !known {
			c.Runs = append(c.Runs, Writes(out).Runs...)
			return nil
		}
		if f.launch.Written == nil {
			f.launch.Written = map[string]string{}
		}
		f.launch.Written[out] = filled
		f.trail(c.Name(), "writes %s with the environment filled in", out)
		return nil
	})
	return err == nil
}

var filled = regexp.MustCompile(`\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))`)

// fill replaces the variables that are set, as envsubst with their list does;
// known is false when only a run can tell one of them.
func fill(text string, env vars, unknown []string) (out string, known bool) {
	known = true
	return filled.ReplaceAllStringFunc(text, func(v string) string {
		m := filled.FindStringSubmatch(v)
		name := m[1] + m[2]
		value, set, certain := env.lookup(name)
		switch {
		case slices.Contains(unknown, name) || set && !certain:
			known = false
			return v
		case !set:
			known = known && !given[name]
			return v
		}
		return value
	}), known
}
