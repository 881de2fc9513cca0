package servers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// remedies offers the changes that would cure a fault, where there is one.
func (run *invocation) remedies() {
	if run.p.Daemonizes == facts.Yes && run.p.FixForeground == nil {
		run.p.FixForeground = run.firstRemedy(run.server.Foreground, "stay in the foreground")
	}
	private := slices.IndexFunc(run.p.Listens, func(l facts.Listen) bool {
		return l.Network == "tcp" && l.Port != 0 && (l.Scope == facts.ScopeLoopback || l.Scope == facts.ScopeAddress || l.Scope == facts.ScopeAny6)
	})
	if private < 0 || run.p.FixPublic != nil {
		return
	}
	ways := slices.Clone(run.server.Public)
	for i := range ways {
		port := strconv.Itoa(run.p.Listens[private].Port)
		ways[i].Value = strings.ReplaceAll(ways[i].Value, "{port}", port)
		ways[i].Env = strings.ReplaceAll(ways[i].Env, "{port}", port)
	}
	run.p.FixPublic = run.firstRemedy(ways, "listen on all interfaces")
}

// firstRemedy takes the first fix that can be made.
func (run *invocation) firstRemedy(ways []fix, says string) []facts.Remedy {
	for _, f := range ways {
		if f.Present && run.option(append(run.synonyms(f.Flag), f.Flag)) == nil {
			continue
		}
		if r := run.remedy(f, says); r != nil {
			return r
		}
	}
	return nil
}

// remedy carries out one fix; none when it cannot be made.
func (run *invocation) remedy(f fix, says string) []facts.Remedy {
	r := facts.Remedy{Description: orElse(f.Says, says)}
	words := run.command.Words()
	switch {
	case f.Edit != "":
		r.Edit = f.Edit
	case f.Env != "":
		r.Env = []string{f.Env}
	case len(f.Argv) > 0:
		r.Argv = slices.Clone(f.Argv)
	case f.Flag != "":
		r.Argv = run.setFlag(f)
	case f.Positional != nil:
		r.Argv = run.setArgument(*f.Positional, f.Value)
	case len(f.Remove) > 0:
		r.Argv = run.without(f.Remove)
	case len(f.Replace) > 0:
		for i, w := range words {
			if by, ok := f.Replace[w]; ok {
				r.Argv = slices.Replace(slices.Clone(words), i, i+1, strings.Fields(by)...)
				break
			}
		}
	}
	if len(f.Insert) > 0 || len(f.Append) > 0 {
		base := orWords(r.Argv, words)
		at := min(run.insert, len(base))
		r.Argv = append(slices.Insert(slices.Clone(base), at, f.Insert...), f.Append...)
	}
	if r.Argv == nil && r.Env == nil && r.Edit == "" {
		return nil
	}
	if r.Argv != nil && slices.Equal(r.Argv, run.command.Words()) {
		return nil
	}
	return []facts.Remedy{r}
}

func orWords(words, other []string) []string {
	if words == nil {
		return other
	}
	return words
}

// setFlag changes an option's value wherever it stands, or inserts the option
// right after the program's words.
func (run *invocation) setFlag(f fix) []string {
	words := run.command.Words()
	names := append([]string{f.Flag}, run.synonyms(f.Flag)...)
	o := run.option(names)
	switch {
	case o == nil && f.End:
		return append(words, f.Flag, f.Value)
	case o == nil:
		return slices.Insert(words, run.insert, f.Flag, f.Value)
	case o.at < 0: // given without a value
		return slices.Replace(words, o.index, o.index+1, f.Flag, f.Value)
	}
	for _, o := range run.options {
		if o.at < 0 || !contains(names, o.name) || isPublic(o.value) && run.option(names).at != o.at {
			continue
		}
		if !run.command.Argv[o.at].Known {
			return nil
		}
		words[o.at] = words[o.at][:o.from] + keepPort(o.value, f.Value)
	}
	return words
}

// isPublic reports whether an address is one of all interfaces already.
func isPublic(address string) bool {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	host, _, _ := cutPort(address)
	return scope(host, false) == facts.ScopeAny
}

// keepPort changes only the host when both are addresses.
func keepPort(old, want string) string {
	host, port, ok := cutPort(old)
	newHost, _, wantPort := cutPort(want)
	if _, err := portNumber(port); err != nil {
		return want
	}
	if !ok || !wantPort || host == "" {
		return want
	}
	if scheme, _, found := strings.Cut(host, "://"); found && !strings.Contains(newHost, "://") {
		newHost = scheme + "://" + newHost
	}
	return newHost + ":" + port
}

// synonyms are the other spellings of an option.
func (run *invocation) synonyms(flag string) []string {
	s := run.server
	sets := []*setting{s.Host, s.Port}
	if s.Bind != nil {
		sets = append(sets, &s.Bind.setting)
	}
	for _, set := range sets {
		if set != nil && contains(set.Flags, flag) {
			return set.Flags
		}
	}
	return nil
}

func (run *invocation) setArgument(n int, value string) []string {
	words := run.command.Words()
	if n < len(run.args) {
		words[run.args[n]] = value
		return words
	}
	return append(words, value)
}

// without takes options and their values away, also out of clusters.
func (run *invocation) without(names []string) []string {
	words := run.command.Words()
	drop := map[int]bool{}
	for _, o := range run.options {
		if !contains(names, o.name) {
			continue
		}
		if o.at > o.index {
			drop[o.at] = true
		}
		if w := words[o.index]; len(o.name) == 2 && len(w) > 2 && w[1] != '-' {
			words[o.index] = strings.Replace(w, o.name[1:], "", 1)
			continue
		}
		drop[o.index] = true
	}
	var kept []string
	for i, w := range words {
		if !drop[i] {
			kept = append(kept, w)
		}
	}
	return kept
}
