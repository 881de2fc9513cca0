package engine

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestSerialAcrossProcesses: two holders of one name stand for two processes,
// which share nothing else.
func TestSerialAcrossProcesses(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can tell")
	}
	name := fmt.Sprintf("imglint-test-%d", os.Getpid())
	first, second := &serial{name: name}, &serial{name: name}
	first.Lock()
	got := make(chan struct{})
	go func() {
		second.Lock()
		close(got)
	}()
	select {
	case <-got:
		t.Fatal("both hold it")
	case <-time.After(100 * time.Millisecond):
	}
	first.Unlock()
	select {
	case <-got:
	case <-time.After(10 * time.Second):
		t.Fatal("it was not given on")
	}
	second.Unlock()
}
