package engine

import (
	"os"
	"strconv"
	"time"
)

// The labels that everything imglint makes carries, so that what a killed run
// left behind can be told from what a live one uses.
const (
	labelMark  = "dev.imglint"       // "1"
	labelPID   = "dev.imglint.pid"   // of the imglint that made it
	labelHost  = "dev.imglint.host"  // where that pid means something
	labelStart = "dev.imglint.start" // when that process began, against reuse of pids
	labelUntil = "dev.imglint.until" // unix time after which nobody needs it
	labelRole  = "dev.imglint.role"  // one of the roles below
)

// The roles of what imglint makes.
const (
	roleCell   = "cell"
	roleTarget = "target"
	roleAlone  = "alone" // a target with a network of its own
	roleFiles  = "files"
	roleProbe  = "probe" // a sidecar, and the image that it is made of
)

// owner identifies a process of imglint.
type owner struct {
	host  string
	pid   int
	start string // "" where it cannot be told
}

func newOwner() owner {
	pid := os.Getpid()
	start, _ := processStart(pid)
	return owner{host: hostIdentity(), pid: pid, start: start}
}

// labels returns the labels of something that is needed for a time.
func (o owner) labels(role string, lifetime time.Duration) map[string]string {
	return map[string]string{
		labelMark:  "1",
		labelPID:   strconv.Itoa(o.pid),
		labelHost:  o.host,
		labelStart: o.start,
		labelUntil: strconv.FormatInt(time.Now().Add(lifetime).Unix(), 10),
		labelRole:  role,
	}
}

// abandoned reports whether nobody can be using what carries the labels. What
// a live process on this machine made is never abandoned; a process elsewhere
// is given the time that it asked for.
func (o owner) abandoned(labels map[string]string, now time.Time, alive func(pid int) (start string, ok bool)) bool {
	if labels[labelMark] != "1" {
		return false
	}
	pid, err := strconv.Atoi(labels[labelPID])
	if err == nil && labels[labelHost] == o.host && labels[labelStart] != "" {
		start, ok := alive(pid)
		return !ok || start != labels[labelStart]
	}
	until, err := strconv.ParseInt(labels[labelUntil], 10, 64)
	return err == nil && now.Unix() > until
}
