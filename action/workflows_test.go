package action

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Timeout     int `yaml:"timeout-minutes"`
		Steps       []struct {
			Uses, Run string
			With      map[string]any
		}
	}
}

var pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)

// TestWorkflows holds what keeps the workflows safe: actions pinned by commit,
// no rights but those that a job names, no credentials left on disk, and no
// expression in a script, where a branch's name could be code.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var w workflow
		if err := yaml.Unmarshal(text, &w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
			t.Errorf("%s: permissions are %v", name, w.Permissions)
		}
		if strings.Contains(string(text), "pull_request_target") {
			t.Errorf("%s: runs foreign code with the rights of this repository", name)
		}
		for id, job := range w.Jobs {
			if job.Timeout == 0 {
				t.Errorf("%s: job %s has no timeout", name, id)
			}
			for _, step := range job.Steps {
				if step.Uses != "" && step.Uses != "./" && !pinned.MatchString(step.Uses) {
					t.Errorf("%s: %s is not pinned by commit", name, step.Uses)
				}
				if strings.HasPrefix(step.Uses, "actions/checkout@") && step.With["persist-credentials"] != false {
					t.Errorf("%s: a checkout keeps its credentials", name)
				}
				if strings.Contains(step.Run, "${{") {
					t.Errorf("%s: an expression in a script: %s", name, step.Run)
				}
			}
		}
	}
}
