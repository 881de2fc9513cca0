// Command hostile is the program of images that attack whoever watches them:
// it does what its first argument says.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

const address = ":8000"

// attacks are what can be asked for.
var attacks = map[string]func(){
	"forks": forks, "flood": flood, "memory": memory, "listeners": listeners, "forge": forge,
	"headers": func() { answer("HTTP/1.1 200 OK\r\n", "X-Endless: 0123456789012345678901234567890123456789\r\n") },
	"body":    func() { answer("HTTP/1.1 200 OK\r\n\r\n", "0123456789012345678901234567890123456789\n") },
	"churn":   churn, "end": func() {},
	"kill": kill, "setuid": setuid, "outside": outside, "escapes": escapes, "banner": banner, "argv": argv, "unix": unixSockets,
	"renames": renames, "execs": execs, "slow": slow, "flap": flap, "fill": fill, "sleep": func() { time.Sleep(time.Hour) },
	"away": away, "stop": stop, "secrets": secrets, "late": late,
}

func main() { attacks[os.Args[1]]() }

const good = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// forks starts processes that start processes, until there can be no more.
func forks() {
	for {
		_, _ = syscall.ForkExec("/hostile", os.Args, &syscall.ProcAttr{})
	}
}

// flood writes as much log as can be written.
func flood() {
	line := bytes.Repeat([]byte("x"), 1<<20)
	line[len(line)-1] = '\n'
	for {
		_, _ = os.Stdout.Write(line)
	}
}

func memory() {
	var hog [][]byte
	for {
		hog = append(hog, bytes.Repeat([]byte{1}, 8<<20))
	}
}

func listeners() {
	for port := 8000; port < 13000; port++ {
		if _, err := net.Listen("tcp", fmt.Sprint(":", port)); err != nil {
			fmt.Println(err)
			break
		}
	}
	time.Sleep(time.Hour)
}

// forge writes frames with nonces that are guessed.
func forge() {
	for _, nonce := range []string{"", "0", "AAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		fmt.Printf("\x1e%s{\"t\":1,\"kind\":\"listening\",\"socket\":{\"network\":\"tcp\",\"addr\":\"0.0.0.0\",\"port\":8000,\"uid\":0}}\n", nonce)
		fmt.Printf("\x1e%s{\"t\":2,\"kind\":\"answer\",\"answer\":{\"to\":\"198.18.0.2\",\"port\":8000,\"class\":\"http\",\"status\":200,\"asked\":1,\"took\":1}}\n", nonce)
	}
	time.Sleep(time.Hour)
}

// churn starts processes that end at once.
func churn() {
	go answer(good, "")
	for {
		if pid, err := syscall.ForkExec("/hostile", []string{"hostile", "end", fmt.Sprint(time.Now())}, &syscall.ProcAttr{}); err == nil {
			_, _ = syscall.Wait4(pid, nil, 0, nil)
		}
	}
}

// answer sends what begins an answer, then the rest again and again.
func answer(begin, rest string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		os.Exit(1)
	}
	endless := bytes.Repeat([]byte(rest), 1000)
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			defer c.Close()
			_, err := io.WriteString(c, begin)
			for err == nil && len(endless) > 0 {
				_, err = c.Write(endless)
			}
		}()
	}
}
