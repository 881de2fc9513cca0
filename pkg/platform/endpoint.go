package platform

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// endpoint chooses the port as the platform does.
func (p *Platform) endpoint(img facts.Image, port int, assume func(string, ...any)) facts.Endpoint {
	if port != 0 {
		return facts.Endpoint{Port: port, ChosenBy: "--port", Explicit: true}
	}
	ports := exposed(img)
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
			return firstExposed(img, ports, assume)
		}
	case Assigned:
		port := p.Endpoint.StandIn
		for slices.Contains(ports, port) {
			port++ // a program that ignores PORT must not be there by luck
		}
		return facts.Endpoint{
			Port:     port,
			ChosenBy: "PORT, which " + p.Title + " assigns (" + strconv.Itoa(port) + " stands in)",
		}
	case Scan:
		d := p.Endpoint.Default.or(0)
		return facts.Endpoint{Port: d, ChosenBy: "default of " + p.Title + ", which looks for any open port", Scanned: true}
	case Configured:
		return p.configured(ports, assume)
	}
	if d := p.Endpoint.Default.or(0); d != 0 {
		return facts.Endpoint{Port: d, ChosenBy: "default of " + p.Title}
	}
	return facts.Endpoint{ChosenBy: "no tcp port is exposed"}
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
func firstExposed(img facts.Image, ports []int, assume func(string, ...any)) facts.Endpoint {
	if len(ports) == 1 {
		return facts.Endpoint{Port: ports[0], ChosenBy: only(ports, "")}
	}
	for _, h := range img.History {
		line := exposeEntry.FindStringSubmatch(h.CreatedBy)
		if line == nil {
			continue
		}
		listed := tcpPorts(line[1])
		ordered := strings.HasPrefix(line[1], "[") || len(listed) == 1
		if len(listed) > 0 && ordered && slices.Contains(ports, listed[0]) {
			return facts.Endpoint{Port: listed[0], ChosenBy: "first exposed port"}
		}
		break
	}
	assume("port %d: the first exposed port counts, and the image does not keep their order", ports[0])
	return facts.Endpoint{Port: ports[0], ChosenBy: "lowest exposed port, because the image does not keep the order of EXPOSE"}
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
