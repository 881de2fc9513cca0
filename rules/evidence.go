package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// This file puts what was seen into a reader's words.

// sight is the evidence of a listener and of what its port answered.
func sight(p *rule.Pass, l facts.Listener) finding.Evidence {
	who := owner(p, l)
	if l.PID != 0 {
		who = fmt.Sprintf("pid %d %s", l.PID, who)
	}
	parts := []string{fmt.Sprintf("%s listens on %s %s", who, l.Network, l.Address())}
	for _, to := range []bool{true, false} {
		if text := outcome(p, l.Port, to); text != "" {
			parts = append(parts, text)
		}
	}
	return finding.Evidence{Kind: "seen", At: l.Opened.Seconds(), Text: strings.Join(parts, " · ")}
}

// outcome says what the last request to a port came to, "" if there was none.
func outcome(p *rule.Pass, port int, loopback bool) string {
	for _, e := range slices.Backward(p.Run.Answers(port)) {
		if e.Answer.Loopback() == loopback {
			return fmt.Sprintf("%s %s", e.Answer.To, came(e.Answer))
		}
	}
	return ""
}

// came says what an answer was: "answered 200", "refused".
func came(a *facts.Answer) string {
	switch a.Class {
	case facts.ClassHTTP:
		return fmt.Sprintf("answered %d", a.Status)
	case facts.ClassTLS:
		if a.Status != 0 {
			return fmt.Sprintf("answered %d and wants TLS", a.Status)
		}
		return "wants TLS"
	case facts.ClassOther:
		if a.Protocol != "" {
			return fmt.Sprintf(`spoke %s: "%s"`, protocolName(a.Protocol), a.First)
		}
		return fmt.Sprintf(`sent "%s"`, a.First)
	case facts.ClassClosed:
		return "closed the connection without a byte"
	case facts.ClassReset:
		return "reset the connection"
	case facts.ClassSilent:
		return fmt.Sprintf("said nothing for %s", seconds(a.Took))
	case facts.ClassRefused:
		return "refused"
	}
	return "could not be asked: " + a.Error
}

// protocolNames are the protocols that the probe recognises, as people write them.
var protocolNames = map[string]string{
	"redis": "Redis", "fastcgi": "FastCGI", "postgres": "PostgreSQL", "mysql": "MySQL", "ssh": "SSH", "smtp": "SMTP",
	"ftp": "FTP", "pop3": "POP3", "imap": "IMAP", "amqp": "AMQP", "mongodb": "MongoDB", "nats": "NATS", "mpd": "MPD",
	"vnc": "VNC", "rtsp": "RTSP", "h2c": "HTTP/2 without TLS, and no HTTP/1 (as gRPC servers do)",
}

func protocolName(protocol string) string { return cmp.Or(protocolNames[protocol], protocol) }

// logTail is the end of the log as evidence, its last n lines that say something.
func logTail(p *rule.Pass, n int) []finding.Evidence {
	var lines []finding.Evidence
	for _, line := range slices.Backward(p.Run.Log.Lines) {
		if strings.TrimSpace(line.Text) == "" {
			continue
		}
		lines = append(lines, finding.Evidence{Kind: "log", Text: clip(line.Text, 300), At: line.T.Seconds()})
		if len(lines) == n {
			break
		}
	}
	slices.Reverse(lines)
	return lines
}

// status says how a process ended.
func status(exit *facts.Exit) string {
	if exit.Signal != "" {
		return fmt.Sprintf("code %d (%s)", exit.Code, exit.Signal)
	}
	return fmt.Sprintf("code %d", exit.Code)
}
