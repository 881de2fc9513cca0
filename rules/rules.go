// Package rules holds the checks, one file each, and the one list of them.
package rules

import (
	"github.com/imglint/imglint/pkg/rule"
)

// All lists every rule, causes before their effects. Findings come in this order.
var All = []*rule.Rule{
	NoCommand,
	RootRefused,
	CommandNotFound,
	CommandNotExecutable,
	WrongArchitecture,
	UnexpandedVariable,
	InteractiveCommand,
	Daemonizes,
	OutOfMemory,
	PrivilegedPort,
	MissingEnvironment,
	UnreachableDependency,
	ExitsAtOnce,
	EmptyExpose,
	MissingExpose,
	UDPOnlyExpose,
	PortEnvIgnored,
	LoopbackBind,
	IPv6OnlyBind,
	UnexposedPort,
	WrongEndpointPort,
	GunicornWorkerTimeout,
	PumaWorkerTimeout,
	NotHTTP,
	TLSOnPort,
	HostRefused,
	HTTPSRedirect,
	StatusRefused,
	SlowResponse,
	SlowBoot,
	NeverListens,
	UnservedPort,
	GunicornNoPreload,
	GunicornShortTimeout,
	BackgroundProcess,
	EntrypointDropsCommand,
	WorkAtStart,
	DevelopmentServer,
	StopSignalIgnored,
	BrokenHealthcheck,
}

// Find returns the rule of an ID, nil if there is none.
func Find(id string) *rule.Rule {
	for _, r := range All {
		if r.ID == id {
			return r
		}
	}
	return nil
}
