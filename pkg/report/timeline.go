package report

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// timeline turns a run's events into the marks a reader wants to see.
func timeline(run *facts.Run) []Mark {
	var marks []Mark
	for _, e := range run.Events {
		if text := eventText(e); text != "" {
			marks = append(marks, Mark{At: e.T.Seconds(), What: string(e.Kind), Text: text, mute: e.Answer != nil && mute(e.Answer.Class)})
		}
	}
	if x := run.Exit; x != nil {
		marks = append(marks, Mark{At: x.T.Seconds(), What: markExit, Text: exitText(x)})
	}
	return marks
}

// mute reports whether not a byte came back.
func mute(c facts.Class) bool {
	switch c {
	case facts.ClassHTTP, facts.ClassTLS, facts.ClassOther:
		return false
	}
	return true
}

func eventText(e facts.Event) string {
	switch e.Kind {
	case facts.EventExec:
		return strings.Join(e.Argv, " ")
	case facts.EventExecError:
		return fmt.Sprintf("executing %s failed: %s", strings.Join(e.Argv, " "), e.Errno)
	case facts.EventProcess:
		return fmt.Sprintf("pid %d %s", e.Process.PID, strings.Join(e.Process.Argv, " "))
	case facts.EventListening:
		return "listening on " + e.Socket.Address()
	case facts.EventClosed:
		return "closed " + e.Socket.Address()
	case facts.EventQueue:
		return fmt.Sprintf("%d waiting on %s for the program to accept", e.Socket.Queue, e.Socket.Address())
	case facts.EventConnecting:
		return "waiting for an answer from " + e.Socket.Address()
	case facts.EventAnswer:
		return answerText(e.Answer)
	case facts.EventOOM:
		return "a process was killed by the memory limit"
	case facts.EventMainExit:
		return exitText(e.Exit)
	case facts.EventLost:
		return "the observer was killed"
	}
	return ""
}

func answerText(a *facts.Answer) string {
	to := fmt.Sprintf("%s:%d ", a.To, a.Port)
	if a.Class == facts.ClassHTTP {
		return to + fmt.Sprintf("answered %d", a.Status)
	}
	return to + string(a.Class)
}

func exitText(x *facts.Exit) string {
	switch {
	case x.Refused != "":
		return "not started: " + x.Refused
	case x.Signal != "":
		return fmt.Sprintf("exited with code %d (%s)", x.Code, x.Signal)
	}
	return fmt.Sprintf("exited with code %d", x.Code)
}
