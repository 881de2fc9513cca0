package probe

import (
	"bytes"
	"encoding/json"

	"github.com/imglint/imglint/pkg/facts"
)

// Decoder takes a run's frames out of its program's stdout. It keeps at most
// MaxFrame bytes back; what is not a frame of this run comes out as log bytes.
type Decoder struct {
	head []byte // how a frame of this run starts
	held []byte // the start of what may become a frame
}

// NewDecoder returns a decoder for the frames that carry the nonce. An empty
// nonce matches no frame.
func NewDecoder(nonce string) *Decoder {
	if nonce == "" {
		return &Decoder{}
	}
	return &Decoder{head: append([]byte{FrameMark}, nonce...)}
}

// Feed takes the next bytes of stdout and returns the program's own bytes and
// the events among them. The returned bytes may share memory with chunk.
func (d *Decoder) Feed(chunk []byte) (log []byte, events []facts.Event) {
	data := chunk
	if len(d.held) > 0 {
		data = append(d.held, chunk...)
		d.held = nil
	}
	for len(data) > 0 {
		mark := d.mark(data)
		if mark < 0 {
			if log == nil {
				return data, events
			}
			return append(log, data...), events
		}
		log, data = append(log, data[:mark]...), data[mark:]
		event, size, more := d.frame(data)
		if more {
			d.held = bytes.Clone(data)
			return log, events
		}
		if event != nil {
			events = append(events, *event)
		} else {
			log, size = append(log, data[0]), 1
		}
		data = data[size:]
	}
	return log, events
}

// Flush returns the bytes held back. Call it when stdout has ended.
func (d *Decoder) Flush() []byte {
	held := d.held
	d.held = nil
	return held
}

func (d *Decoder) mark(data []byte) int {
	if d.head == nil {
		return -1
	}
	return bytes.IndexByte(data, FrameMark)
}

// frame reads the frame at the start of data. The event is nil when there is
// none; more is set when only further bytes can tell.
func (d *Decoder) frame(data []byte) (event *facts.Event, size int, more bool) {
	if n := min(len(data), len(d.head)); !bytes.Equal(data[:n], d.head[:n]) {
		return nil, 0, false
	}
	end := bytes.IndexByte(data[:min(len(data), MaxFrame)], '\n')
	if end < 0 {
		return nil, 0, len(data) < MaxFrame
	}
	event = new(facts.Event)
	if end < len(d.head) || json.Unmarshal(data[len(d.head):end], event) != nil || !complete(event) {
		return nil, 0, false
	}
	return event, end + 1, false
}

// complete reports whether the event has the fields that readers of its kind
// rely on.
func complete(e *facts.Event) bool {
	switch e.Kind {
	case "":
		return false
	case facts.EventProcess, facts.EventSurvivor:
		return e.Process != nil
	case facts.EventListening, facts.EventClosed, facts.EventQueue, facts.EventConnecting:
		return e.Socket != nil
	case facts.EventAnswer:
		return e.Answer != nil
	case facts.EventMainExit:
		return e.Exit != nil
	case facts.EventSignals:
		return e.Signals != nil
	}
	return true
}
