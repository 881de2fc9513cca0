package facts

import "github.com/imglint/imglint/pkg/finding"

// Workload is what a Kubernetes or Compose file says about the container
// besides what it changes of the image and what its probe asks.
type Workload struct {
	Title string         `json:"title"` // "Deployment web, container app"
	Ports []WorkloadPort `json:"ports,omitempty"`
	// User is what the file makes of the image's USER, "" when it says nothing.
	User string `json:"user,omitempty"`
	// NonRoot is where the file forbids root; its File is "" when it does not.
	NonRoot finding.Place `json:"nonRoot,omitzero"`
}

// WorkloadPort is a tcp port that the file sends requests to.
type WorkloadPort struct {
	Number int           `json:"number"`
	Place  finding.Place `json:"place"`
}
