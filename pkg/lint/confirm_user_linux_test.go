package lint

import (
	"flag"
	"os/exec"
	"testing"
)

var save = flag.String("save", "", "with TestSave: the file to save every fixture's image to")

// TestSave is scaffolding.
func TestSave(t *testing.T) {
	if *save == "" {
		t.Skip("no -save")
	}
	slots := make(chan struct{}, parallelRuns)
	refs := make(chan string, 1000)
	t.Run("build", func(t *testing.T) {
		for _, f := range fixtures(t) {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				refs <- f.build(t)
			})
		}
	})
	close(refs)
	args := []string{"save", "-o", *save}
	for ref := range refs {
		args = append(args, ref)
	}
	if out, err := exec.Command("docker", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
