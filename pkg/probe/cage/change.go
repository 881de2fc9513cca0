package cage

import (
	"fmt"
	"strconv"
)

// Change is something that a program asked for where one user and one group
// are mapped: it was told that this was done, and it was not.
type Change struct {
	Kind ChangeKind `json:"kind"`
	Call string     `json:"call"` // its name in section 2 of the manual
	To   int        `json:"to"`   // a user or group; -1: not known
}

// ChangeKind is what would have changed.
type ChangeKind string

// The kinds of changes.
const (
	ChangeUser  ChangeKind = "user"  // a process's user, which takes its privileges
	ChangeGroup ChangeKind = "group" // its groups
	ChangeOwner ChangeKind = "owner" // a file's owner or group
)

// String tells of a change as "to become user 33 (setuid)".
func (c Change) String() string {
	to := "another"
	if c.To >= 0 {
		to = strconv.Itoa(c.To)
	}
	switch c.Kind {
	case ChangeUser:
		return fmt.Sprintf("to become user %s (%s)", to, c.Call)
	case ChangeGroup:
		return fmt.Sprintf("to join group %s (%s)", to, c.Call)
	}
	return fmt.Sprintf("to give a file to %s (%s)", to, c.Call)
}
