package launch

import (
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// switchUser follows su and runuser: [options] [-] [USER] -c SCRIPT in any
// order, and runuser -u USER [--] COMMAND.
func (f *follower) switchUser(words []word) []word {
	s := suWords{shell: "sh"}
	if !s.parse(words[1:]) {
		return f.settle(words, facts.Unknown, words[0].Text+" has options that imglint does not know")
	}
	if s.login {
		kept := f.vars
		f.clearEnv()
		for _, name := range s.keep {
			if value, ok := kept[name]; ok {
				f.vars[name] = value
			}
		}
	}
	f.user, f.first = s.user, facts.No
	switch {
	case s.script != nil:
		f.trail(where(words), "%s runs a script as %s", words[0].Text, s.user)
		return append([]word{known(s.shell), known("-c"), *s.script}, s.rest...)
	case len(s.rest) > 0 && s.command:
		f.trail(where(words), "%s runs %s as %s", words[0].Text, s.rest[0].Text, s.user)
		return s.rest
	}
	return f.settle(words, facts.Unknown, words[0].Text+" starts a login shell")
}

type suWords struct {
	shell   string
	user    string
	script  *word
	login   bool
	command bool // runuser -u: the rest is a command, not a user
	keep    []string
	rest    []word
}

func (s *suWords) parse(words []word) bool {
	s.user = "root"
	named := false
	for i := 0; i < len(words); i++ {
		text := words[i].Text
		name, value, joined := strings.Cut(text, "=")
		switch {
		case !words[i].Known:
			return false
		case text == "-" || text == "-l" || text == "--login":
			s.login = true
		case slices.Contains([]string{"-m", "-p", "-P", "--pty", "--preserve-environment"}, text):
		case text == "--":
			s.rest = append(s.rest, words[i+1:]...)
			return true
		case strings.HasPrefix(text, "-"):
			if !joined {
				if i++; i == len(words) {
					return false
				}
				value = words[i].Text
			}
			if !s.option(name, value, words[i], joined) {
				return false
			}
			named = named || s.command
		case s.command:
			s.rest = words[i:]
			return true
		case !named:
			s.user, named = text, true
		default:
			s.rest = append(s.rest, words[i])
		}
	}
	return true
}

func (s *suWords) option(name, value string, w word, joined bool) bool {
	switch name {
	case "-c", "--command":
		if joined {
			w = known(value)
		}
		s.script = &w
	case "-s", "--shell":
		s.shell = value
	case "-u", "--user":
		s.user, s.command = value, true
	case "-w", "--whitelist-environment":
		s.keep = strings.Split(value, ",")
	case "-g", "-G", "--group", "--supp-group":
	default:
		return false
	}
	return true
}
