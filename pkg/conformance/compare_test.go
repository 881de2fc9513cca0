package conformance

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// seen is what a case did, without times and process IDs.
type seen struct {
	Exited  bool   `json:"exited"`
	Code    int    `json:"code,omitempty"`
	Refused string `json:"refused,omitempty"`
	// Sockets are those that were open at the end; of survivors when the
	// program had ended.
	Sockets   []socket `json:"sockets,omitempty"`
	Survivors []string `json:"survivors,omitempty"`
	// Short are survivors that soon ended too: dumb-init ends its group.
	Short []string `json:"short,omitempty"`
	Log   []string `json:"log,omitempty"`
}

type socket struct {
	Network string     `json:"network"`
	Addr    netip.Addr `json:"addr,omitzero"`
	Port    int        `json:"port,omitempty"`
	Path    string     `json:"path,omitempty"`
	V6Only  bool       `json:"v6only,omitempty"`
	Owner   string     `json:"owner,omitempty"`
	// Speaks is what answered a request: http, tls, or what was recognised.
	Speaks string `json:"speaks,omitempty"`
}

func (s socket) String() string {
	text := s.Network + " " + netip.AddrPortFrom(s.Addr, uint16(s.Port)).String()
	if s.Network == "unix" {
		text = "unix " + s.Path
	}
	if s.V6Only {
		text += " (IPv6 only)"
	}
	return text
}

// fate says what became of a program.
func (s seen) fate() string {
	switch {
	case s.Refused != "":
		return "refused: " + s.Refused
	case s.Exited && s.Code == 0 && len(s.Survivors)+len(s.Short) > 0:
		return "went to the background"
	case s.Exited:
		return fmt.Sprintf("ended with %d", s.Code)
	}
	return "stayed"
}

// failed reports whether the program ended with an error.
func (s seen) failed() bool { return s.Exited && (s.Code != 0 || s.Refused != "") }

// lived is how long a process must outlive the program to count as a daemon.
const lived facts.Millis = 1000

func summary(r facts.Run) seen {
	s := seen{Sockets: sockets(r)}
	if r.Exit != nil {
		s.Exited, s.Code, s.Refused = true, r.Exit.Code, r.Exit.Refused
	}
	for _, l := range r.Log.Tail(6) {
		s.Log = append(s.Log, l.Text[:min(len(l.Text), 160)])
	}
	return s
}

func (s *seen) survivors(r facts.Run) {
	for _, p := range r.Survivors {
		command := strings.Join(p.Argv, " ")
		if p.Alive >= lived {
			s.Survivors = append(s.Survivors, command)
		} else {
			s.Short = append(s.Short, command)
		}
	}
	s.Sockets = sockets(r)
}

func sockets(r facts.Run) []socket {
	var all []socket
	for _, l := range r.Open() {
		s := socket{
			Network: l.Network, Addr: l.Addr, Port: l.Port, Path: l.Path, V6Only: l.V6Only,
			Owner: strings.Join(l.Argv[:min(1, len(l.Argv))], ""),
		}
		for _, e := range r.Answers(l.Port) {
			if l.Network == "tcp" && e.Answer.Class != facts.ClassRefused {
				s.Speaks = speaks(*e.Answer)
			}
		}
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b socket) int { return strings.Compare(a.String(), b.String()) })
	return all
}

func speaks(a facts.Answer) string {
	switch a.Class {
	case facts.ClassHTTP, facts.ClassTLS:
		return string(a.Class)
	case facts.ClassOther:
		return a.Protocol
	}
	return ""
}

// claim is one thing that a prediction says.
type claim struct {
	kind  string // "stays", "address", "loopback", "complete" or "protocol"
	text  string
	wrong string // "": it is right
}

