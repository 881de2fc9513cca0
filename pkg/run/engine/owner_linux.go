package engine

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// hostIdentity names the place where a pid means something: one boot of one
// kernel, and one pid namespace of it (continuous integration runs imglint in
// containers that share an engine).
func hostIdentity() string {
	name, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	pids, _ := os.Readlink("/proc/self/ns/pid")
	return strings.Join([]string{name, strings.TrimSpace(string(boot)), pids}, " ")
}

// processStart returns when a process began, in clock ticks since boot; false
// when there is no such process. It is field 22 of proc_pid_stat(5); the second
// one is in parentheses and may hold anything.
func processStart(pid int) (string, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 || fields[0][0] == 'Z' {
		return "", false
	}
	return string(fields[19]), true
}
