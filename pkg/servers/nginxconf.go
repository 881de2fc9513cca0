package servers

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// directive is one directive of an nginx configuration.
type directive struct {
	name  string
	args  []string
	block []directive
	file  string
	line  int
}

// nginxParser reads a configuration and what it includes. Our own: the known
// parsers open includes on the host.
type nginxParser struct {
	run   *invocation
	dir   string // where relative includes start
	depth int
	files int
}

// maxNginxFiles bounds what is read of an image.
const maxNginxFiles = 40

func (p *nginxParser) parse(file string) ([]directive, error) {
	p.files++
	if p.files > maxNginxFiles {
		return nil, errors.New("there are too many configuration files")
	}
	text, err := p.run.read(file)
	if err != nil {
		return nil, fmt.Errorf("%s was not read: %w", file, err)
	}
	tokens := nginxTokens(text)
	all, rest := p.block(tokens, file)
	if len(rest) > 0 {
		return nil, fmt.Errorf("%s:%d: unexpected }", file, rest[0].line)
	}
	return p.include(all)
}

// include puts the files named by include directives in their place.
func (p *nginxParser) include(list []directive) ([]directive, error) {
	var all []directive
	for _, d := range list {
		if d.block != nil {
			block, err := p.include(d.block)
			if err != nil {
				return nil, err
			}
			d.block = append([]directive{}, block...)
		}
		if d.name != "include" || len(d.args) != 1 {
			all = append(all, d)
			continue
		}
		included, err := p.included(d.args[0])
		if err != nil {
			return nil, err
		}
		all = append(all, included...)
	}
	return all, nil
}

func (p *nginxParser) included(pattern string) ([]directive, error) {
	if base := path.Base(pattern); base == "mime.types" || strings.HasSuffix(base, "_params") || base == "fastcgi.conf" {
		return nil, nil // never listens
	}
	if !path.IsAbs(pattern) {
		pattern = path.Join(p.dir, pattern)
	}
	files := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		var err error
		if files, err = p.run.glob(pattern); err != nil {
			return nil, fmt.Errorf("%s was not listed: %w", pattern, err)
		}
	}
	var all []directive
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > 8 {
		return nil, errors.New("includes are nested too deeply")
	}
	for _, file := range files {
		part, err := p.parse(file)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

type nginxToken struct {
	text  string
	line  int
	plain bool // not quoted: ; { } mean something
}

// nginxTokens splits a configuration into words.
func nginxTokens(text string) []nginxToken {
	var tokens []nginxToken
	line := 1
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '\n':
			line++
			i++
		case strings.IndexByte(" \t\r", c) >= 0:
			i++
		case c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case strings.IndexByte(";{}", c) >= 0:
			tokens = append(tokens, nginxToken{string(c), line, true})
			i++
		default:
			word, n := nginxWord(text[i:])
			tokens = append(tokens, nginxToken{word, line, false})
			line += strings.Count(text[i:i+n], "\n")
			i += n
		}
	}
	return tokens
}

// nginxWord reads one word and returns how many bytes it takes.
func nginxWord(text string) (string, int) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case quote != 0 && c == quote:
			return b.String(), i + 1
		case quote != 0:
			b.WriteByte(c)
		case i == 0 && (c == '"' || c == '\''):
			quote = c
		case c == '$' && strings.HasPrefix(text[i:], "${"):
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return text, len(text)
			}
			b.WriteString(text[i : i+end+1])
			i += end
		case strings.IndexByte(" \t\r\n;{", c) >= 0:
			return b.String(), i
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), len(text)
}

// block reads directives up to a closing brace.
func (p *nginxParser) block(tokens []nginxToken, file string) (all []directive, rest []nginxToken) {
	var words []nginxToken
	for len(tokens) > 0 {
		t := tokens[0]
		tokens = tokens[1:]
		if !t.plain {
			words = append(words, t)
			continue
		}
		switch t.text {
		case "}":
			return all, append([]nginxToken{t}, tokens...)
		case "{":
			d := newDirective(words, file, t.line)
			d.block = []directive{}
			inner, after := p.block(tokens, file)
			d.block = append(d.block, inner...)
			all = append(all, d)
			tokens = after[min(1, len(after)):]
		case ";":
			if len(words) > 0 {
				all = append(all, newDirective(words, file, t.line))
			}
		}
		words = nil
	}
	return all, nil
}

func newDirective(words []nginxToken, file string, line int) directive {
	d := directive{file: file, line: line}
	for i, w := range words {
		if i == 0 {
			d.name, d.line = w.text, w.line
			continue
		}
		d.args = append(d.args, w.text)
	}
	return d
}
