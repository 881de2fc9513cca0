package launch

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
)

// rewriteScript edits the command's words inside a shell script and leaves
// every other byte alone.
func rewriteScript(script string, l facts.Launch, argv []string) (string, bool) {
	origin := l.Command.Origin
	if origin.Start < 0 || origin.End > len(script) || origin.Start >= origin.End {
		return "", false
	}
	segment := script[origin.Start:origin.End]
	words, ok := scriptWords(segment, l.Command)
	if !ok {
		return "", false
	}
	from, to, with := difference(l.Command.Words(), argv)
	e := editor{shell: segmentShell(segment, l.Command), segment: segment, words: words}
	edited, ok := e.replace(from, to, with)
	if !ok {
		return "", false
	}
	tail := script[origin.End:]
	if l.Ends != "" && len(with) == 0 && from == to { // only the & is in the way
		rest, found := strings.CutSuffix(strings.TrimSpace(tail), "&")
		if !found || strings.HasSuffix(rest, "&") || strings.ContainsAny(rest, ";\n") {
			return "", false
		}
		tail = rest
		if trimmed := strings.TrimSpace(rest); trimmed != "" {
			tail = " " + trimmed
		}
	}
	result := script[:origin.Start] + edited + tail
	return result, result != script
}

// scriptWord is one argument of the command as the script spells it.
type scriptWord struct {
	node  *syntax.Word
	text  string
	known bool
}

// scriptWords parses the segment and makes sure that its words are, one by
// one, the words of the command.
func scriptWords(segment string, command facts.Command) ([]scriptWord, bool) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(segment), "")
	if err != nil || len(file.Stmts) != 1 {
		return nil, false
	}
	call, ok := file.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Assigns) > 0 {
		return nil, false
	}
	s := segmentShell(segment, command)
	var words []scriptWord
	for _, arg := range call.Args {
		fields := s.field(arg)
		if len(fields) > 1 {
			return nil, false
		}
		if len(fields) == 1 {
			words = append(words, scriptWord{node: arg, text: fields[0].Text, known: fields[0].Known})
		}
	}
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	return words, slices.Equal(texts, command.Words())
}

// segmentShell expands the segment's words as Follow did.
func segmentShell(segment string, command facts.Command) *shell {
	v := vars{}
	for _, kv := range command.Env {
		if key, value, ok := strings.Cut(kv, "="); ok {
			v[key] = variableValue{text: value, exported: true}
		}
	}
	return &shell{f: &follower{vars: v, dir: path.Clean(command.Dir)}, source: segment}
}

// editor changes words of one simple command.
type editor struct {
	shell   *shell
	segment string
	words   []scriptWord
}

// replace puts other words in the place of words[from:to].
func (e editor) replace(from, to int, with []string) (string, bool) {
	switch {
	case from == to && len(with) == 0:
		return e.segment, true
	case from == to && from == len(e.words):
		return e.segment + " " + quoteAll(with), true
	case from == to:
		at := e.start(from)
		return e.segment[:at] + quoteAll(with) + " " + e.segment[at:], true
	case to-from == 1 && len(with) == 1:
		spelled, ok := e.edit(e.words[from], with[0])
		return e.segment[:e.start(from)] + spelled + e.segment[e.end(from):], ok
	case len(with) == 0: // take the blank in front away too
		return strings.TrimRight(e.segment[:e.start(from)], " \t") + e.segment[e.end(to-1):], true
	}
	return e.segment[:e.start(from)] + quoteAll(with) + e.segment[e.end(to-1):], true
}

func (e editor) start(i int) int { return int(e.words[i].node.Pos().Offset()) }
func (e editor) end(i int) int   { return int(e.words[i].node.End().Offset()) }

// special are the bytes that mean something to a shell.
const special = " \t\n\"'\\$`*?&|;<>()#~{}"

// edit changes one word and keeps the variables in it: 127.0.0.1:$PORT
// becomes 0.0.0.0:$PORT.
func (e editor) edit(w scriptWord, want string) (string, bool) {
	from, to := changed(w.text, want)
	middle := want[from : len(want)-(len(w.text)-to)]
	if strings.ContainsAny(middle, special) {
		return quoteAll([]string{want}), w.known
	}
	if !w.known { // its text is what is written
		return want, true
	}
	start := w.node.Pos().Offset()
	spelled := e.segment[start:w.node.End().Offset()]
	at := 0
	for _, part := range flatten(w.node.Parts) {
		value, ok := e.shell.value(&syntax.Word{Parts: []syntax.WordPart{part}})
		if !ok {
			break
		}
		lit, literal := part.(*syntax.Lit)
		if literal && lit.Value == value && from >= at && to <= at+len(value) {
			offset := int(lit.Pos().Offset()-start) - at
			return spelled[:offset+from] + middle + spelled[offset+to:], true
		}
		at += len(value)
	}
	return quoteAll([]string{want}), true
}

// flatten looks inside double quotes.
func flatten(parts []syntax.WordPart) []syntax.WordPart {
	var all []syntax.WordPart
	for _, p := range parts {
		if q, ok := p.(*syntax.DblQuoted); ok {
			all = append(all, flatten(q.Parts)...)
			continue
		}
		all = append(all, p)
	}
	return all
}

// changed is the range of old that differs from want.
func changed(old, want string) (from, to int) {
	for from < min(len(old), len(want)) && old[from] == want[from] {
		from++
	}
	to = len(old)
	for to > from && len(want)-(len(old)-to) > from && old[to-1] == want[len(want)-(len(old)-to)-1] {
		to--
	}
	return from, to
}

func quoteAll(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		q, err := syntax.Quote(w, syntax.LangPOSIX)
		if err != nil {
			q = w
		}
		all[i] = q
	}
	return strings.Join(all, " ")
}
