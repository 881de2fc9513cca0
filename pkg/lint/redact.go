package lint

import (
	"net/url"
	"reflect"
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// secretKey is what a variable with a secret is usually called.
var secretKey = regexp.MustCompile(`(?i)key|token|secret|pass|pwd|credential|auth|private|dsn|url`)

// The shortest values that are hidden: a shorter one would also be found where
// it means something else, a port or a number.
const (
	shortestSecret = 4 // of a variable that is called like one
	shortestValue  = 8
)

// newRedactor hides the values of the variables that the user gave: a program
// that prints its environment must not put them into a report.
func newRedactor(env []string) *strings.Replacer {
	var pairs []string
	for _, kv := range env {
		key, value, _ := strings.Cut(kv, "=")
		least := shortestValue
		if secretKey.MatchString(key) {
			least = shortestSecret
		}
		if len(value) >= least {
			pairs = append(pairs, value, "["+key+"]")
		}
		if password := passwordOf(value); password != "" {
			pairs = append(pairs, password, "[password of "+key+"]")
		}
	}
	return strings.NewReplacer(pairs...)
}

// passwordOf is the password in an address, which a program may print apart
// from it. One that is also the user's name is no secret, and a word that means
// something elsewhere.
func passwordOf(value string) string {
	u, err := url.Parse(value)
	if err != nil || u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	if len(password) < shortestValue || password == u.User.Username() {
		return ""
	}
	return password
}

// redact replaces in every string that v, a pointer, leads to.
func redact(r *strings.Replacer, v any) { redactValue(r, reflect.ValueOf(v)) }

func redactValue(r *strings.Replacer, v reflect.Value) {
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

// discreet is a watcher that is told no secrets.
type discreet struct {
	Watcher
	redactor *strings.Replacer
}

// Log passes a line on without its secrets.
func (d discreet) Log(line facts.LogLine) {
	line.Text = d.redactor.Replace(line.Text)
	d.Watcher.Log(line)
}
