package probe

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every source tells the same about the same listeners.
func TestSourcesAgree(t *testing.T) {
	t.Parallel()
	four := listen(t, "tcp4", "127.0.0.1:0")
	six := listen(t, "tcp6", "[::1]:0")
	both := listen(t, "tcp", "[::]:0")
	sources := map[string]source{
		"legacy": newSource(t, legacyRequest()),
		"two dumps": newSource(t,
			inetRequest(2, 6, stateListen), inetRequest(10, 6, stateListen)),
		"proc": &procNet{files: []string{"/proc/net/tcp", "/proc/net/tcp6"}, state: "0A"},
	}
	for name, s := range sources {
		t.Run(name, func(t *testing.T) {
			if _, err := checked(s); err != nil {
				t.Errorf("checked: %v", err)
			}
			list, err := s.sockets(nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []netip.AddrPort{four, six, both} {
				i := slices.IndexFunc(list, func(s socket) bool { return s.port == want.Port() })
				if i < 0 {
					t.Errorf("%s is not listed", want)
					continue
				}
				got := list[i]
				if got.addr != want.Addr() || got.inode == 0 {
					t.Errorf("got %s inode %d, want %s", got.addr, got.inode, want)
				}
				if name != "proc" && (got.v6only != (want == six) || got.backlog == 0) {
					t.Errorf("%s: v6only %v, backlog %d", want, got.v6only, got.backlog)
				}
			}
		})
	}
	if _, err := checked(blind{}); err == nil {
		t.Error("a blind source passes the check")
	}
}

func listen(t *testing.T, network, address string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("listen on %s: %v", address, err)
	}
	t.Cleanup(func() { l.Close() })
	return netip.MustParseAddrPort(l.Addr().String())
}

func newSource(t *testing.T, requests ...[]byte) source {
	t.Helper()
	d, err := newDiag(parseInet, requests...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

func TestUnixAndUDPSources(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	for _, name := range []string{path, "@imglint-test-" + filepath.Base(t.TempDir())} {
		l, err := net.Listen("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	list, err := unixSource().sockets(nil)
	if err != nil {
		t.Fatal(err)
	}
	named := slices.DeleteFunc(list, func(s socket) bool { return s.foreign("unix") })
	if !slices.ContainsFunc(named, func(s socket) bool { return s.path == path && s.backlog > 0 }) {
		t.Errorf("%s is not among %v", path, named)
	}
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	want := netip.MustParseAddrPort(conn.LocalAddr().String())
	list, err = udpSource().sockets(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(list, func(s socket) bool { return s.addr == want.Addr() && s.port == want.Port() }) {
		t.Errorf("%s is not among %v", want, list)
	}
}

func TestParseProcNet(t *testing.T) {
	t.Parallel()
	line := "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 100 0 0 10 0\n"
	six := "   0: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1\n"
	tests := map[string]struct {
		line string
		want socket
		ok   bool
	}{
		"IPv4":        {line, socket{inode: 4242, uid: 1000, port: 8080, addr: localhost}, true},
		"IPv6":        {six, socket{inode: 7, port: 80, addr: netip.MustParseAddr("::ffff:127.0.0.1")}, true},
		"head":        {"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n", socket{}, false},
		"empty":       {"\n", socket{}, false},
		"other state": {"   0: 0100007F:1F90 00000000:0000 01 0:0 0:0 0 1000 0 4242 1\n", socket{}, false},
		"no address":  {"   0: 01zz007F:1F90 00000000:0000 0A 0:0 0:0 0 1000 0 4242 1\n", socket{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if native.Uint16([]byte{1, 0}) != 1 {
				t.Skip("the lines are from a little-endian machine")
			}
			got, ok := parseProcNet([]byte(tt.line), "0A")
			if ok != tt.ok {
				t.Fatalf("ok %v, want %v", ok, tt.ok)
			}
			if ok && got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// script is a source that gives one list after the other.
type script struct{ lists [][]socket }

func (s *script) sockets(list []socket) ([]socket, error) {
	list = append(list, s.lists[0]...)
	s.lists = s.lists[1:]
	return list, nil
}

func TestTable(t *testing.T) {
	t.Parallel()
	at := func(inode uint32, address string) socket {
		ap := netip.MustParseAddrPort(address)
		return socket{inode: inode, addr: ap.Addr(), port: ap.Port()}
	}
	a, b, dns := at(1, "0.0.0.0:80"), at(2, "0.0.0.0:81"), at(3, "127.0.0.11:4000")
	reused := at(2, "0.0.0.0:82")
	tests := map[string]struct {
		confirm bool
		lists   [][]socket
		want    []string // per poll: +port and -port
	}{
		"baseline":      {lists: [][]socket{{a}, {a}, {}}, want: []string{"", "", ""}},
		"opens, closes": {lists: [][]socket{{}, {b}, {b}, {}}, want: []string{"", "+81", "", "-81"}},
		"reopens":       {lists: [][]socket{{}, {b}, {reused}}, want: []string{"", "+81", "+82-81"}},
		"resolver":      {lists: [][]socket{{}, {dns}, {}}, want: []string{"", "", ""}},
		"seen twice":    {confirm: true, lists: [][]socket{{}, {b}, {b}, {b}, {}}, want: []string{"", "", "+81", "", "-81"}},
		"seen once":     {confirm: true, lists: [][]socket{{}, {b}, {}}, want: []string{"", "", ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := &table{network: "tcp", source: &script{tt.lists}, confirm: tt.confirm}
			var got []string
			for range tt.lists {
				opened, closed := table.poll()
				text := ""
				for _, e := range opened {
					e.told = true
					text += "+" + netip.AddrPortFrom(e.addr, e.port).String()[len("0.0.0.0:"):]
				}
				for _, e := range closed {
					text += "-" + netip.AddrPortFrom(e.addr, e.port).String()[len("0.0.0.0:"):]
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}
