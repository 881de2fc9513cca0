package local

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe/cage"
	"github.com/imglint/imglint/pkg/run"
)

// wantsPrivileges reports whether the program ended because it may not gain
// what platforms allow: setuid programs such as sudo.
func wantsPrivileges(seen facts.Run) bool {
	if seen.Exit == nil || seen.Exit.Code == 0 {
		return false
	}
	for _, line := range seen.Log.Lines {
		if strings.Contains(strings.ToLower(line.Text), "no new privileges") {
			return true
		}
	}
	return false
}

// aboutUsers are words of programs that wanted to be, or to give a file to,
// another user. nginx where that fails: "chown(…, 33) failed (22: Invalid
// argument)"; postgres where it seems to work: `"root" execution of the
// PostgreSQL server is not permitted`. OpenSMTPD looks afterwards: "/var/spool/
// smtpd/offline is not owned by gid 106".
var aboutUsers = regexp.MustCompile(`(?i)invalid argument|not permitted|permission denied|\broot\b|chown|` +
	`set(e|re|res)?[ug]id|setgroups|initgroups|privilege|\bowne(d|r|rship)\b|\b[ug]id\b`)

// aboutOwners are words of programs that found root's files to be their
// user's, who is all there is. sudo: "/usr/bin/sudo must be owned by uid 0 and
// have the setuid bit set".
var aboutOwners = regexp.MustCompile(`(?i)\bowned by\b|\bowner(ship)?\b|\bset-?uid\b|effective uid`)

// aboutFiles are words about what no other user changes, as in "chown: cannot
// access '/srv/data': No such file or directory".
var aboutFiles = regexp.MustCompile(`(?i)no such file or directory|not a directory|read-only file system`)

// around is how to get around having one user only.
const around = "run imglint as root, use an engine, or install newuidmap (the package uidmap) and give this user ranges in /etc/subuid and /etc/subgid"

// doubt returns an error when the run may have failed because the program
// found other users than it would have: no crash of the image's then.
func (im *Image) doubt(seen facts.Run, who identity, changes []cage.Change) error {
	users := im.runner.users
	if users.kind != alone || seen.Exit == nil || seen.Exit.Code == 0 || seen.Exit.Refused != "" {
		return nil
	}
	words := aboutUsers
	if who.uid != 0 {
		words = aboutOwners // it can change neither users nor owners anywhere
	}
	why := ", and without an engine it found other users than it does in a container, as only one could be mapped"
	if len(changes) > 0 {
		why = ", after it asked " + listed(changes) + ", which was not done: without an engine only one user could be mapped"
	}
	for _, line := range seen.Log.Lines {
		if aboutFiles.MatchString(line.Text) {
			continue
		}
		if words.MatchString(line.Text) {
			return &InconclusiveError{Run: seen, Why: "the program ended with " + quoted(line.Text) + why + "; " + around}
		}
	}
	silent := !slices.ContainsFunc(seen.Log.Lines, func(l facts.LogLine) bool { return strings.TrimSpace(l.Text) != "" })
	if silent && len(changes) > 0 {
		return &InconclusiveError{Run: seen, Why: fmt.Sprintf("the program ended with status %d and without a word%s; %s", seen.Exit.Code, why, around)}
	}
	return nil
}

// unsure is why a good answer shows nothing: a program that gave up root
// has kept what only root may do. "": none did.
func unsure(changes []cage.Change) string {
	users := slices.DeleteFunc(slices.Clone(changes), func(c cage.Change) bool { return c.Kind != cage.ChangeUser })
	if len(users) == 0 {
		return ""
	}
	return "inconclusive: the program asked " + listed(users) + " and went on as root, because without an engine only one user could be mapped: " +
		"whether it works without what only root may do was not seen; " + around
}

// mostListed is how many changes a sentence names.
const mostListed = 3

func listed(changes []cage.Change) string {
	var words []string
	for _, c := range changes[:min(len(changes), mostListed)] {
		words = append(words, c.String())
	}
	return strings.Join(words, " and ")
}

// unlimited notes which limits were asked for and not set: without that of
// memory a good answer shows nothing.
func (t *target) unlimited(seen *facts.Run, group *cgroup) {
	if !group.limited["cpu"] && t.spec.Limits.CPUs > 0 {
		seen.Blind = append(seen.Blind, fmt.Sprintf("the limit of %v CPUs is not set, because %s", t.spec.Limits.CPUs, group.unlimited()))
	}
	if group.limitsMemory() || t.spec.Limits.Memory == run.DefaultLimits.Memory {
		return
	}
	why := "the memory limit is not set, because " + group.unlimited()
	if seen.Stopped != facts.StopAnswered {
		seen.Blind = append(seen.Blind, why)
	}
	seen.Doubt = "inconclusive: " + why
}

const maxQuote = 120

func quoted(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxQuote {
		text = strings.ToValidUTF8(text[:maxQuote], "") + "…"
	}
	return `"` + text + `"`
}
