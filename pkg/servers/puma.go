package servers

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

var (
	pumaSetting = regexp.MustCompile(`^([ \t]*)(bind|port|ssl_bind|activate_control_app|eval|require|require_relative|load)\b[ \t(]*(.*?)\)?[ \t]*(?:[ \t]#.*)?$`)
	rubyFetch   = regexp.MustCompile(`^ENV\.fetch\(["'](\w+)["'](?:,\s*([^)]*))?\)\s*(?:\{\s*([^}]*)\})?(?:\.to_i)?$`)
	rubyIndex   = regexp.MustCompile(`^\(?ENV\[["'](\w+)["']\]\s*(?:\|\|\s*([^)]*))?\)?(?:\.to_i)?$`)
	rubyInside  = regexp.MustCompile(`#\{([^{}]*(?:\{[^}]*\})?[^{}]*)\}`)
)

// puma: -b and -p add up and replace what the configuration file says.
func puma(run *invocation) {
	run.pumaWorkers()
	var ports []*option
	for i := range run.options {
		if o := &run.options[i]; o.name == "-p" || o.name == "--port" {
			ports = append(ports, o)
		}
	}
	if o := run.option([]string{"--control-url"}); o != nil {
		run.unknown("--control-url opens one more port")
	}
	given := run.option(run.server.Bind.Flags) != nil
	if given {
		run.addresses()
	}
	for _, o := range ports {
		if err := run.known(o); err != nil {
			run.unknown("%v", err)
			continue
		}
		n, err := portNumber(orElse(o.value, "0"))
		if err != nil {
			run.unknown("%s says the port is %q", o.name, o.value)
			continue
		}
		run.addListen("0.0.0.0", n, "puma's default", o.name)
	}
	if given || len(ports) > 0 {
		return
	}
	run.pumaFile()
	if len(run.p.Listens) == 0 && run.p.Complete {
		run.addListen("0.0.0.0", 9292, "puma's default", "puma's default")
	}
}

// pumaWorkers: --preload loads the application before the workers, who have
// worker_boot_timeout (60 s) for it otherwise; no workers, no limit.
func (run *invocation) pumaWorkers() {
	if run.option([]string{"--preload"}) == nil {
		run.p.FixPreload = run.remedy(fix{Insert: []string{"--preload"}}, "load the app before the workers start")
	}
	workers := "-w"
	if o := run.option([]string{"-w", "--workers"}); o != nil {
		workers = o.name
	}
	run.p.Unlimited = run.remedy(fix{Flag: workers, Value: "0"}, "load the app in the first process")
}

// pumaFile reads the first configuration file that exists.
func (run *invocation) pumaFile() {
	environment := "development"
	for _, name := range []string{"RAILS_ENV", "RACK_ENV", "APP_ENV"} {
		environment = orElse(run.env[name], environment)
	}
	if o := run.option([]string{"-e", "--environment"}); o != nil {
		environment = o.value
	}
	names, named := []string{"config/puma/" + environment + ".rb", "config/puma.rb"}, false
	if o := run.option([]string{"-C", "--config"}); o != nil {
		names, named = []string{o.value}, true
	}
	if run.option([]string{"--no-config"}) != nil || named && names[0] == "-" {
		return
	}
	for _, name := range names {
		file := run.absolute(name)
		text, err := run.read(file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !named:
			continue
		case err != nil:
			run.unknown("%s may decide and was not read: %v", file, err)
			return
		}
		run.pumaLines(file, text)
		return
	}
}

func (run *invocation) pumaLines(file, text string) {
	for i, line := range strings.Split(text, "\n") {
		m := pumaSetting.FindStringSubmatch(strings.TrimSuffix(line, "\r"))
		if m == nil {
			continue
		}
		from := fmt.Sprintf("%s:%d", file, i+1)
		value, ok := run.ruby(m[3])
		if m[1] != "" || !ok || m[2] != "bind" && m[2] != "port" {
			run.unknown("%s: imglint cannot tell what %q does", from, strings.TrimSpace(line))
			continue
		}
		if m[2] == "bind" {
			run.add(value, run.server.Bind.Address, from)
			continue
		}
		if n, err := portNumber(value); err == nil {
			run.addListen("0.0.0.0", n, "puma's default", from)
		} else {
			run.unknown("%s says the port is %q", from, value)
		}
	}
}

// ruby evaluates literals and the environment.
func (run *invocation) ruby(expr string) (string, bool) {
	expr = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(expr), ")"))
	if strings.Count(expr, "(") > strings.Count(expr, ")") {
		expr += ")"
	}
	for _, re := range []*regexp.Regexp{rubyFetch, rubyIndex} {
		m := re.FindStringSubmatch(expr)
		if m == nil {
			continue
		}
		if value, ok := run.env[m[1]]; ok {
			return value, true
		}
		fallback := strings.TrimSpace(strings.Join(m[2:], ""))
		if fallback == "" {
			return "", false
		}
		return run.ruby(fallback)
	}
	if _, err := portNumber(expr); err == nil {
		return expr, true
	}
	if len(expr) < 2 || expr[0] != expr[len(expr)-1] || strings.IndexByte(`"'`, expr[0]) < 0 || strings.IndexByte(expr[1:len(expr)-1], expr[0]) >= 0 {
		return "", false
	}
	ok := true
	text := rubyInside.ReplaceAllStringFunc(expr[1:len(expr)-1], func(part string) string {
		value, known := run.ruby(part[2 : len(part)-1])
		ok = ok && known
		return value
	})
	return text, ok && !strings.Contains(text, "#{")
}
