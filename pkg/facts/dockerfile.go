package facts

import "github.com/imglint/imglint/pkg/finding"

// Dockerfile tells where in the user's Dockerfile the image's config fields
// were set.
type Dockerfile struct {
	File string `json:"file"` // as the user would name it
	// Base is the image of the final stage's FROM.
	Base string `json:"base,omitempty"`
	// Fields are the instructions that decided each field, in file order.
	Fields map[finding.Field][]Instruction `json:"fields,omitempty"`
	// End is the line of the last instruction: where one can be added.
	End int `json:"end,omitempty"`
	// Target is the name of the stage that was built; "" is the last one.
	Target    string            `json:"target,omitempty"`
	BuildArgs map[string]string `json:"buildArgs,omitempty"`
	// Contexts are the named contexts of the build: the image or directory that
	// stands for each name.
	Contexts map[string]string `json:"contexts,omitempty"`
	// BaseUnknown: Base's own config could not be read, so an image computed
	// without a build lacks what it inherits.
	BaseUnknown bool `json:"baseUnknown,omitempty"`
}

// Instruction is one instruction of a Dockerfile.
type Instruction struct {
	Line    int    `json:"line"`
	EndLine int    `json:"endLine"`
	Text    string `json:"text"` // as written, lines joined by \n
}
