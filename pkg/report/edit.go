package report

// Edit is the change of the user's files that makes the fixes of all errors
// that have an exact one.
type Edit struct {
	Files []EditedFile
	// Recorded: the Dockerfile is the one that the image's provenance holds,
	// and not one of this machine.
	Recorded bool
	Diff     string   // unified; applies with git apply
	Rules    []string // whose findings it mends, in the order of the findings
	// Left are the rules of errors that it does not mend.
	Left []string
}

// EditedFile is one file of an Edit.
type EditedFile struct {
	File          string // as the user would name it
	Before, After []byte
}
