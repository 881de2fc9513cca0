package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Descriptors of the observe role.
const (
	lineFD  = 0 // the config, then the first instant, then the end
	readyFD = 2 // one byte when the observer looks
)

// observe watches the process that started it until that ends.
func observe() (int, error) {
	seclude()
	cfg, err := readConfig(lineFD)
	if err != nil {
		return exitUsage, err
	}
	program := unix.Getppid()
	o := newObserver(cfg, program)
	if _, err := unix.Write(readyFD, []byte{1}); err != nil {
		return exitUsage, fmt.Errorf("report ready: %w", err)
	}
	var base [8]byte
	if n, err := receive(lineFD, base[:]); n != len(base) || err != nil {
		return exitUsage, errors.New("read the first instant: the program is gone")
	}
	o.begin(instant(native.Uint64(base[:])))
	if program == 1 {
		o.tasks = append(o.tasks, &task{run: (&signals{observer: o, pid: program}).poll})
	}
	if cfg.Memory {
		if m := newMemory(o, oomCounters); m != nil {
			o.tasks = append(o.tasks, &task{run: m.poll})
		}
	}
	// When the program ends in a container, the kernel ends everything in it.
	line := []int{lineFD}
	for unix.Getppid() == program {
		if o.step(line...) == lineFD {
			line = nil
			o.begun(clock())
		}
	}
	return 0, nil
}

// seclude keeps other processes of the same user from reading this one's
// memory, where the nonce is.
func seclude() {
	// It is a precaution: frames can be forged without it, not lost.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// readConfig reads one line, byte by byte: what follows is not for it.
func readConfig(fd int) (cfg Config, err error) {
	var text []byte
	var one [1]byte
	for !bytes.HasSuffix(text, []byte("\n")) {
		if n, err := receive(fd, one[:]); n != 1 || err != nil {
			return cfg, errors.New("read config: it ends too early")
		}
		text = append(text, one[0])
	}
	if err := json.Unmarshal(text, &cfg); err != nil {
		return cfg, fmt.Errorf("decode config: %w", err)
	}
	return cfg, nil
}
