package report

// Edit is the change of one file that makes the fixes of all errors that have
// an exact one.
type Edit struct {
	File string // as the user would name it
	// Recorded: the file is the one that the image's provenance holds, and not
	// one of this machine.
	Recorded      bool
	Before, After []byte
	Diff          string   // unified; applies with git apply
	Rules         []string // whose findings it mends, in the order of the findings
	// Left are the rules of errors that it does not mend.
	Left []string
}
