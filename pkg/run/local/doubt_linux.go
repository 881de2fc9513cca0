package local

import (
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
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

// doubt returns an error when the run may have failed because the program
// found other users than it would have: no crash of the image's then.
func (im *Image) doubt(seen facts.Run, who identity) error {
	users := im.runner.users
	if users.kind != alone || seen.Exit == nil || seen.Exit.Code == 0 || seen.Exit.Refused != "" || who.uid != 0 {
		return nil
	}
	for _, line := range seen.Log.Lines {
		if aboutUsers.MatchString(line.Text) {
			return &InconclusiveError{Run: seen, Why: "the program ended with " + quoted(line.Text) +
				", and without an engine it could not change users as it does in a container: only one could be mapped; " +
				"install newuidmap and add ranges to /etc/subuid and /etc/subgid, or use an engine"}
		}
	}
	return nil
}

const maxQuote = 120

func quoted(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxQuote {
		text = strings.ToValidUTF8(text[:maxQuote], "") + "…"
	}
	return `"` + text + `"`
}
