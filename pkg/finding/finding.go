// Package finding holds what imglint says: findings with their place,
// evidence and fix, and the verdict on the platform's release health check.
package finding

import "fmt"

// Severity tells how much a finding matters. The zero value is invalid: a
// rule has to choose.
type Severity int

// The severities, least first, so that they compare.
const (
	Note    Severity = iota + 1 // worth knowing
	Warning                     // may fail, or works by luck
	Error                       // the health check will fail
)

var severityNames = map[Severity]string{Note: "note", Warning: "warning", Error: "error"}

// String returns "note", "warning" or "error".
func (s Severity) String() string {
	if name, ok := severityNames[s]; ok {
		return name
	}
	return fmt.Sprintf("severity(%d)", int(s))
}

// ParseSeverity reads what String prints.
func ParseSeverity(text string) (Severity, error) {
	for s, name := range severityNames {
		if name == text {
			return s, nil
		}
	}
	return 0, fmt.Errorf("unknown severity %q: use error, warning or note", text)
}

// MarshalText makes severities read as words in JSON.
func (s Severity) MarshalText() ([]byte, error) {
	if _, ok := severityNames[s]; !ok {
		return nil, fmt.Errorf("marshal %s: not a severity", s)
	}
	return []byte(s.String()), nil
}

// UnmarshalText is the inverse of MarshalText.
func (s *Severity) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSeverity(string(text))
	return err
}

// Basis tells how imglint knows.
type Basis string

// The bases. An observation beats a prediction.
const (
	Predicted Basis = "predicted" // read from the image
	Observed  Basis = "observed"  // seen while the image ran
)

// Finding is one cause, said once.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Basis    Basis    `json:"basis"`
	Place    Place    `json:"place"`
	// Detail is the half line that explains the marked words of Place.
	Detail   string     `json:"detail,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
	Fix      *Fix       `json:"fix,omitempty"`
}

// Evidence is one thing that was seen or read, in a reader's words.
type Evidence struct {
	Kind string `json:"kind"` // "seen", "read", "log"
	Text string `json:"text"`
	// At is when it was seen, in seconds since the program was executed.
	At float64 `json:"at,omitempty"`
}

// Field names the instruction of an image's config that a finding is about.
type Field string

// The fields a finding can be placed at.
const (
	FieldNone        Field = ""
	FieldFrom        Field = "FROM"
	FieldEntrypoint  Field = "ENTRYPOINT"
	FieldCmd         Field = "CMD"
	FieldExpose      Field = "EXPOSE"
	FieldEnv         Field = "ENV"
	FieldUser        Field = "USER"
	FieldWorkdir     Field = "WORKDIR"
	FieldHealthcheck Field = "HEALTHCHECK"
	FieldStopSignal  Field = "STOPSIGNAL"
)

// Place is where the reader should look. A rule gives Field and Words; the
// collector that knows the Dockerfile fills the rest in.
type Place struct {
	Field Field  `json:"field,omitempty"`
	Words string `json:"words,omitempty"` // the offending words in that field

	// Path is the file of the image that the place is in, when it is not the
	// Dockerfile. A rule that gives it gives Line too.
	Path string `json:"path,omitempty"`
	// Command: the place is the command that finally runs, wherever that stands.
	Command bool `json:"-"`

	// File is the file to open: the Dockerfile, Path's own in the build context,
	// or Path itself when that is all there is.
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"` // first is 1; 0: not known
	EndLine   int    `json:"endLine,omitempty"`
	Column    int    `json:"column,omitempty"`    // of Words, in bytes, first is 1; 0: not known
	EndColumn int    `json:"endColumn,omitempty"` // one past the last byte
	Source    string `json:"source,omitempty"`    // the text of Line, or of the history entry
	// Inherited names the base image that the field comes from, when it is
	// known not to come from the user's own Dockerfile.
	Inherited string `json:"inherited,omitempty"`
}

// Fix is what to type.
type Fix struct {
	Description string `json:"description"`
	// Instruction is the whole Dockerfile instruction to end up with; several
	// stand on lines of their own.
	Instruction string `json:"instruction,omitempty"`
	// File and Line are what the fix changes besides the Dockerfile, and Text is
	// that line as it will be.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text,omitempty"`
	Diff string `json:"diff,omitempty"` // unified; applies with git apply
	// Verified is nil when the fix was not run, else whether the image passed with it.
	Verified *bool  `json:"verified"`
	Proof    string `json:"proof,omitempty"` // what was seen when it was run
	// Partial: the finding is gone with the fix, and the image fails for
	// another reason that another finding tells.
	Partial bool `json:"partial,omitempty"`
	// Change is the same edit as overrides of the image.
	Change Change `json:"-"`
	// Others are further ways, the next best first, for when this one turns out
	// not to help.
	Others []Fix `json:"-"`
	// Unsure: the change may well not be it, so that it is a fix only once it
	// was run and helped; until then the description is all there is to say.
	Unsure bool `json:"-"`
}

// Change overrides an image's config and files. A nil slice leaves the field alone.
type Change struct {
	Entrypoint []string `json:"entrypoint,omitempty"`
	Cmd        []string `json:"cmd,omitempty"`
	Env        []string `json:"env,omitempty"`    // KEY=VALUE, added or replaced
	Expose     []string `json:"expose,omitempty"` // PORT/PROTOCOL, the whole new set
	StopSignal string   `json:"stopSignal,omitempty"`
	// Files are edits of text files and modes.
	Files []FileEdit `json:"files,omitempty"`
}

// Empty reports whether the change changes nothing.
func (c Change) Empty() bool {
	return c.Entrypoint == nil && c.Cmd == nil && c.Env == nil && c.Expose == nil && c.StopSignal == "" && c.Files == nil
}

// FileEdit changes words of one line of a file of the image, or its mode.
type FileEdit struct {
	Path   string `json:"path"`             // in the image, absolute
	Line   int    `json:"line,omitempty"`   // first is 1; 0: the text stays
	Column int    `json:"column,omitempty"` // of Old, in bytes, first is 1
	Old    string `json:"old,omitempty"`    // "": New is inserted
	New    string `json:"new,omitempty"`
	Mode   uint32 `json:"mode,omitempty"` // permission bits to have; 0: they stay
}

// Verdict says whether the platform's release health check will pass.
type Verdict string

// The verdicts.
const (
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"
	Unknown Verdict = "unknown"
)

// NotChecked is something that could not be looked at.
type NotChecked struct {
	What string `json:"what"`
	Why  string `json:"why"`
}
