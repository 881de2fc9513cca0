package hook

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Push is one ref that is pushed, as git tells it to the hook (githooks(5)).
type Push struct {
	LocalRef, Local   string
	RemoteRef, Remote string // Remote is zeros for a new ref
}

// Deletes reports whether the push removes the remote's ref.
func (p Push) Deletes() bool { return zeros(p.Local) }

func zeros(id string) bool { return strings.Trim(id, "0") == "" }

// Pushes reads the hook's standard input.
func Pushes(r io.Reader) ([]Push, error) {
	var all []Push
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch len(fields) {
		case 0:
		case 4:
			all = append(all, Push{fields[0], fields[1], fields[2], fields[3]})
		default:
			return nil, fmt.Errorf("read what is pushed: %q is not \"LOCAL-REF ID REMOTE-REF ID\"", lines.Text())
		}
	}
	return all, lines.Err()
}

// Change is what a push changes.
type Change struct {
	Files []string // relative to the working tree's root, with slashes; sorted
	// All: the remote has nothing to compare with, so every file counts.
	All bool
}

// Changed finds out which files differ between what the remote has and what it
// gets. The remote is a name or an address.
func (r *Repository) Changed(ctx context.Context, remote string, pushes []Push) (Change, error) {
	var change Change
	for _, p := range pushes {
		if p.Deletes() || p.Local == p.Remote {
			continue
		}
		base, ok := r.base(ctx, remote, p)
		if !ok {
			return Change{All: true}, nil
		}
		out, err := git(ctx, r.Top, "diff", "--name-only", "--no-renames", "-z", base, p.Local, "--")
		if err != nil {
			return change, err
		}
		change.Files = append(change.Files, strings.FieldsFunc(out, func(c rune) bool { return c == 0 })...)
	}
	slices.Sort(change.Files)
	change.Files = slices.Compact(change.Files)
	return change, nil
}

// base is the commit to compare with: what the ref is at the remote if that is
// known here, else the newest ancestor that some branch of the remote has.
func (r *Repository) base(ctx context.Context, remote string, p Push) (string, bool) {
	if !zeros(p.Remote) {
		if _, err := git(ctx, r.Top, "cat-file", "-e", p.Remote+"^{commit}"); err == nil {
			return p.Remote, true
		}
	}
	for _, refs := range []string{"refs/remotes/" + remote, "refs/remotes"} {
		out, err := git(ctx, r.Top, "for-each-ref", "--format=%(objectname)", refs)
		if ids := strings.Fields(out); err == nil && len(ids) > 0 {
			return r.nearest(ctx, p.Local, ids)
		}
	}
	return "", false
}

// Dirty lists the files here that differ from the commit that is checked out,
// those that git does not know included; sorted.
func (r *Repository) Dirty(ctx context.Context) ([]string, error) {
	out, err := git(ctx, r.Top, "status", "--porcelain", "--no-renames", "--untracked-files=all", "-z")
	if err != nil {
		return nil, err
	}
	var files []string
	for entry := range strings.SplitSeq(out, "\x00") {
		if len(entry) > len("XY ") {
			files = append(files, entry[len("XY "):])
		}
	}
	slices.Sort(files)
	return files, nil
}

// most bounds how many branches of a remote are compared.
const most = 200

// nearest is the best common ancestor of a commit and any of the others.
func (r *Repository) nearest(ctx context.Context, local string, ids []string) (string, bool) {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	out, err := git(ctx, r.Top, append([]string{"merge-base", local}, ids[:min(len(ids), most)]...)...)
	base := strings.TrimSpace(out)
	return base, err == nil && base != ""
}
