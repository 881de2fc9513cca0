package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// guarded is a real registry behind tokens, as Docker Hub and most others
// hand them out: to whom a login is known.
func guarded(t *testing.T) string {
	t.Helper()
	behind := serve(t, "}")
	push(t, behind+"/private:1", picture(t, "amd64"))
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: behind})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/token" && user == "me" && password == "secret" && strings.Contains(r.URL.RawQuery, "scope=repository%3Aprivate%3Apull"):
			fmt.Fprint(w, `{"token":"let-me-in"}`)
		case r.URL.Path == "/token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("Authorization") == "Bearer let-me-in":
			proxy.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q,service=%q", "http://"+r.Host+"/token", "test"))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// TestRegistryCredentials finds logins wherever docker login leaves them.
func TestRegistryCredentials(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the credential helper of the test is a shell script")
	}
	addr := guarded(t)
	helpers := t.TempDir()
	for name, password := range map[string]string{"good": "secret", "bad": "wrong"} {
		script := fmt.Sprintf("#!/bin/sh\nread -r host\n[ \"$1 $host\" = 'get %s' ] || { echo 'credentials not found in native keychain'; exit 1; }\n"+
			"echo '{\"ServerURL\":\"%[1]s\",\"Username\":\"me\",\"Secret\":\"%s\"}'\n", addr, password)
		if err := os.WriteFile(filepath.Join(helpers, "docker-credential-imglint-"+name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", helpers+string(filepath.ListSeparator)+os.Getenv("PATH"))
	login := base64.StdEncoding.EncodeToString([]byte("me:secret"))
	for _, test := range []struct {
		name, config string
		opens        bool
	}{
		{"no login", `{}`, false},
		{"in the file", fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, addr, login), true},
		{"a helper of the registry", fmt.Sprintf(`{"credHelpers":{%q:"imglint-good"}}`, addr), true},
		{"a helper of all registries", `{"credsStore":"imglint-good"}`, true},
		{"a helper with an old password", `{"credsStore":"imglint-bad"}`, false},
		{"a helper of another registry", `{"credHelpers":{"ghcr.io":"imglint-good"}}`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("DOCKER_CONFIG", dir)
			write(t, filepath.Join(dir, "config.json"), test.config)
			if !test.opens {
				fails(t, addr+"/private:1", Options{backoff: quick}, ErrUnauthorized, "docker login "+addr)
				return
			}
			img := open1(t, addr+"/private:1", Options{backoff: quick})
			if _, err := img.files.ReadFile("srv/ep.sh"); err != nil {
				t.Errorf("a layer: %v", err)
			}
		})
	}
}

// trustVariable makes this test binary a user who opens an image.
const trustVariable = "IMGLINT_TEST_OPEN"

// TestRegistryOwnAuthority: the authorities of a machine are read once a
// process, so another one has to look.
func TestRegistryOwnAuthority(t *testing.T) {
	if ref := os.Getenv(trustVariable); ref != "" {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := Registry(ctx, ref, Options{backoff: quick}); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("SSL_CERT_FILE is for Linux; others keep authorities in the system")
	}
	dir := t.TempDir()
	pool := certificate(t, dir)
	addr := serve(t, fmt.Sprintf(", tls: {certificate: %s/cert.pem, key: %s/key.pem}}", dir, dir))
	ref := addr + "/app:1"
	push(t, ref, picture(t, "amd64"), trusting(pool))
	if text, err := openElsewhere(t, ref, "SSL_CERT_FILE="+filepath.Join(dir, "cert.pem")); err != nil {
		t.Errorf("with its authority: %v\n%s", err, text)
	}
	if text, err := openElsewhere(t, ref, "SSL_CERT_FILE="); err == nil || !strings.Contains(text, "cannot trust the registry "+addr) || !strings.Contains(text, "SSL_CERT_FILE=FILE") {
		t.Errorf("without its authority: %v\n%s", err, text)
	}
}

func openElsewhere(t *testing.T, ref, env string) (string, error) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run", "^TestRegistryOwnAuthority$")
	cmd.Env = append(os.Environ(), trustVariable+"="+ref, env, "DOCKER_CONFIG="+t.TempDir())
	text, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(text), err
}
