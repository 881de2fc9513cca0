package engine

import (
	"maps"
	"os"
	"testing"
	"time"
)

func TestAbandoned(t *testing.T) {
	t.Parallel()
	me := owner{host: "here", pid: 10, start: "500"}
	running := func(pid int) (string, bool) {
		start, ok := map[int]string{10: "500", 11: "600"}[pid]
		return start, ok
	}
	tests := []struct {
		name  string
		owner owner
		life  time.Duration
		drop  string
		want  bool
	}{
		{"my own", me, time.Hour, "", false},
		{"my own, past its time", me, -time.Hour, "", false},
		{"of another live process", owner{"here", 11, "600"}, -time.Hour, "", false},
		{"of a process that is gone", owner{"here", 12, "700"}, time.Hour, "", true},
		{"of a process whose pid is used again", owner{"here", 11, "599"}, time.Hour, "", true},
		{"from elsewhere, in its time", owner{"there", 12, "700"}, time.Hour, "", false},
		{"from elsewhere, past its time", owner{"there", 12, "700"}, -time.Hour, "", true},
		{"of a process that cannot be told, in its time", owner{"here", 12, ""}, time.Hour, "", false},
		{"of a process that cannot be told, past its time", owner{"here", 12, ""}, -time.Hour, "", true},
		{"not ours at all", owner{"here", 12, "700"}, -time.Hour, labelMark, false},
		{"from elsewhere and without a time", owner{"there", 12, "700"}, -time.Hour, labelUntil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			labels := tt.owner.labels(roleCell, tt.life)
			maps.DeleteFunc(labels, func(k, _ string) bool { return k == tt.drop })
			if got := me.abandoned(labels, time.Now(), running); got != tt.want {
				t.Errorf("abandoned: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestOwnProcessIsAlive(t *testing.T) {
	t.Parallel()
	o := newOwner()
	if o.start == "" {
		t.Skip("the start of a process cannot be told here")
	}
	if start, ok := processStart(os.Getpid()); !ok || start != o.start {
		t.Errorf("start %q, then %q %v", o.start, start, ok)
	}
	if o.abandoned(o.labels(roleTarget, -time.Hour), time.Now(), processStart) {
		t.Error("a live process's containers count as abandoned")
	}
}
