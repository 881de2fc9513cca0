package facts

import "time"

// Target is what one platform demands of the image.
type Target struct {
	Platform string   `json:"platform"` // catalogue id: "aptible"
	Title    string   `json:"title,omitempty"`
	Endpoint Endpoint `json:"endpoint"`
	Probe    Probe    `json:"probe"`
	// BootWindow is how long the platform waits for the first good answer.
	BootWindow time.Duration `json:"bootWindow"`
	// Env is what the platform adds to the environment, KEY=VALUE.
	Env []string `json:"env,omitempty"`
}

// Endpoint is the port the platform sends its probe to.
type Endpoint struct {
	Port int `json:"port,omitempty"` // 0: the platform cannot know one
	// ChosenBy tells how, for a reader: "lowest exposed port, compared as text".
	ChosenBy string `json:"chosenBy,omitempty"`
	// Explicit: the user named the port, so EXPOSE does not matter.
	Explicit bool `json:"explicit,omitempty"`
}

// Probe is the request the platform makes.
type Probe struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Host   string `json:"host"`
	// Accept lists the accepted statuses; empty: any HTTP answer will do.
	Accept []StatusRange `json:"accept,omitempty"`
	// TryTimeout bounds one request.
	TryTimeout time.Duration `json:"tryTimeout"`
}

// StatusRange is an inclusive range of HTTP statuses.
type StatusRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Accepts reports whether an HTTP status passes the probe.
func (p Probe) Accepts(status int) bool {
	if len(p.Accept) == 0 {
		return status >= 100 && status <= 999
	}
	for _, r := range p.Accept {
		if status >= r.From && status <= r.To {
			return true
		}
	}
	return false
}
