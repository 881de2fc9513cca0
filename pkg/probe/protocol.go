// Package probe is the static binary that runs inside the container, and the
// protocol it speaks with imglint outside.
package probe

import (
	"github.com/imglint/imglint/pkg/facts"
)

// Roles of the binary: its first argument.
const (
	// RoleCell: hold a network namespace, and answer file requests on stdin.
	RoleCell = "cell"
	// RoleInject: start an observer, then execute the program in place, so
	// that the program is PID 1 and is watched from its first instant.
	RoleInject = "inject"
	// RoleWrap: stay PID 1, run the program as a session leader whose parent
	// is not PID 1, and watch what outlives it.
	RoleWrap = "wrap"
	// RoleBeside: watch a container whose network namespace this one has joined.
	// The first frame is a beat, and times count from it.
	RoleBeside = "beside"
	// RoleObserve and RoleShim are used by the binary on itself.
	RoleObserve = "observe"
	RoleShim    = "shim"
)

// MountPoint is where the binary is mounted in a container, hidden from what
// is reported about it; Path is the binary there.
const (
	MountPoint = "/.imglint"
	Path       = MountPoint + "/probe"
)

// Config is what the observer is told. It travels as base64 JSON in the
// second argument; the program's words follow after "--".
type Config struct {
	// Nonce marks this run's frames, so that the program cannot forge them.
	Nonce string `json:"nonce"`
	// Address is the container's own address; empty: the first one of an
	// interface other than lo.
	Address string `json:"address,omitempty"`
	// Endpoint is the port that the platform will ask; 0: every port is asked.
	Endpoint int         `json:"endpoint,omitempty"`
	Probe    facts.Probe `json:"probe"`
	// Further are requests that are made besides, when one run serves several
	// platforms; an answer's Request counts from 1 here.
	Further []Request `json:"further,omitempty"`
	// Memory: tell of processes that the kernel kills for memory.
	Memory bool `json:"memory,omitempty"`
	// SurvivorsFor bounds how long survivors are watched, in a wrapped run.
	SurvivorsFor facts.Millis `json:"survivorsFor,omitempty"`
}

// Request is what one platform asks, and where; port 0: every port.
type Request struct {
	Endpoint int         `json:"endpoint,omitempty"`
	Probe    facts.Probe `json:"probe"`
}

// A frame is written with one write of at most MaxFrame bytes to the
// program's stdout: FrameMark, the nonce, an Event as JSON, a line feed. It may
// start in the middle of a line of the program's own.
const (
	FrameMark = '\x1e'
	MaxFrame  = 4096
)

// Ready is the first line of a cell's stdout. Error says what it could not set
// up; the cell holds its namespace all the same.
type Ready struct {
	Ready   bool   `json:"ready"`
	Address string `json:"address,omitempty"`
	Error   string `json:"error,omitempty"`
}

// MaxRead is the most that one "read" answers, whatever Max says.
const MaxRead = 4 << 20

// FileRequest asks a cell about its root file system. Paths are absolute;
// links are followed inside the root but for lstat and readlink.
type FileRequest struct {
	Op   string `json:"op"` // "stat", "lstat", "readlink", "read" or "readdir"
	Path string `json:"path"`
	Max  int64  `json:"max,omitempty"` // of read: bytes; of readdir: entries
}

// FileReply answers one FileRequest, in order, one JSON document a line.
type FileReply struct {
	Errno   string     `json:"errno,omitempty"` // "ENOENT", …
	Info    *FileInfo  `json:"info,omitempty"`
	Link    string     `json:"link,omitempty"`
	Content []byte     `json:"content,omitempty"`
	Entries []FileInfo `json:"entries,omitempty"`
	// More: Content or Entries were cut at Max.
	More bool `json:"more,omitempty"`
}

// FileInfo describes a file; Mode holds the bits of io/fs.FileMode.
type FileInfo struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Mode uint32 `json:"mode"`
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	Time int64  `json:"time"` // seconds since 1970
}
