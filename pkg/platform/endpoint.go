package platform

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// endpoint chooses the port as the platform does.
func (p *Platform) endpoint(img facts.Image, o Overrides, assume func(string, ...any)) facts.Endpoint {
	if o.Port != 0 {
		return facts.Endpoint{Port: o.Port, ChosenBy: "--port", Explicit: true}
	}
	ports := exposed(img)
	e := p.chosen(img, ports, o.Order, assume)
	if !p.Endpoint.Every.or(false) || p.Endpoint.Choice.Value == Configured {
		return e
	}
	for _, n := range ports {
		if n != e.Port {
			e.Others = append(e.Others, n)
		}
	}
	return e
}

func (p *Platform) chosen(img facts.Image, ports, order []int, assume func(string, ...any)) facts.Endpoint {
	switch p.Endpoint.Choice.Value {
	case LowestText:
		if len(ports) > 0 {
			lowest := slices.MinFunc(ports, func(a, b int) int { return cmp.Compare(strconv.Itoa(a), strconv.Itoa(b)) })
			return facts.Endpoint{Port: lowest, ChosenBy: only(ports, "lowest exposed port, compared as text")}
		}
	case LowestNumber:
		if len(ports) > 0 {
			return facts.Endpoint{Port: ports[0], ChosenBy: only(ports, "lowest exposed port")}
		}
	case First:
		if len(ports) > 0 {
			return firstExposed(img, ports, order, assume)
		}
	case Assigned:
		port := free(p.Endpoint.StandIn, ports)
		return facts.Endpoint{
			Port:     port,
			ChosenBy: "PORT, which " + p.Title + " assigns (" + strconv.Itoa(port) + " stands in)",
		}
	case LowestOrOpen:
		if len(ports) > 0 {
			return facts.Endpoint{Port: ports[0], ChosenBy: only(ports, "lowest exposed port"), Named: true, Scanned: true}
		}
		return facts.Endpoint{ChosenBy: "any open port: none is exposed", Named: true, Scanned: true}
	case Scan:
		d := p.Endpoint.Default.or(0)
		if stand := free(p.Endpoint.StandIn, ports); stand != 0 {
			return facts.Endpoint{Port: stand, Scanned: true, ChosenBy: fmt.Sprintf("PORT (%d stands in for %d) of %s, which looks for any open port", stand, d, p.Title)}
		}
		return facts.Endpoint{Port: d, ChosenBy: "default of " + p.Title + ", which looks for any open port", Scanned: true}
	case Configured:
		return p.configured(ports, assume)
	}
	if d := p.Endpoint.Default.or(0); d != 0 {
		return facts.Endpoint{Port: d, ChosenBy: "default of " + p.Title}
	}
	return facts.Endpoint{ChosenBy: "no tcp port is exposed"}
}

// free is the port or the next one that is not exposed: a program that ignores
// PORT must not be there by luck.
func free(port int, exposed []int) int {
	for port != 0 && slices.Contains(exposed, port) {
		port++
	}
	return port
}

// HandingOut is a platform that looks for open ports with another port to hand
// out: which one does not matter there. Other platforms stay as they are.
func (p *Platform) HandingOut(port int) *Platform {
	if p.Endpoint.Choice.Value != Scan || !p.Endpoint.Injected.or(false) || port == 0 {
		return p
	}
	other := *p
	other.Endpoint.StandIn = port
	return &other
}

// only says the simpler thing when there was nothing to choose.
func only(ports []int, choice string) string {
	if len(ports) == 1 {
		return "only exposed port"
	}
	return choice
}

// configured is for platforms that do not read EXPOSE: their default, or the
// port that whoever deploys the image will most likely name.
func (p *Platform) configured(ports []int, assume func(string, ...any)) facts.Endpoint {
	if d := p.Endpoint.Default.or(0); d != 0 {
		return facts.Endpoint{Port: d, ChosenBy: "default of " + p.Title}
	}
	if len(ports) == 0 {
		return facts.Endpoint{ChosenBy: "named when deploying: give --port"}
	}
	assume("port %d: %s asks the port that is named when deploying (--port)", ports[0], p.Title)
	return facts.Endpoint{Port: ports[0], ChosenBy: only(ports, "lowest exposed port, for want of --port")}
}

// firstExposed finds the Dockerfile's order, which the config does not keep
// and the history only sometimes: BuildKit writes "EXPOSE [9000/tcp 80/tcp]"
// in order; its 2020 form "map[…]" and the classic builder sort within a line.
func firstExposed(img facts.Image, ports, order []int, assume func(string, ...any)) facts.Endpoint {
	if len(ports) == 1 {
		return facts.Endpoint{Port: ports[0], ChosenBy: only(ports, "")}
	}
	if first, ok := firstWritten(img, ports); ok {
		return facts.Endpoint{Port: first, ChosenBy: "first exposed port"}
	}
	for _, n := range order {
		if slices.Contains(ports, n) {
			return facts.Endpoint{Port: n, ChosenBy: "first exposed port of the Dockerfile"}
		}
	}
	assume("port %d: the first exposed port counts, and the image does not keep their order", ports[0])
	return facts.Endpoint{Port: ports[0], ChosenBy: "lowest exposed port, because the image does not keep the order of EXPOSE"}
}

// OrderKept reports whether the image tells all that the platform wants to
// know of the order of the exposed ports; else only its Dockerfile can.
func (p *Platform) OrderKept(img facts.Image) bool {
	ports := exposed(img)
	if p.Endpoint.Choice.Value != First || len(ports) < 2 {
		return true
	}
	_, ok := firstWritten(img, ports)
	return ok
}

// firstWritten is the first port of the image's history.
func firstWritten(img facts.Image, ports []int) (int, bool) {
	for _, h := range img.History {
		line := exposeEntry.FindStringSubmatch(h.CreatedBy)
		if line == nil {
			continue
		}
		listed := tcpPorts(line[1])
		// Both builders sort the ports of one line as text (buildkit's parseExpose).
		if len(listed) == 1 && slices.Contains(ports, listed[0]) {
			return listed[0], true
		}
		break
	}
	return 0, false
}

var exposeEntry = regexp.MustCompile(`^(?:.*#\(nop\)\s+)?EXPOSE (.*)$`)

// tcpPorts reads the ports of a history entry; 0 stands for a range.
func tcpPorts(text string) []int {
	text = strings.Trim(strings.TrimPrefix(text, "map"), "[]")
	var ports []int
	for _, word := range strings.Fields(text) {
		word, _, _ = strings.Cut(word, ":") // map[80/tcp:{}]
		number, protocol, _ := strings.Cut(word, "/")
		if protocol == "" || protocol == "tcp" {
			n, _ := strconv.Atoi(number)
			ports = append(ports, n)
		}
	}
	return ports
}
