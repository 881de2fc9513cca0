package local

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// sealed puts the probe into memory that nobody can write to any more: the
// root of a container may open the binary of a process in it (CVE-2019-5736).
func sealed(probe func(goarch string) ([]byte, error)) (*os.File, error) {
	content, err := probe(runtime.GOARCH)
	if err != nil {
		return nil, fmt.Errorf("get the probe: %w", err)
	}
	const mfdExec = 0x10 // MFD_EXEC; the kernel knows it since Linux 6.3
	fd, err := unix.MemfdCreate("probe", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|mfdExec)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate("probe", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, fmt.Errorf("make a file in memory for the probe: %w", err)
	}
	f := os.NewFile(uintptr(fd), "probe")
	if _, err := f.Write(content); err != nil {
		f.Close()
		return nil, fmt.Errorf("write the probe: %w", err)
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("seal the probe: %w", err)
	}
	return f, nil
}
