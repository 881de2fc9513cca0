package cli

import "github.com/imglint/imglint/pkg/lint"

// words splits the arguments at --, whose place cobra tells; -1: there is none.
func words(args []string, dash int) (images, command []string) {
	if dash < 0 || dash == len(args) {
		return args, nil
	}
	return args[:dash], args[dash:]
}

// command takes over what was typed instead of the images' own command.
func (s *settings) command(o *lint.Options, f *flags) {
	if n := len(f.entrypoint); n > 0 {
		o.Entrypoint, o.Command = []string{}, nil
		if last := f.entrypoint[n-1]; last != "" {
			o.Entrypoint = []string{last}
		}
	}
	if s.words != nil {
		o.Command = s.words
	}
}
