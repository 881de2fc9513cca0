package launch

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// defaultPath is what container engines use when the image sets no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// given are variables that the engine or a shell sets by itself to values
// that the image does not tell.
var given = map[string]bool{
	"HOME": true, "HOSTNAME": true, "PWD": true, "OLDPWD": true, "USER": true, "LOGNAME": true, "SHLVL": true,
	"UID": true, "EUID": true, "PPID": true, "RANDOM": true, "SECONDS": true, "LINENO": true, "IFS": true,
	"OPTIND": true, "OPTARG": true, "BASH": true, "BASH_SOURCE": true, "BASH_VERSION": true, "_": true,
}

type variableValue struct {
	text     string
	unknown  bool
	exported bool
}

// vars are the variables of a shell; the exported ones are its environment.
type vars map[string]variableValue

// newVars merges environments; later ones win.
func newVars(envs ...[]string) vars {
	v := vars{}
	for _, env := range envs {
		for _, kv := range env {
			if key, value, ok := strings.Cut(kv, "="); ok {
				v[key] = variableValue{text: value, exported: true}
			}
		}
	}
	if _, ok := v["PATH"]; !ok {
		v["PATH"] = variableValue{text: defaultPath, exported: true}
	}
	return v
}

func (v vars) clone() vars { return maps.Clone(v) }

// lookup returns a variable; known is false when only a run can tell.
func (v vars) lookup(name string) (text string, set, known bool) {
	if value, ok := v[name]; ok {
		return value.text, true, !value.unknown
	}
	return "", false, !given[name]
}

// set assigns a variable and keeps it exported if it was.
func (v vars) set(name, text string, known, export bool) {
	export = export || v[name].exported
	v[name] = variableValue{text: text, unknown: !known, exported: export}
}

func (v vars) export(name string) {
	if value, ok := v[name]; ok {
		value.exported = true
		v[name] = value
	}
}

// environ returns the known exported variables, sorted.
func (v vars) environ() []string {
	var env []string
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if value := v[key]; value.exported && !value.unknown {
			env = append(env, key+"="+value.text)
		}
	}
	return env
}

// unknownNames returns the exported variables whose values are not known.
func (v vars) unknownNames() []string {
	var names []string
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if value := v[key]; value.exported && value.unknown && !given[key] {
			names = append(names, key)
		}
	}
	return names
}

// decisive are the names of variables that may decide what a server does. A
// script that sets a secret or a library path leaves the launch as it is.
var decisive = regexp.MustCompile(`(?i)PORT|HOST|BIND|ADDR|LISTEN|ARGS|OPT|URL|CONCURRENCY|ENV$|CONF|DAEMON|^PATH$|MODE|TIMEOUT|WORKER|PARAMS|COMMAND|CMD|SERVER`)

// unknownExported returns an exported variable whose value is not known and
// may matter.
func (v vars) unknownExported() string {
	for _, name := range v.unknownNames() {
		if decisive.MatchString(name) {
			return name
		}
	}
	return ""
}
