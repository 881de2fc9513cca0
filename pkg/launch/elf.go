package launch

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// parseELF reads the architecture and PT_INTERP from the head of a program.
// debug/elf wants the section headers at the end of the file as well.
func parseELF(head []byte) (arch, interpreter string) {
	if len(head) < 64 {
		return "", ""
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[elf.EI_DATA] == byte(elf.ELFDATA2MSB) {
		order = binary.BigEndian
	}
	wide := head[elf.EI_CLASS] == byte(elf.ELFCLASS64)
	arch = goarch(elf.Machine(order.Uint16(head[18:])), order == binary.BigEndian, wide)
	var phoff, size, count int
	if wide {
		phoff, size, count = int(order.Uint64(head[32:])), int(order.Uint16(head[54:])), int(order.Uint16(head[56:]))
	} else {
		phoff, size, count = int(order.Uint32(head[28:])), int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	}
	for i := range count {
		at := phoff + i*size
		if size < 32 || at < 0 || at+size > len(head) {
			break
		}
		if elf.ProgType(order.Uint32(head[at:])) == elf.PT_INTERP {
			return arch, interpreterAt(head, head[at:at+size], order, wide)
		}
	}
	return arch, ""
}

func interpreterAt(head, header []byte, order binary.ByteOrder, wide bool) string {
	var from, size int
	if wide && len(header) >= 40 {
		from, size = int(order.Uint64(header[8:])), int(order.Uint64(header[32:]))
	} else {
		from, size = int(order.Uint32(header[4:])), int(order.Uint32(header[16:]))
	}
	if from < 0 || size < 0 || size > len(head) || from > len(head)-size {
		return ""
	}
	return string(bytes.TrimRight(head[from:from+size], "\x00"))
}

func goarch(machine elf.Machine, big, wide bool) string {
	switch machine {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_386:
		return "386"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_RISCV:
		return "riscv64"
	case elf.EM_LOONGARCH:
		return "loong64"
	case elf.EM_PPC64:
		if big {
			return "ppc64"
		}
		return "ppc64le"
	case elf.EM_MIPS:
		name := "mips"
		if wide {
			name = "mips64"
		}
		if !big {
			name += "le"
		}
		return name
	}
	return ""
}
