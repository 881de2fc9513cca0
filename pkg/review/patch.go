package review

import (
	"fmt"
	"strings"
)

// lines are the numbers of lines, each with the hunk that it is in: a comment
// may not reach from one hunk into another.
type lines map[int]int

// holds reports whether a comment can be about first to last; first 0: last alone.
func (l lines) holds(first, last int) bool {
	if first == 0 {
		first = last
	}
	return l[last] > 0 && l[first] == l[last]
}

// patched reads the lines of the new file that a patch shows. A large file has
// no patch and so no lines.
func patched(patch string) lines {
	all := lines{}
	hunk, at := 0, 0
	for line := range strings.SplitSeq(patch, "\n") {
		switch {
		case strings.HasPrefix(line, "@@ "):
			hunk++
			at = start(line)
		case strings.HasPrefix(line, "+"), strings.HasPrefix(line, " "):
			all[at] = hunk
			at++
		}
	}
	return all
}

// start is the new file's first line of "@@ -1,2 +3,4 @@".
func start(header string) int {
	_, after, _ := strings.Cut(header, " +")
	n := 0
	if _, err := fmt.Sscanf(after, "%d", &n); err != nil {
		return 0
	}
	return n
}
