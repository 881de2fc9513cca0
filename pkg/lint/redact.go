package lint

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/report"
)

// secretKey is what a variable with a secret is usually called.
var secretKey = regexp.MustCompile(`(?i)key|token|secret|pass|pwd|credential|auth|private|dsn|url`)

// The shortest values that are hidden: a shorter one would also be found where
// it means something else, a port or a number.
const (
	shortestSecret = 4 // of a variable that is called like one
	shortestValue  = 8
)

// redactorFor hides the values of the variables that the user and a manifest
// give. What the image or its Dockerfile holds in the clear is no secret, and
// would be missing in the fixes, unless the variable is called like one.
func (o Options) redactorFor(image facts.Image) *redactor {
	known, _ := json.Marshal(image.Config) // strings and numbers
	env := o.Env
	if o.Workload != nil {
		for _, kv := range o.Workload.Env {
			if key, _, _ := strings.Cut(kv, "="); secretKey.MatchString(key) {
				env = append(env[:len(env):len(env)], kv)
			}
		}
	}
	return newRedactor(env, string(known), string(o.Dockerfile.Text))
}

// newRedactor hides the values of variables: a program that prints its
// environment must not put them into a report. Values that the known texts
// hold are left, if nothing but their length speaks for a secret.
func newRedactor(env []string, known ...string) *redactor {
	r := &redactor{}
	for _, kv := range env {
		key, value, _ := strings.Cut(kv, "=")
		secret := secretKey.MatchString(key)
		switch {
		case secret && len(value) >= shortestSecret:
			r.add(value, "["+key+"]", true)
		case len(value) >= shortestValue && !address(value) && !held(known, value):
			r.add(value, "["+key+"]", false)
		}
		for _, password := range passwordsOf(value) {
			r.add(password, "[password of "+key+"]", true)
		}
	}
	return r
}

// address reports whether a value is where something listens, which every
// report is about.
func address(value string) bool {
	if _, err := netip.ParseAddrPort(value); err == nil {
		return true
	}
	_, err := netip.ParseAddr(value)
	return err == nil || value == "localhost" || strings.HasPrefix(value, "localhost:") && len(value) <= len("localhost:65535")
}

func held(texts []string, value string) bool {
	quoted, _ := json.Marshal(value)
	for _, text := range texts {
		if strings.Contains(text, value) || strings.Contains(text, string(quoted[1:len(quoted)-1])) {
			return true
		}
	}
	return false
}

// userinfo is the name and the password of an address, whether net/url takes
// the rest or not.
var userinfo = regexp.MustCompile(`://([^/@:\s]*):([^\s/]+)@`)

// passwordsOf is the password in an address, as it is written and as it is
// meant, which a program may print apart from it. One that is also the user's
// name is no secret, and a word that means something elsewhere.
func passwordsOf(value string) []string {
	m := userinfo.FindStringSubmatch(value)
	if m == nil || len(m[2]) < shortestValue || m[1] == m[2] {
		return nil
	}
	if plain := unpercent(m[2]); plain != m[2] {
		return []string{m[2], plain}
	}
	return []string{m[2]}
}

// redact hides what r knows in everything that a result holds.
func redact(r *redactor, result *report.Result) {
	redactValue(r, reflect.ValueOf(result))
	result.Err = r.error(result.Err)
}

func redactValue(r *redactor, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			redactValue(r, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				redactValue(r, v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // a file that --fix writes
		}
		for i := range v.Len() {
			redactValue(r, v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			element := v.MapIndex(key)
			if element.Kind() != reflect.String {
				redactValue(r, element)
				continue
			}
			v.SetMapIndex(key, reflect.ValueOf(r.Replace(element.String())).Convert(element.Type()))
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(r.Replace(v.String()))
		}
	}
}

// error is err without the secrets in its words; nil stays nil.
func (r *redactor) error(err error) error {
	if err == nil {
		return nil
	}
	if text := r.Replace(err.Error()); text != err.Error() {
		return discreetError{err, text}
	}
	return err
}

// discreetError is an error whose words hold no secrets.
type discreetError struct {
	error
	text string
}

func (e discreetError) Error() string { return e.text }

func (e discreetError) Unwrap() error { return e.error }

// discreet is a watcher that is told no secrets.
type discreet struct {
	Watcher
	redactor *redactor
}

// Log passes a line on without its secrets.
func (d discreet) Log(line facts.LogLine) {
	line.Text = d.redactor.Replace(line.Text)
	d.Watcher.Log(line)
}
