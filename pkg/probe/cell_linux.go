package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// maxRequest bounds one line of a cell's stdin.
const maxRequest = 64 << 10

// cell holds a network namespace and answers questions about its files until
// it is told to stop.
func cell(cfg Config) (int, error) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT)
	ready := Ready{Ready: true, Address: cfg.Address}
	if cfg.Address != "" {
		address, err := netip.ParseAddr(cfg.Address)
		if err == nil && !address.Is4() {
			err = errors.New("not an IPv4 address")
		}
		if err == nil {
			err = addAddress(address)
		}
		if err != nil {
			ready.Error = fmt.Sprintf("set up %s: %v", cfg.Address, err)
		}
	}
	if err := reply(ready); err != nil {
		return 1, err
	}
	go answerFiles()
	<-stop
	return 0, nil
}

// answerFiles answers requests in order until stdin ends. When stdout ends
// there is nobody to answer, and the cell goes on holding.
func answerFiles() {
	var pending []byte
	buf := make([]byte, 4096)
	for {
		n, err := receive(0, buf)
		if n <= 0 || err != nil {
			return
		}
		pending = append(pending, buf[:n]...)
		for {
			line, rest, ok := bytes.Cut(pending, []byte("\n"))
			if !ok {
				break
			}
			pending = rest
			if reply(answerLine(line)) != nil {
				return
			}
		}
		if len(pending) > maxRequest {
			return
		}
	}
}

func answerLine(line []byte) FileReply {
	var request FileRequest
	if err := json.Unmarshal(line, &request); err != nil {
		return FileReply{Errno: "EBADMSG"}
	}
	return answerFile(request)
}

// reply writes one line to stdout.
func reply(document any) error {
	line, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	for line = append(line, '\n'); len(line) > 0; {
		n, err := unix.Write(1, line)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("write reply: %w", err)
		}
		line = line[n:]
	}
	return nil
}
