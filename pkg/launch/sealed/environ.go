package sealed

import (
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/interp"
)

// provided are the variables that the machine sets because the interpreter
// would take them from the host.
var provided = map[string]bool{"HOME": true, "UID": true, "EUID": true, "GID": true, "HOSTNAME": true, "TMPDIR": true, "PWD": true, "OLDPWD": true, "IFS": true, "OPTIND": true}

// environ is what the interpreter starts with: nothing of this process.
func (m *machine) environ() []string {
	have := map[string]bool{}
	var env []string
	for _, kv := range m.script.Env {
		key, value, _ := strings.Cut(kv, "=")
		have[key] = true
		env = append(env, key+"="+strings.Map(plain, value))
	}
	add := func(key, value string) {
		if !have[key] {
			env = append(env, key+"="+value)
		}
	}
	for _, key := range m.script.Unknown {
		add(key, string(m.unknown("$"+key)))
	}
	home, uid := m.script.Home, strconv.Itoa(m.script.UID)
	if home == "" {
		home = string(m.unknown("$HOME"))
	}
	if m.script.UID < 0 {
		uid = string(m.unknown("$UID"))
	}
	add("HOME", home)
	add("UID", uid)
	add("EUID", uid)
	add("GID", string(m.unknown("$GID")))
	add("HOSTNAME", string(m.unknown("$HOSTNAME")))
	add("TMPDIR", "/nowhere")
	return env
}

func plain(r rune) rune {
	if isUnknown(r) {
		return '?'
	}
	return r
}

// exported is the environment that a program would get.
func (m *machine) exported(hc interp.HandlerContext) []string {
	given := map[string]bool{}
	for _, kv := range m.script.Env {
		key, _, _ := strings.Cut(kv, "=")
		given[key] = true
	}
	values := map[string]string{}
	for name := range hc.Env.Each {
		value := hc.Env.Get(name)
		if value.Exported && value.IsSet() && !tainted(value.String()) && (!provided[name] || given[name]) {
			values[name] = value.String()
		}
	}
	var env []string
	for name, value := range values {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}
