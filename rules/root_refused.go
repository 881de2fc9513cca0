package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// RootRefused reports an image whose user Kubernetes will not start, because
// the manifest says runAsNonRoot.
//
// Why it fails: the kubelet compares the user's number with 0. An image
// without USER runs as root; of a USER that is a name it cannot tell. Both
// end in CreateContainerConfigError, and nothing starts.
//
// Fix: give USER a number other than 0 in the Dockerfile, or runAsUser in the
// manifest.
var RootRefused = &rule.Rule{
	ID:       "root-refused",
	Title:    "the manifest forbids root, and the image's user is root or a name",
	Severity: finding.Error,
	Needs:    rule.NeedsImage,
	Check:    checkRootRefused,
}

func checkRootRefused(p *rule.Pass) {
	if p.Workload == nil || p.Workload.NonRoot.File == "" {
		return
	}
	user := p.Image.Config.User
	if p.Workload.User != "" {
		user = p.Workload.User
	}
	name, _, _ := strings.Cut(user, ":")
	f := finding.Finding{
		Basis: finding.Predicted,
		Place: p.Workload.NonRoot,
		Fix:   &finding.Fix{Description: "give USER a number other than 0, such as USER 10001, or set runAsUser"},
	}
	number, err := strconv.Atoi(name)
	switch {
	case name == "" || err == nil && number == 0:
		f.Message = "runAsNonRoot is set and the container would run as root: Kubernetes does not start it"
	case err != nil:
		f.Message = fmt.Sprintf("runAsNonRoot is set and USER is the name %s, of which Kubernetes cannot tell that it is not root: it does not start the container", name)
	default:
		return
	}
	f.Evidence = []finding.Evidence{{Kind: "read", Text: userText(p.Image.Config)}}
	p.Report(f)
}

func userText(c facts.Config) string {
	if c.User == "" {
		return "the image has no USER"
	}
	return "the image's USER is " + c.User
}
