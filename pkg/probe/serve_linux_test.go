package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/fcgi"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// serve is the watched program: it listens, prints when it did on the shared
// clock, and behaves as told. "tcp6" listens on IPv6 only.
func serve(behaviour, network, address string) error {
	verb, rest, _ := strings.Cut(behaviour, "=")
	if verb == "dials" {
		return dials(address)
	}
	switch network {
	case "udp":
		socket, err := net.ListenPacket(network, address)
		if err != nil {
			return err
		}
		hold(socket)
	case "unix":
		listener, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		hold(listener)
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	fmt.Printf("bound %d\n", clock())
	switch verb {
	case "http":
		status, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		return http.Serve(listener, answers(status, status))
	case "host": // refuses every Host but localhost
		return http.Serve(listener, answers(400, 200))
	case "redirects": // from / over /next to where it is told, where it answers 204
		return http.Serve(listener, redirects(rest))
	case "boots": // accepts at once, answers after a time
		delay, err := time.ParseDuration(rest)
		if err != nil {
			return err
		}
		<-time.After(delay)
		return http.Serve(listener, answers(200, 200))
	case "user": // listens as root, then becomes another
		uid, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		if err := syscall.Setuid(uid); err != nil {
			return err
		}
		return http.Serve(listener, answers(200, 200))
	case "tls":
		return serveTLS(listener, rest)
	case "https": // explains itself to plain HTTP
		return serveHTTPS(listener)
	case "fastcgi":
		return fcgi.Serve(listener, answers(200, 200))
	case "deaf": // never accepts
		hold(listener)
	}
	return serveRaw(listener, verb, rest)
}

func answers(others, localhost int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "test")
		if strings.HasPrefix(r.Host, "localhost:") {
			w.WriteHeader(localhost)
			return
		}
		w.WriteHeader(others)
	}
}

func redirects(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "next", http.StatusFound)
		case "/next":
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusMovedPermanently)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}
}

// hold keeps a socket open until the process is ended. A program that waits
// for nothing at all would be ended by Go itself.
func hold(socket any) {
	<-time.After(time.Hour)
	runtime.KeepAlive(socket)
}

// certified is a server's side of TLS.
func certified() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}

func serveHTTPS(listener net.Listener) error {
	config, err := certified()
	if err != nil {
		return err
	}
	server := &http.Server{Handler: answers(200, 200), TLSConfig: config}
	return server.ServeTLS(listener, "", "")
}

// serveTLS hangs up on what is not TLS without a word. It takes the protocols
// that are listed; "1.3" is that version alone.
func serveTLS(listener net.Listener, protocols string) error {
	config, err := certified()
	if err != nil {
		return err
	}
	if protocols == "1.3" {
		config.MinVersion = tls.VersionTLS13
	} else if protocols != "" {
		config.NextProtos = strings.Split(protocols, ",")
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		first := make([]byte, 1)
		if _, err := io.ReadFull(conn, first); err == nil && first[0] == 0x16 {
			_ = tls.Server(replay{conn, first}, config).HandshakeContext(context.Background())
		}
		conn.Close()
	}
}

// replay gives back what was read to tell TLS from others.
type replay struct {
	net.Conn
	first []byte
}

func (r replay) Read(p []byte) (int, error) {
	if len(r.first) > 0 && len(p) > 0 && r.first[0] != 0 {
		p[0], r.first[0] = r.first[0], 0
		return 1, nil
	}
	return r.Conn.Read(p)
}

func serveRaw(listener net.Listener, verb, rest string) error {
	var held []net.Conn
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		switch verb {
		case "banner":
			fmt.Fprintf(conn, "%s\r\n", rest)
		case "reset":
			conn.(*net.TCPConn).SetLinger(0)
		case "headers": // so many, and an end
			n, _ := strconv.Atoi(rest)
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nServer: test\r\n")
			for range n {
				if _, err := fmt.Fprint(conn, "X-More: 0123456789\r\n"); err != nil {
					break
				}
			}
			fmt.Fprint(conn, "Connection: close\r\nContent-Length: 0\r\n\r\n")
		case "silent":
			held = append(held, conn)
			continue
		case "postgres": // knows its own greeting alone
			hello := make([]byte, 8)
			if _, err := io.ReadFull(conn, hello); err == nil && hello[4] == 4 && hello[5] == 0xd2 {
				fmt.Fprint(conn, "N")
			}
		}
		conn.Close()
	}
}
