package dockerfile

import (
	"slices"
	"strconv"
	"strings"
)

// portSet reads a list of ports as a Dockerfile or any builder's history has
// it, ranges expanded, as a sorted set of NUMBER/PROTOCOL. A word that is no
// port stands for itself.
func portSet(text string) []string {
	var all []string
	for _, word := range exposeWords(text) {
		number, protocol, ok := strings.Cut(strings.Trim(word, `"'`), "/")
		if !ok {
			protocol = "tcp"
		}
		protocol = strings.ToLower(protocol)
		from, to, isRange := strings.Cut(number, "-")
		low, errLow := strconv.Atoi(from)
		high, errHigh := strconv.Atoi(to)
		switch {
		case isRange && errLow == nil && errHigh == nil && low >= 0 && high <= 65535:
			for n := low; n <= high; n++ {
				all = append(all, strconv.Itoa(n)+"/"+protocol)
			}
		default:
			all = append(all, number+"/"+protocol)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
