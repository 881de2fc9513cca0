package engine

import "github.com/imglint/imglint/pkg/facts"

// signals are those of Linux on every architecture that imglint knows, by
// number; the host may number its own differently.
var signals = []string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
	16: "SIGSTKFLT", 17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU",
	23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO",
	30: "SIGPWR", 31: "SIGSYS",
}

// exitFacts translates how the engine says that a container ended. Engines
// report a death by signal n as 128+n; a shell whose child died so exits with
// the same, which is as good a thing to say.
func exitFacts(t facts.Millis, code int, oom bool) *facts.Exit {
	exit := &facts.Exit{T: t, Code: code, OOM: oom && code == 137}
	if n := code - 128; n > 0 && n < len(signals) {
		exit.Signal = signals[n]
	}
	return exit
}
