// Package cage is the inner half of a run without a container engine: it
// turns fresh namespaces and the layers of an image into a container, and
// becomes the program. It is a part of the probe, which is small and starts in
// a millisecond.
//
// A keeper is the first process of a PID namespace that dies with imglint, and
// starts the container's first process in a second one. Whichever of imglint
// and the keeper is killed, the kernel ends everything inside.
package cage

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Roles of the binary.
const (
	// RoleKeeper: start the container's first process, wait for its end, and
	// end everything when imglint is gone.
	RoleKeeper = "keep"
	// RoleEnter is used by the keeper: make the container, become the program.
	RoleEnter = "enter"
	// RoleCheck is used by the keeper: run one command in the container.
	RoleCheck = "check"
)

// Descriptors of both roles, besides the program's own 0 to 2. What follows
// are the cgroup.procs files that the first process has to enter.
const (
	ControlFD = 3 // the config; its end means that imglint is gone
	ReportFD  = 4
	BinaryFD  = 5 // the binary itself, of the keeper only
	NotifyFD  = 5 // of what enters only: a socket to the keeper, with Pretend
	CgroupFD  = 6
)

// Config describes the container.
type Config struct {
	// Layers are directories, topmost first, with whiteouts as overlayfs has
	// them. Root is used instead when it is set: a directory of this run's own.
	Layers []string `json:"layers,omitempty"`
	Root   string   `json:"root,omitempty"`
	// Owners change who owns what, because imglint could not when unpacking.
	Owners []Owner `json:"owners,omitempty"`
	// Scratch is any directory; what is in it is not seen inside.
	Scratch string `json:"scratch"`

	Hostname string   `json:"hostname"`
	Address  string   `json:"address"`
	Volumes  []string `json:"volumes,omitempty"` // directories to make
	Binds    []Bind   `json:"binds,omitempty"`
	Dir      string   `json:"dir,omitempty"`
	UID      int      `json:"uid"`
	GID      int      `json:"gid"`
	Groups   []int    `json:"groups,omitempty"`
	Env      []string `json:"env"`
	// Argv are the probe's own words: its name, the role, and so on.
	Argv []string `json:"argv"`

	// Remove is a directory to remove instead of running anything: files in it
	// may belong to users that only exist in the user namespace.
	Remove string `json:"remove,omitempty"`

	// ReadOnly: nothing but volumes can be written to.
	ReadOnly bool `json:"readOnly,omitempty"`
	// LowPorts: everybody may listen on ports below 1024, as Docker allows
	// since 20.10.
	LowPorts bool `json:"lowPorts,omitempty"`
	// Gains lets the program gain privileges, as by sudo.
	Gains bool `json:"gains,omitempty"`
	// Nested: the namespaces belong to a user namespace.
	Nested bool `json:"nested,omitempty"`
	// Single: one user and one group are mapped.
	Single bool `json:"single,omitempty"`
	// Pretend that every change of users and owners works, where none can. What
	// was asked for is reported.
	Pretend bool `json:"pretend,omitempty"`
	// Strict: the program's user owns every file, so that what root would have
	// made must not be writable.
	Strict  bool   `json:"strict,omitempty"`
	Cgroups int    `json:"cgroups,omitempty"`
	Unified bool   `json:"unified,omitempty"` // cgroups are of version 2
	Files   uint64 `json:"files,omitempty"`   // the most descriptors of a process
	Pids    uint64 `json:"pids,omitempty"`    // the most processes of the user

	notify  int  // socket to a keeper that answers what is pretended; 0: none
	listens bool // it does
}

// Owner is the owner of one file of the image.
type Owner struct {
	Path string `json:"p"`
	UID  int    `json:"u"`
	GID  int    `json:"g"`
}

// Bind is a file or directory of the machine that is seen inside.
type Bind struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"readOnly,omitempty"`
}

// Order is what a keeper can be told while its container runs.
type Order struct {
	Signal int    `json:"signal,omitempty"` // for the first process
	Check  *Check `json:"check,omitempty"`
}

// Check is a command to run in the container as its program is: as its user,
// with its environment, in its directory.
type Check struct {
	Argv    []string      `json:"argv"`
	Timeout time.Duration `json:"timeout"`
	Output  int           `json:"output"` // how many bytes of it are told
}

// Checked is the outcome of a check.
type Checked struct {
	// Failed: the check could not be made.
	Failed string `json:"failed,omitempty"`
	// Code is the exit status, as a shell gives it.
	Code     int           `json:"code"`
	Output   []byte        `json:"output,omitempty"` // the last bytes of both streams
	Took     time.Duration `json:"took"`
	TimedOut bool          `json:"timedOut,omitempty"`
}

// Report is one line on ReportFD. Each is the last one, but for Started,
// Change and Checked.
type Report struct {
	Started bool `json:"started,omitempty"` // the first process exists
	// Refused: the image cannot be started so, in the words of an engine.
	Refused string `json:"refused,omitempty"`
	// Failed: this machine does not allow what is needed.
	Failed string `json:"failed,omitempty"`
	// NoOverlay: it failed for want of a usable overlayfs.
	NoOverlay bool     `json:"noOverlay,omitempty"`
	Checked   *Checked `json:"checked,omitempty"`
	Change    *Change  `json:"change,omitempty"` // that was pretended
	// Ended: the program ended, with a wait status.
	Ended bool   `json:"ended,omitempty"`
	Wait  uint32 `json:"wait,omitempty"`
}

// maxConfig bounds a config; the owners of 100,000 files need 10 MB.
const maxConfig = 64 << 20

// Again makes a keeper execute itself once more. One that was started before
// its users were mapped gains its capabilities so.
func Again(w io.Writer) error { return send(w, nil) }

// Send hands a config to a keeper.
func Send(w io.Writer, c Config) error { return sendJSON(w, c) }

// Tell gives a keeper an order.
func Tell(w io.Writer, o Order) error { return sendJSON(w, o) }

func sendJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	return send(w, text)
}

func send(w io.Writer, text []byte) error {
	_, err := w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

// receive reads what Send or Again wrote; nothing is Again.
func receive(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n > maxConfig {
		return nil, errors.New("read config: too long")
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return text, nil
}
