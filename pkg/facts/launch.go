package facts

import "github.com/imglint/imglint/pkg/finding"

// Launch is what finally runs: ENTRYPOINT and CMD with wrappers and shells
// followed to the last program.
type Launch struct {
	// Argv is what the engine executes. Empty: the image has no command.
	Argv []string `json:"argv,omitempty"`
	// Program describes the file that Argv[0] names.
	Program Program `json:"program"`
	// Known tells whether Command is certain. When it is not, Command holds
	// the last thing that could be followed and Why says what stopped it.
	Known Tri    `json:"known,omitempty"`
	Why   string `json:"why,omitempty"`
	// Command is the last program in the foreground.
	Command Command `json:"command"`
	// Final describes the file that Command.Argv[0] names.
	Final Program `json:"final"`
	// Limit says what ends Command after a time: "timeout ends gunicorn after 60s".
	Limit string `json:"limit,omitempty"`
	// Repeats: a shell runs Command again and again, for ever.
	Repeats bool `json:"repeats,omitempty"`
	// Before are the foreground commands that run to their end first.
	Before []Command `json:"before,omitempty"`
	// Background are the commands started with & before Command.
	Background []Command `json:"background,omitempty"`
	// Ends is set when no foreground program remains: the launcher itself
	// ends and the container with it ("the shell starts gunicorn with & and ends").
	Ends string `json:"ends,omitempty"`
	// Shell is the program that stays PID 1 in front of Command, "" when
	// Command is PID 1 itself.
	Shell string `json:"shell,omitempty"`
	// CommandIgnored is set when ENTRYPOINT certainly never uses CMD; says why.
	CommandIgnored string `json:"commandIgnored,omitempty"`
	// Alternatives are the other commands that a script may end in, when
	// something that only a run can tell decides. Known is then unknown.
	Alternatives []Alternative `json:"alternatives,omitempty"`
	// Written are the files, by path, that scripts write before Command runs
	// and whose text is known.
	Written map[string]string `json:"written,omitempty"`
	// Healthcheck describes the program that the image's HEALTHCHECK runs; nil
	// when there is none, or when it cannot be told.
	Healthcheck *Program `json:"healthcheck,omitempty"`
	// Scripts are the shell scripts of the image that were followed, in order.
	Scripts []string `json:"scripts,omitempty"`
	// Spot is where Command stands, when that is in one of Scripts. That of a
	// command before it is in the command.
	Spot *Spot `json:"spot,omitempty"`
	// FixExec starts Command in the shell's place, FixArguments lets the
	// entrypoint run CMD; filled in by the collector where an exact edit does.
	FixExec      []Remedy `json:"fixExec,omitempty"`
	FixArguments []Remedy `json:"fixArguments,omitempty"`
	// FixWords gives a shell or tini in front of Command its words as it wants them.
	FixWords []Remedy `json:"fixWords,omitempty"`
	// Trail are the steps taken, for a person to read.
	Trail []Step `json:"trail,omitempty"`
}

// Spot is a place in a text file of the image.
type Spot struct {
	Path      string `json:"path"`
	Line      int    `json:"line"`      // first is 1
	Column    int    `json:"column"`    // in bytes, first is 1
	EndColumn int    `json:"endColumn"` // one past the last byte, on the same line
	Text      string `json:"text"`      // the line
}

// Alternative is another way that a launch may go.
type Alternative struct {
	Argv []string `json:"argv,omitempty"` // empty: the container ends
	// Because is what decides, for a reader: "/ep.sh:4: pg_isready fails".
	Because string `json:"because"`
}

// Step is one step of following a launch.
type Step struct {
	Where string `json:"where"` // "CMD", "ENTRYPOINT", "/srv/ep.sh:4"
	Did   string `json:"did"`   // "tini runs", "shell expands $PORT to 8000"
}

// Command is one simple command with the surroundings it runs in.
type Command struct {
	Argv []Word   `json:"argv,omitempty"`
	Env  []string `json:"env,omitempty"` // KEY=VALUE; complete but for EnvUnknown
	// EnvUnknown names the variables that a script sets to what only a run can tell.
	EnvUnknown []string `json:"envUnknown,omitempty"`

	Dir  string `json:"dir,omitempty"`
	User string `json:"user,omitempty"`
	// Origin is where in the image's config the command stands.
	Origin Origin `json:"origin"`
	// Spot is where one of Launch.Before stands, when that is in a script.
	Spot *Spot `json:"spot,omitempty"`
	// Runs are the programs that a compound command, a wrapper or a script runs
	// in its turn, when that is known; a redirection to a file counts as tee
	// FILE. An empty Dir or Env of theirs is the command's.
	Runs []Command `json:"runs,omitempty"`
}

// Name returns the first word, "" when there is none or it is unknown.
func (c Command) Name() string {
	if len(c.Argv) == 0 || !c.Argv[0].Known {
		return ""
	}
	return c.Argv[0].Text
}

// Words returns the words as text; unknown ones as they are written.
func (c Command) Words() []string {
	words := make([]string, len(c.Argv))
	for i, w := range c.Argv {
		words[i] = w.Text
	}
	return words
}

// Word is one argument.
type Word struct {
	Text string `json:"text"`
	// Known is false when Text is source text whose value only a run can tell.
	Known bool `json:"known"`
	// Literal lists the variables that stand unexpanded in the word because
	// no shell sees it (exec form): "$PORT" reaches the program as it is.
	Literal []string `json:"literal,omitempty"`
}

// Origin points at a command inside ENTRYPOINT or CMD.
type Origin struct {
	Field finding.Field `json:"field,omitempty"`
	// Index is the element of the field's array where the command starts.
	Index int `json:"index,omitempty"`
	// Start and End are byte offsets of the command inside that element when
	// the element is a shell script; both 0 when the command is made of
	// elements of its own.
	Start int `json:"start,omitempty"`
	End   int `json:"end,omitempty"`
}

// Program describes an executable file of the image.
type Program struct {
	Path  string `json:"path,omitempty"`  // as found, links not resolved
	Found Tri    `json:"found,omitempty"` // Unknown: not examined
	// Searched is the PATH that was searched, when a search was needed.
	Searched   string `json:"searched,omitempty"`
	Executable Tri    `json:"executable,omitempty"` // for the image's USER
	Mode       string `json:"mode,omitempty"`       // "-rw-r--r--"
	Dir        bool   `json:"dir,omitempty"`
	// Kind is "elf", "script" (has #!), "text" (no #!), "empty" or "other"; "" unknown.
	Kind string `json:"kind,omitempty"`
	// Architecture is the GOARCH of an ELF file.
	Architecture string `json:"architecture,omitempty"`
	// Interpreter is a script's #! path or an ELF file's PT_INTERP.
	Interpreter      string `json:"interpreter,omitempty"`
	InterpreterFound Tri    `json:"interpreterFound,omitempty"`
	// CRLF: the #! line ends in a carriage return, which becomes part of the path.
	CRLF bool `json:"crlf,omitempty"`
	// BOM: a byte order mark stands before #!, so that the kernel does not see it.
	BOM bool `json:"bom,omitempty"`
}
