package facts

import "github.com/imglint/imglint/pkg/finding"

// Prediction is what the catalogue says about a launch's program.
type Prediction struct {
	// Server is the catalogue entry's id, "" when the program is not known.
	Server  string `json:"server,omitempty"`
	Title   string `json:"title,omitempty"`   // as people call it: "gunicorn", "nginx"
	Version string `json:"version,omitempty"` // read from the image
	// Listens are the sockets the server will open.
	Listens []Listen `json:"listens,omitempty"`
	// Complete: Listens are all there will be. False: Why says what is not known.
	Complete bool   `json:"complete,omitempty"`
	Why      string `json:"why,omitempty"`
	// Daemonizes: the program puts itself in the background and its first
	// process ends. DaemonWhy says which word, setting or default decides.
	Daemonizes Tri    `json:"daemonizes,omitempty"`
	DaemonWhy  string `json:"daemonWhy,omitempty"`
	// Hint is why a program that is not known may go to the background: what a
	// systemd unit of the image says, or what the program imports.
	Hint string `json:"hint,omitempty"`
	// Ends: the command does its work and ends by design; says why
	// ("nginx -t only tests its configuration").
	Ends string `json:"ends,omitempty"`
	// Interactive: a shell or REPL that ends when there is no terminal; says which.
	Interactive string `json:"interactive,omitempty"`
	// Development is the name of a framework's development server.
	Development string    `json:"development,omitempty"`
	Gunicorn    *Gunicorn `json:"gunicorn,omitempty"`
	// The changes that would cure a fault, best first.
	FixPublic     []Remedy `json:"fixPublic,omitempty"`     // listen on all interfaces
	FixForeground []Remedy `json:"fixForeground,omitempty"` // stay in the foreground
	FixPort       []Remedy `json:"fixPort,omitempty"`       // listen from 1024 up
	FixPreload    []Remedy `json:"fixPreload,omitempty"`    // of puma: load the application once, before the workers
	// Unlimited is the same command without a limit on the boot of its workers:
	// no cure, but a way to measure what they need.
	Unlimited []Remedy `json:"-"`
}

// Scope tells who can reach a listener.
type Scope string

// The scopes. ScopeUnknown is the zero value.
const (
	ScopeUnknown  Scope = ""
	ScopeAny      Scope = "any"      // every IPv4 address (and IPv6)
	ScopeAny6     Scope = "any6"     // IPv6 only
	ScopeLoopback Scope = "loopback" // 127.0.0.0/8, ::1, localhost
	ScopeAddress  Scope = "address"  // one other address
)

// Listen is one predicted socket.
type Listen struct {
	Network string `json:"network"` // "tcp", "udp" or "unix"
	Host    string `json:"host,omitempty"`
	Scope   Scope  `json:"scope,omitempty"`
	Port    int    `json:"port,omitempty"` // 0: unknown
	Path    string `json:"path,omitempty"` // of a unix socket
	// Protocol is what it speaks: "http", "https", "redis", "fastcgi", …; "" unknown.
	Protocol string `json:"protocol,omitempty"`
	// HostFrom and PortFrom tell where the values come from, for a reader:
	// "--bind", "env PORT", "/etc/nginx/nginx.conf:12", "gunicorn's default".
	HostFrom string `json:"hostFrom,omitempty"`
	PortFrom string `json:"portFrom,omitempty"`
}

// Gunicorn holds the settings that decide whether a worker survives its boot.
type Gunicorn struct {
	WorkerClass string `json:"workerClass,omitempty"` // "sync", "gthread", …; "" unknown
	Async       Tri    `json:"async,omitempty"`
	ASGI        bool   `json:"asgi,omitempty"` // the worker runs an ASGI lifespan
	Preload     Tri    `json:"preload,omitempty"`
	Timeout     int    `json:"timeout"` // seconds; 0 never kills; -1 unknown
	TimeoutFrom string `json:"timeoutFrom,omitempty"`
	// KillsBooting: this version kills a worker that is still booting (up to
	// 21.2.0: yes, from 22.0.0: no; measured, see the rule's page).
	KillsBooting Tri      `json:"killsBooting,omitempty"`
	FixPreload   []Remedy `json:"fixPreload,omitempty"`
	FixTimeout   []Remedy `json:"fixTimeout,omitempty"`
}

// Remedy is a change to the launch that cures a fault.
type Remedy struct {
	Description string `json:"description"` // imperative: "bind all interfaces"
	// Argv replaces the words of Launch.Command; nil leaves them.
	Argv []string `json:"argv,omitempty"`
	// Env adds or replaces variables, KEY=VALUE.
	Env []string `json:"env,omitempty"`
	// Edit is set when a file of the image must change: what to write where.
	Edit string `json:"edit,omitempty"`
	// At, Old and New are the same edit for a machine: At is FILE:LINE, and Old
	// stands on that line once. "" when it is not that simple.
	At  string `json:"at,omitempty"`
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Unsure: it is a fix only once it was run and helped.
	Unsure bool `json:"unsure,omitempty"`
	// Instruction is the Dockerfile instruction that makes the change, and
	// Change the same as overrides; filled in by the collector when the change
	// can be mapped back to the image's config exactly.
	Instruction string         `json:"instruction,omitempty"`
	Change      finding.Change `json:"change,omitzero"`
}
