package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// is reports whether the history entry can come from this step. Values that
// depend on build arguments or on the base image's environment are not known
// here, so a text with a $ in it is compared by its fixed parts only.
func (s *step) is(e entry) bool {
	if e.verb != s.verb {
		return false
	}
	want := readEntryText(s.history)
	if want.verb == e.verb && squeeze(want.payload) == squeeze(e.payload) {
		return true
	}
	switch c := s.command.(type) {
	case *instructions.CmdCommand:
		return sameWords(c.ShellDependantCmdLine, e.payload)
	case *instructions.EntrypointCommand:
		return sameWords(c.ShellDependantCmdLine, e.payload)
	case *instructions.RunCommand:
		return sameRun(c, e.payload)
	case *instructions.EnvCommand:
		return samePairs(c.Env, e.payload)
	case *instructions.LabelCommand:
		return samePairs(c.Labels, e.payload)
	case *instructions.ExposeCommand:
		return samePorts(c.Ports, want.payload, e.payload)
	case *instructions.ArgCommand:
		return sameArgs(c, e.payload)
	case *instructions.CopyCommand:
		return sameCopy(c.SourcesAndDest, e)
	case *instructions.AddCommand:
		return sameCopy(c.SourcesAndDest, e)
	case *instructions.WorkdirCommand:
		return sameDir(c.Path, e.payload)
	}
	return sameCopied(s.command, e.payload)
}

// sameCopied compares the instructions whose words builders copy.
func sameCopied(command instructions.Command, payload string) bool {
	switch c := command.(type) {
	case *instructions.UserCommand:
		return fixed(c.User, payload)
	case *instructions.StopSignalCommand:
		return fixed(c.Signal, payload)
	case *instructions.ShellCommand:
		return fixed(strings.Join(c.Shell, " "), strings.Trim(payload, "[]"))
	case *instructions.VolumeCommand:
		return fixed(strings.Join(c.Volumes, " "), strings.Trim(payload, "[]"))
	case *instructions.MaintainerCommand:
		return fixed(c.Maintainer, payload)
	}
	// A HEALTHCHECK is printed in a form of its own by every builder.
	return true
}

func readEntryText(text string) entry {
	text = strings.TrimSpace(strings.TrimSuffix(text, "# buildkit"))
	verb, payload, _ := strings.Cut(text, " ")
	return entry{verb: verb, payload: strings.TrimSpace(payload)}
}

// squeeze makes runs of blanks one blank: builders differ in them.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }

// fixed compares a text that builders copy, unless it depends on variables.
func fixed(want, got string) bool {
	return strings.Contains(want, "$") || squeeze(want) == squeeze(got)
}

// sameWords compares a CMD or ENTRYPOINT; in the shell form the shell is the
// base image's, so only what it is given counts.
func sameWords(want instructions.ShellDependantCmdLine, payload string) bool {
	got, ok := quotedList(payload)
	if !ok {
		return fixed(strings.Join(want.CmdLine, " "), payload)
	}
	if !want.PrependShell {
		return slices.Equal(want.CmdLine, got)
	}
	return len(got) > 0 && len(want.CmdLine) > 0 && squeeze(got[len(got)-1]) == squeeze(want.CmdLine[0])
}

// sameRun looks for the command behind the shell and the build arguments.
func sameRun(c *instructions.RunCommand, payload string) bool {
	if len(c.Files) > 0 {
		return true // a heredoc: builders of different age print it differently
	}
	return strings.HasSuffix(squeeze(payload), squeeze(strings.Join(c.CmdLine, " ")))
}

// samePairs compares KEY=VALUE …; a value is only compared when it is fixed.
func samePairs(want instructions.KeyValuePairs, payload string) bool {
	payload = squeeze(payload)
	for _, kv := range want {
		key, value := unquote(kv.Key), unquote(kv.Value)
		if strings.ContainsAny(key, "$\\") {
			continue
		}
		text := key + "="
		if !strings.ContainsAny(value, "$\\\"'") {
			text += squeeze(value)
		}
		_, rest, found := strings.Cut(" "+payload, " "+text)
		if !found {
			return false
		}
		payload = strings.TrimSpace(rest)
	}
	return true
}

// unquote takes off one pair of quotes around a whole word.
func unquote(word string) string {
	if n := len(word); n >= 2 && (word[0] == '"' || word[0] == '\'') && word[0] == word[n-1] {
		return word[1 : n-1]
	}
	return word
}

// samePorts compares the ports as sets: builders sort them, and expand ranges
// or do not.
func samePorts(ports []string, want, got string) bool {
	if strings.Contains(strings.Join(ports, " "), "$") {
		return true
	}
	if want == "" {
		want = strings.Join(ports, " ")
	}
	return slices.Equal(portSet(want), portSet(got))
}

// sameArgs compares the names: values come from the command line.
func sameArgs(c *instructions.ArgCommand, payload string) bool {
	for _, a := range c.Args {
		if !strings.Contains(" "+payload+" ", " "+a.Key+" ") && !strings.Contains(" "+payload, " "+a.Key+"=") {
			return false
		}
	}
	return true
}

// sameCopy compares the destination; the classic builder keeps no more:
// "COPY file:HASH in /dest ".
func sameCopy(c instructions.SourcesAndDest, e entry) bool {
	dest := unquote(c.DestPath)
	if strings.Contains(dest, "$") {
		return true
	}
	words := strings.Fields(e.payload)
	if len(words) == 0 {
		return false
	}
	got := words[len(words)-1]
	if !path.IsAbs(dest) {
		return true // relative to a WORKDIR that may be the base's
	}
	return path.Clean(got) == path.Clean(dest)
}

func sameDir(dir, payload string) bool {
	if strings.Contains(dir, "$") {
		return true
	}
	if !path.IsAbs(dir) {
		return strings.HasSuffix(path.Clean(payload), strings.TrimPrefix(path.Clean("/"+dir), "/"))
	}
	return path.Clean(dir) == path.Clean(payload)
}