// judge holds a prediction against what was seen. known tells whether it says
// all that there is to know of the case.
func judge(l facts.Launch, p facts.Prediction, s seen) (claims []claim, known bool) {
	ends := l.Known == facts.Yes && l.Ends != "" || p.Ends != "" || p.Interactive != ""
	certain := l.Known == facts.Yes
	fate := claim{kind: "stays"}
	switch {
	case !certain:
		return nil, false
	case ends:
		fate.text = "ends"
		// Nothing is said about what a launcher leaves behind.
		if !s.Exited {
			fate.wrong = "stayed"
		}
		return []claim{fate}, true
	case p.Daemonizes == facts.Yes:
		fate.text = "goes to the background"
		if s.fate() != "went to the background" {
			fate.wrong = s.fate()
		}
	case p.Daemonizes == facts.No && p.Server != "":
		fate.text = "stays"
		if s.Exited {
			fate.wrong = s.fate()
		}
	default:
		fate.kind = ""
	}
	if fate.kind != "" {
		claims = append(claims, fate)
	}
	if !s.Exited || len(s.Survivors) > 0 {
		claims = append(claims, listeners(p, s)...)
	}
	return claims, fate.kind != "" && p.Complete
}

// listeners judges what is said about sockets.
func listeners(p facts.Prediction, s seen) (claims []claim) {
	said := make([]bool, len(s.Sockets))
	for _, l := range p.Listens {
		claims = append(claims, address(l, s, said)...)
	}
	if !p.Complete {
		return claims
	}
	all := claim{kind: "complete", text: "listens nowhere else"}
	for i, o := range s.Sockets {
		if o.Network == "tcp" && !said[i] {
			all.wrong = o.String() + " was not predicted"
		}
	}
	return append(claims, all)
}

// address judges one listener: whether it is there, and whether it is what
// others can reach.
func address(l facts.Listen, s seen, said []bool) []claim {
	text := fmt.Sprintf("%s %s:%d%s", l.Network, l.Host, l.Port, l.Path)
	there := claim{kind: "address", text: text, wrong: "is not there"}
	loopback := claim{kind: "loopback", text: fmt.Sprintf("%s is %s", text, l.Scope)}
	protocol := claim{kind: "protocol", text: text + " speaks " + l.Protocol}
	port, talked := false, false
	for i, o := range s.Sockets {
		if o.Network != l.Network || l.Port != 0 && o.Port != l.Port {
			continue
		}
		if same(l, o) {
			said[i], there.wrong = true, ""
		}
		if l.Scope == facts.ScopeAny && o.Addr.IsUnspecified() {
			said[i] = true // many servers open [::] besides
		}
		if !port || o.loopback() == (l.Scope == facts.ScopeLoopback) {
			loopback.wrong = ""
			if o.loopback() != (l.Scope == facts.ScopeLoopback) {
				loopback.wrong = o.String()
			}
		}
		port = true
		talked = talked || o.Speaks != ""
		if l.Port != 0 && !agree(l.Protocol, o.Speaks) {
			protocol.wrong = "it speaks " + o.Speaks
		}
	}
	claims := []claim{there}
	if port && l.Network != "unix" && l.Scope != facts.ScopeUnknown {
		claims = append(claims, loopback)
	}
	if talked && l.Protocol != "" {
		claims = append(claims, protocol)
	}
	return claims
}

func (s socket) loopback() bool { return s.Addr.Unmap().IsLoopback() }

// same reports whether a predicted listener is the one that was seen. Any
// address may be an IPv4 or an IPv6 socket, and a name such as localhost two.
func same(l facts.Listen, o socket) bool {
	if l.Network == "unix" {
		return o.Path == l.Path || strings.HasPrefix(o.Path, l.Path+".") // supervisord links PATH.PID to PATH
	}
	switch l.Scope {
	case facts.ScopeAny:
		return o.Addr.IsUnspecified() && !o.V6Only
	case facts.ScopeAny6:
		return o.Addr.IsUnspecified() && o.V6Only
	case facts.ScopeLoopback:
		return o.loopback()
	case facts.ScopeAddress:
		return o.Addr.String() == strings.Trim(l.Host, "[]")
	}
	return l.Port != 0
}

// agree compares a predicted protocol with what answered; what was not
// recognised says nothing.
func agree(predicted, spoken string) bool {
	switch {
	case predicted == "" || spoken == "" || predicted == spoken:
		return true
	case spoken == "tls":
		return predicted == "https"
	case spoken == "http":
		return predicted == "https" // a server that explains itself to plain HTTP
	}
	return predicted != "http" && predicted != "https"
}

// missing reports whether a predicted listener was not seen.
func missing(claims []claim) bool {
	return slices.ContainsFunc(claims, func(c claim) bool { return c.kind == "address" && c.wrong != "" })
}
