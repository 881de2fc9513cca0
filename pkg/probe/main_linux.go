package probe

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/imglint/imglint/pkg/probe/cage"
)

// exitUsage is the status of a probe that was started wrongly: not one that a
// shell gives, nor one that the program is likely to.
const exitUsage = 125

// Main runs one role of the binary and returns its exit status. args start
// with the role and must be the tail of os.Args: the binary starts itself
// again with what stands before them.
func Main(args []string) int {
	debug.SetGCPercent(25) // the heap is small: keep it so
	runtime.GOMAXPROCS(1)
	self := os.Args[:max(len(os.Args)-len(args), 1)]
	status, err := runRole(args, self)
	if err != nil {
		fmt.Fprintln(os.Stderr, "imglint probe:", err)
	}
	return status
}

var errRole = errors.New("no such role")

func runRole(args, self []string) (int, error) {
	if len(args) == 0 {
		return exitUsage, errRole
	}
	switch args[0] {
	case RoleObserve:
		return observe()
	case RoleShim:
		return shim(args[1:])
	case cage.RoleKeeper:
		return cage.Keep(self)
	case cage.RoleEnter:
		return cage.Enter(cage.Surroundings{Network: addAddress, Inject: func(words []string) (int, bool, error) {
			if words[0] != RoleInject {
				return 0, false, nil
			}
			status, err := runRole(words, self)
			return status, true, err
		}})
	case cage.RoleCheck:
		return cage.RunCheck(lookPath)
	case RoleCell, RoleInject, RoleWrap, RoleBeside:
	default:
		return exitUsage, fmt.Errorf("%w: %q", errRole, args[0])
	}
	cfg, argv, err := parseArgs(args[1:])
	if err != nil {
		return exitUsage, err
	}
	switch {
	case args[0] == RoleCell:
		return cell(cfg)
	case args[0] == RoleBeside:
		return beside(cfg)
	case len(argv) == 0:
		return exitUsage, errors.New("no program to run")
	case args[0] == RoleInject:
		return inject(cfg, argv, self)
	}
	return wrap(cfg, argv, self)
}

// parseArgs reads CONFIG [-- WORD…], and hides CONFIG from /proc/PID/cmdline:
// whoever knows the nonce can forge frames.
func parseArgs(args []string) (cfg Config, argv []string, err error) {
	if len(args) == 0 {
		return cfg, nil, errors.New("no config")
	}
	text, err := base64.StdEncoding.DecodeString(args[0])
	if err != nil {
		return cfg, nil, fmt.Errorf("decode config: %w", err)
	}
	if err := json.Unmarshal(text, &cfg); err != nil {
		return cfg, nil, fmt.Errorf("decode config: %w", err)
	}
	if cfg.Nonce == "" && len(args) > 1 {
		return cfg, nil, errors.New("the config has no nonce")
	}
	hide(args[0])
	if len(args) == 1 {
		return cfg, nil, nil
	}
	if args[1] != "--" {
		return cfg, nil, fmt.Errorf("expected -- after the config, got %q", args[1])
	}
	return cfg, args[2:], nil
}

// hide wipes an argument where the kernel shows it. The runtime's argument
// strings are that very memory.
func hide(arg string) {
	clear(unsafe.Slice(unsafe.StringData(arg), len(arg)))
}
