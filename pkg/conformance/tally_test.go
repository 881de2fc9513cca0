package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// leastKnown is how many percent of the decidable cases must be known.
const leastKnown = 84

// outcome is a case that was checked.
type outcome struct {
	c      *testCase
	seen   seen
	claims []claim
	known  bool
	cached bool
	why    string // it is not known
}

// tally counts cases and claims of one file.
type tally struct {
	cases, failed, undecidable, differ int
	decidable, known                   int
	cached                             int
	claims, wrong                      map[string]int
	unknown                            []string
}

func (s *tally) add(o outcome) {
	if s.claims == nil {
		s.claims, s.wrong = map[string]int{}, map[string]int{}
	}
	s.cases++
	if o.cached {
		s.cached++
	}
	switch {
	case o.c.Fails != "":
		s.failed++
		return
	case o.c.Undecidable != "":
		s.undecidable++
	case o.known:
		s.decidable++
		s.known++
	default:
		s.decidable++
		s.unknown = append(s.unknown, o.c.name()+"\n      "+o.why)
	}
	if o.c.Differs != "" {
		s.differ++
	}
	for _, c := range o.claims {
		s.claims[c.kind]++
		if c.wrong != "" {
			s.wrong[c.kind]++
		}
	}
}

// complaints are the reasons why a case fails the test.
func (o outcome) complaints() (all []string) {
	switch {
	case o.c.Fails != "" && !o.seen.failed():
		return []string{"it does not end with an error, as the case says: " + o.c.Fails}
	case o.c.Fails != "":
		return nil
	case o.seen.failed():
		return []string{"the program ends with an error: mend the case, or say in fails why"}
	}
	for _, c := range o.claims {
		if c.wrong != "" {
			all = append(all, fmt.Sprintf("predicted: %s; %s", c.text, c.wrong))
		}
	}
	switch {
	case o.c.Differs != "" && len(all) > 0:
		return nil
	case o.c.Differs != "":
		return []string{"nothing predicted is wrong, though the case says so: " + o.c.Differs}
	case o.c.Undecidable != "" && o.known:
		all = append(all, "it is known, though the case says that nobody can: "+o.c.Undecidable)
	}
	return all
}

func sum(all map[string]*tally) tally {
	total := tally{claims: map[string]int{}, wrong: map[string]int{}}
	for _, s := range all {
		total.cases += s.cases
		total.failed += s.failed
		total.undecidable += s.undecidable
		total.differ += s.differ
		total.decidable += s.decidable
		total.known += s.known
		total.cached += s.cached
		for kind, n := range s.claims {
			total.claims[kind] += n
		}
		for kind, n := range s.wrong {
			total.wrong[kind] += n
		}
	}
	return total
}

// kinds of claims, in the order of the report.
var kinds = []struct{ kind, title string }{
	{"address", "listen address"}, {"loopback", "loopback or not"}, {"stays", "stays, background or ends"},
	{"complete", "no other tcp listener"}, {"protocol", "protocol"},
}

// render writes the report.
func render(all map[string]*tally) string {
	total := sum(all)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		if len(s.unknown) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s: %d of %d known; not:\n", name, s.known, s.decidable)
		for _, text := range s.unknown {
			fmt.Fprintf(&b, "    %s\n", text)
		}
	}
	fmt.Fprintf(&b, "%d configurations of %d files, %d of them started before\n", total.cases, len(all), total.cached)
	fmt.Fprintf(&b, "%d end with an error, nobody can decide %d, %d differ for a reason\n", total.failed, total.undecidable, total.differ)
	fmt.Fprintf(&b, "known: %d of %d decidable, %s\n", total.known, total.decidable, percent(total.known, total.decidable))
	for _, k := range kinds {
		n := total.claims[k.kind]
		fmt.Fprintf(&b, "right: %d of %d, %s: %s\n", n-total.wrong[k.kind], n, percent(n-total.wrong[k.kind], n), k.title)
	}
	return b.String()
}

func percent(n, of int) string {
	if of == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}
