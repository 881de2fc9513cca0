package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run/engine/enginetest"
)

// authority signs certificates of a test's own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certify makes a certificate; nil makes an authority's own.
func certify(t *testing.T, by *authority, name string) (cert, key []byte, self *authority) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: by == nil,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	self = &authority{template, private}
	if by == nil {
		by = self
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &private.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	if self.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}), self
}

// secured is the engine behind TLS that wants certificates of an authority.
func secured(t *testing.T, ca *authority) string {
	t.Helper()
	upstream := socketPath(t)
	cert, key, _ := certify(t, ca, "engine")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	enginetest.Forward(t, l, upstream)
	return "tcp://" + l.Addr().String()
}

// TestConnectOverTLS runs an image on an engine that wants certificates, and
// says what is wrong with others.
func TestConnectOverTLS(t *testing.T) {
	caPEM, _, ca := certify(t, nil, "authority")
	strangePEM, _, strange := certify(t, nil, "stranger")
	host, plain := secured(t, ca), connect(t, static)
	certs := func(trusted []byte, by *authority) {
		dir := t.TempDir()
		cert, key, _ := certify(t, by, "client")
		write(t, filepath.Join(dir, "ca.pem"), string(trusted))
		write(t, filepath.Join(dir, "cert.pem"), string(cert))
		write(t, filepath.Join(dir, "key.pem"), string(key))
		t.Setenv("DOCKER_CERT_PATH", dir)
		t.Setenv("DOCKER_TLS_VERIFY", "1")
	}
	certs(caPEM, ca)
	e := connect(t, func(o *Options) { o.Host = host })
	if seen := observe(t, e, makeImage(t, plain, nil), nil, "/app", "serve", ":8000"); seen.Stopped != facts.StopAnswered {
		t.Errorf("a good image: stopped %q", seen.Stopped)
	}
	for _, tt := range []struct {
		name string
		set  func()
		want string
	}{
		{"an authority that is not trusted", func() { certs(strangePEM, ca) }, "certificate"},
		{"a client that is not trusted", func() { certs(caPEM, strange) }, "certificate"},
	} {
		tt.set()
		_, err := Connect(t.Context(), Options{Host: host, Static: true})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), host) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one sentence with %q and the address", tt.name, err, tt.want)
		}
	}
}
