package embed

import (
	"bytes"
	"debug/elf"
	"os"
	"runtime"
	"strings"
	"testing"
)

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

func TestBinary(t *testing.T) {
	t.Parallel()
	for goarch, machine := range machines {
		t.Run(goarch, func(t *testing.T) {
			t.Parallel()
			if !Standalone(goarch) {
				t.Skip("not generated: run make probe")
			}
			binary, err := Binary(goarch)
			if err != nil {
				t.Fatal(err)
			}
			file, err := elf.NewFile(bytes.NewReader(binary))
			if err != nil {
				t.Fatal(err)
			}
			if file.Machine != machine {
				t.Errorf("machine: got %s, want %s", file.Machine, machine)
			}
			for _, p := range file.Progs {
				if p.Type == elf.PT_INTERP {
					t.Error("needs a loader: it could not run FROM scratch")
				}
			}
			if len(binary) > 3<<20 {
				t.Errorf("size: %d bytes, want at most 3 MiB", len(binary))
			}
		})
	}
}

func TestFallback(t *testing.T) {
	t.Parallel()
	if _, err := fallback("mips"); err == nil || !strings.Contains(err.Error(), "make probe") {
		t.Errorf("mips: got %v, want advice to run make probe", err)
	}
	if runtime.GOOS != "linux" {
		return
	}
	got, err := fallback(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("not this executable")
	}
}
