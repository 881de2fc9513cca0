package servers

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

const (
	// maxJar bounds the reading of a jar: fat ones have 15 to 80 MB.
	maxJar = 128 << 20
	// maxJarFile bounds one settings file in it.
	maxJarFile = 256 << 10
)

// springWeb are the libraries of which one makes a Spring Boot program serve.
var springWeb = regexp.MustCompile(`^BOOT-INF/lib/(?:tomcat-embed-core|jetty-server|undertow-core|reactor-netty-http)-`)

// jar is what matters of an executable jar.
type jar struct {
	spring   bool
	web      bool
	settings []jarFile // application.properties and application.yml, profiles too
}

type jarFile struct{ name, text string }

// openJar reads a jar of the image.
func (run *invocation) openJar(file string) (*jar, error) {
	if why := run.touched(file); why != "" {
		return nil, errors.New(why)
	}
	if run.files == nil {
		return nil, facts.ErrNotExamined
	}
	in, err := run.files.Open(strings.TrimPrefix(file, "/"))
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(in, maxJar+1))
	if err == nil && len(data) > maxJar {
		err = errors.New("it is too large")
	}
	if err != nil {
		return nil, err
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("open jar: %w", err)
	}
	return readJar(r)
}

func readJar(r *zip.Reader) (*jar, error) {
	j := &jar{}
	for _, f := range r.File {
		switch {
		case springWeb.MatchString(f.Name):
			j.web = true
		case strings.HasPrefix(f.Name, "BOOT-INF/classes/"):
			j.spring = true
			name := strings.TrimPrefix(strings.TrimPrefix(f.Name, "BOOT-INF/classes/"), "config/")
			if !springFile.MatchString(name) {
				continue
			}
			text, err := readZipped(f)
			if err != nil {
				return nil, err
			}
			j.settings = append(j.settings, jarFile{name, text})
		}
	}
	return j, nil
}

func readZipped(f *zip.File) (string, error) {
	in, err := f.Open()
	if err != nil {
		return "", fmt.Errorf("open %s in jar: %w", f.Name, err)
	}
	defer in.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(in, maxJarFile+1))
	if err == nil && len(text) > maxJarFile {
		err = errors.New("it is too large")
	}
	if err != nil {
		return "", fmt.Errorf("read %s in jar: %w", f.Name, err)
	}
	return string(text), nil
}
