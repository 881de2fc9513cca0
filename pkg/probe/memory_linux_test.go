package probe

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMemory reads the counters of both kinds of control groups as kernels
// write them.
func TestMemory(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, before, after string
		counts              bool
		told                int
	}{
		{"v2", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 2\noom_group_kill 0\n", true, 1},
		{"v1", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n", true, 1},
		{"nothing happens", "oom_kill 2\n", "oom_kill 2\n", true, 0},
		{"an old kernel", "oom_kill_disable 0\nunder_oom 0\n", "", false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			out, err := os.Create(filepath.Join(dir, "out"))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			counter := filepath.Join(dir, "counter")
			write := func(text string) {
				if err := os.WriteFile(counter, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(tt.before)
			o := &observer{emitter: emitter{fd: int(out.Fd()), nonce: "n"}}
			m := newMemory(o, []string{filepath.Join(dir, "none"), counter})
			if (m != nil) != tt.counts {
				t.Fatalf("counts %t, want %t", m != nil, tt.counts)
			}
			if m == nil {
				return
			}
			m.poll(1)
			write(tt.after)
			m.poll(2)
			m.poll(3)
			frames, err := os.ReadFile(out.Name())
			if err != nil {
				t.Fatal(err)
			}
			_, events := NewDecoder("n").Feed(frames)
			if len(events) != tt.told {
				t.Errorf("told %+v, want %d", events, tt.told)
			}
		})
	}
}
