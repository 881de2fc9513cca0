package probe

import "testing"

func TestRoot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		parents map[int]int // by PID
		want    int
	}{
		"nobody":           {nil, 0},
		"only one":         {map[int]int{7: 1}, 7},
		"server, workers":  {map[int]int{7: 1, 8: 7, 9: 8}, 7},
		"two servers":      {map[int]int{7: 1, 8: 1}, 0},
		"reused low PID":   {map[int]int{3: 7, 7: 1}, 7},
		"PID 1 and others": {map[int]int{1: 0, 2: 1}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := root(tt.parents); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestSocketInode(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]uint32{
		"socket:[123]": 123, "pipe:[123]": 0, "/dev/null": 0, "socket:[x]": 0, "": 0,
	} {
		if got := socketInode(link); got != want {
			t.Errorf("%q: got %d, want %d", link, got, want)
		}
	}
}
