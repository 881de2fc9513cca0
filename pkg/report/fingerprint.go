package report

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

// fingerprints identify a result's findings from one run to the next: times,
// pids, tags, digests and line numbers are left out, so that a new build or a
// line added above is not a new finding. The nth of equal ones differs.
func fingerprints(r Result) []string {
	seen := map[string]int{}
	all := make([]string, len(r.Findings))
	for i, f := range r.Findings {
		key := identity(r, f)
		seen[key]++
		sum := sha256.Sum256([]byte(key + "\x00" + strconv.Itoa(seen[key])))
		all[i] = hex.EncodeToString(sum[:16])
	}
	return all
}

func identity(r Result, f finding.Finding) string {
	parts := []string{repository(r.Ref), f.Rule, string(f.Place.Field), f.Place.Words, f.Place.File}
	if r.Facts != nil {
		parts = append(parts, r.Facts.Target.Platform)
	}
	return strings.Join(parts, "\x00")
}

// repository is an image's name without tag and digest, which differ from
// build to build.
func repository(ref string) string {
	name, _, _ := strings.Cut(ref, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	if name == "" {
		return ref
	}
	return name
}
