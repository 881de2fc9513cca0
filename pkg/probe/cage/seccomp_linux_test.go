package cage

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// call is what the kernel shows a filter.
type call struct {
	number uint32
	arch   uint32
	arg0   uint64
}

// judge runs a filter as the kernel does.
func (p program) judge(t *testing.T, c call) uint32 {
	t.Helper()
	data := binary.LittleEndian.AppendUint32(nil, c.number)
	data = binary.LittleEndian.AppendUint32(data, c.arch)
	data = binary.LittleEndian.AppendUint64(data, 0) // the instruction pointer
	data = binary.LittleEndian.AppendUint64(data, c.arg0)
	word := uint32(0)
	for at := 0; at < len(p); at++ {
		f := p[at]
		switch f.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			word = binary.LittleEndian.Uint32(data[f.K:])
		case unix.BPF_RET | unix.BPF_K:
			return f.K
		case unix.BPF_JMP | unix.BPF_JA:
			at += int(f.K)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			at += jump(f, word == f.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			at += jump(f, word >= f.K)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			at += jump(f, word&f.K != 0)
		default:
			t.Fatalf("instruction %d: %+v", at, f)
		}
	}
	t.Fatal("the filter ends without an answer")
	return 0
}

func jump(f unix.SockFilter, yes bool) int {
	if yes {
		return int(f.Jt)
	}
	return int(f.Jf)
}

func TestFilter(t *testing.T) {
	t.Parallel()
	if auditArch == 0 {
		t.Skip("no filter for this architecture")
	}
	const allow, native = unix.SECCOMP_RET_ALLOW, uint32(auditArch)
	none := Config{}
	pretends, listens := Config{Pretend: true}, Config{Pretend: true, listens: true}
	tests := []struct {
		name   string
		config Config
		call   call
		want   uint32
	}{
		{"read", none, call{unix.SYS_READ, native, 0}, allow},
		{"execve", none, call{unix.SYS_EXECVE, native, 0}, allow},
		{"mount", none, call{unix.SYS_MOUNT, native, 0}, refuse(unix.EPERM)},
		{"the last that is forbidden", none, call{unix.SYS_VHANGUP, native, 0}, refuse(unix.EPERM)},
		{"keyctl", none, call{unix.SYS_KEYCTL, native, 0}, refuse(unix.EPERM)},
		{"bpf", none, call{unix.SYS_BPF, native, 0}, refuse(unix.EPERM)},
		{"fork", none, call{unix.SYS_CLONE, native, uint64(unix.SIGCHLD)}, allow},
		{"a thread", none, call{unix.SYS_CLONE, native, unix.CLONE_VM | unix.CLONE_THREAD | unix.CLONE_SIGHAND}, allow},
		{"a user namespace", none, call{unix.SYS_CLONE, native, unix.CLONE_NEWUSER | uint64(unix.SIGCHLD)}, refuse(unix.EPERM)},
		{"a mount namespace", none, call{unix.SYS_CLONE, native, unix.CLONE_NEWNS}, refuse(unix.EPERM)},
		{"clone3, whose flags cannot be seen", none, call{unix.SYS_CLONE3, native, 0}, refuse(unix.ENOSYS)},
		{"chown", none, call{unix.SYS_FCHOWNAT, native, 0}, allow},
		{"chown, pretended", pretends, call{unix.SYS_FCHOWNAT, native, 0}, refuse(0)},
		{"setuid, pretended", pretends, call{unix.SYS_SETUID, native, 0}, refuse(0)},
		{"setuid, asked about", listens, call{unix.SYS_SETUID, native, 0}, unix.SECCOMP_RET_USER_NOTIF},
		{"mount, while others are pretended", pretends, call{unix.SYS_MOUNT, native, 0}, refuse(unix.EPERM)},
		{"another architecture", none, call{unix.SYS_READ, unix.AUDIT_ARCH_RISCV64, 0}, refuse(unix.ENOSYS)},
	}
	if x32Bit != 0 {
		tests = append(tests, []struct {
			name   string
			config Config
			call   call
			want   uint32
		}{
			{"x32", none, call{x32Bit | unix.SYS_READ, native, 0}, refuse(unix.ENOSYS)},
			{"i386 read", none, call{3, auditCompat, 0}, allow},
			{"i386 mount", none, call{21, auditCompat, 0}, refuse(unix.EPERM)},
			{"i386 clone of a namespace", none, call{cloneCompat, auditCompat, unix.CLONE_NEWUSER}, refuse(unix.EPERM)},
			{"i386 fork", none, call{cloneCompat, auditCompat, uint64(unix.SIGCHLD)}, allow},
			{"i386 setuid32, which nobody could report", pretends, call{213, auditCompat, 0}, allow},
		}...)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.config.assemble().judge(t, tt.call); got != tt.want {
				t.Errorf("answers %#x, want %#x", got, tt.want)
			}
		})
	}
}

// TestFilterFits: a jump over more than 255 instructions cannot be written, and
// the kernel takes 4096 at most.
func TestFilterFits(t *testing.T) {
	t.Parallel()
	for _, pretend := range []bool{false, true} {
		c := Config{Pretend: pretend}
		p := c.assemble()
		if len(p) > 4096 {
			t.Errorf("%d instructions", len(p))
		}
		for _, n := range append(append([]uint32{}, forbidden...), forbiddenHere...) {
			if got := p.judge(t, call{n, auditArch, 0}); auditArch != 0 && got != refuse(unix.EPERM) {
				t.Errorf("call %d: %#x", n, got)
			}
		}
	}
}
