package launch

import "github.com/imglint/imglint/pkg/facts"

// RewriteFile is Rewrite for a command that stands in a script file: it changes
// the words of the last command, which stand between start and end of the
// script's text, and leaves every other byte alone.
func RewriteFile(text string, start, end int, l facts.Launch, argv []string) (string, bool) {
	l.Command.Origin, l.Ends = facts.Origin{Start: start, End: end}, ""
	return rewriteScript(text, l, argv)
}
