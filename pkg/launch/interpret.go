package launch

import (
	"io/fs"

	"github.com/imglint/imglint/pkg/facts"
)

// Interpreter runs a shell script of the image without running any program.
// It is asked only about scripts that cannot be decided by reading them.
type Interpreter interface {
	Interpret(Script, fs.FS) (Ways, error)
}

// Script is a shell script and the surroundings it starts in.
type Script struct {
	Name    string       `json:"name"` // $0, and the file in messages
	Text    string       `json:"text"`
	Params  []facts.Word `json:"params,omitempty"`
	Env     []string     `json:"env,omitempty"`     // KEY=VALUE
	Unknown []string     `json:"unknown,omitempty"` // exported, but only a run can tell the value
	Dir     string       `json:"dir,omitempty"`
	UID     int          `json:"uid"` // -1: not known
	Home    string       `json:"home,omitempty"`
	// Bash: the shell is certainly bash, which goes on when a file to include
	// is missing; POSIX shells end there (dash and busybox: status 2, measured).
	Bash bool `json:"bash,omitempty"`
	// Written are the files that scripts before this one have written.
	Written map[string]string `json:"written,omitempty"`
}

// Ways are the ways through a script, the likeliest first: the one on which
// every program succeeds.
type Ways struct {
	Ways []Way `json:"ways,omitempty"`
	// More: there are ways that were not tried.
	More bool `json:"more,omitempty"`
	// UsesArgs: the script, or one that it includes, reads its arguments.
	UsesArgs bool `json:"usesArgs,omitempty"`
}

// WayEnd tells how a way through a script ends.
type WayEnd string

// The ends of a way.
const (
	WayExec      WayEnd = "exec"      // Command replaces the shell
	WayEnds      WayEnd = "ends"      // nothing is left to run, or exit 0
	WayLoop      WayEnd = "loop"      // the shell repeats Command for ever
	WayFails     WayEnd = "fails"     // the shell ends with an error, Code
	WayUndecided WayEnd = "undecided" // Why says what only a run can tell
)

// Way is one way through a script.
type Way struct {
	End     WayEnd         `json:"end"`
	Code    int            `json:"code,omitempty"`
	Why     string         `json:"why,omitempty"`
	Line    int            `json:"line,omitempty"` // of the command, or of what Why tells
	File    string         `json:"file,omitempty"`
	Command *facts.Command `json:"command,omitempty"`
	// Before and Background are as in facts.Launch; Sent is how many commands
	// ran before the last one went to the background.
	Before     []facts.Command `json:"before,omitempty"`
	Background []facts.Command `json:"background,omitempty"`
	Sent       int             `json:"sent,omitempty"`
	Waits      bool            `json:"waits,omitempty"` // the shell waits for Background at the end
	Traps      bool            `json:"traps,omitempty"`
	// Written holds the files the script wrote whose text is known.
	Written   map[string]string `json:"written,omitempty"`
	Decisions []Decision        `json:"decisions,omitempty"`
}

// Decision is an assumption that a way makes.
type Decision struct {
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
	Text  string `json:"text"`  // what is decided: "pg_isready -h db"
	Chose string `json:"chose"` // "succeeds", "fails", "is x"
}
