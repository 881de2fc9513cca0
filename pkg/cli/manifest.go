package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/pkg/manifest"
)

// manifested adds what --manifest says about the image.
func (f *flags) manifested(o *lint.Options, ref string, getenv func(string) string) error {
	if f.manifest == "" {
		return nil
	}
	if platforms, _ := f.platforms(); len(platforms) > 1 {
		return usage("--manifest says which platform it is for; leave out --platform %s", f.platform)
	}
	w, err := f.workload(ref, getenv)
	if err != nil {
		return err
	}
	o.Workload, o.Service = w, ""
	if o.Platform, err = f.own.load(w.Platform); err != nil {
		return usage("--manifest: %w", err)
	}
	return nil
}

// workload reads --manifest and picks the container that the image is started
// as: the one that --service names, else the one whose image it is, else the
// only one.
func (f *flags) workload(ref string, getenv func(string) string) (*manifest.Workload, error) {
	text, err := os.ReadFile(f.manifest)
	if err != nil {
		return nil, usage("--manifest: %w", err)
	}
	around, err := surroundings(filepath.Dir(f.manifest), getenv)
	if err != nil {
		return nil, usage("--manifest: %w", err)
	}
	all, err := manifest.ParseIn(f.manifest, text, around)
	if err != nil {
		return nil, usage("--manifest: %w", err)
	}
	var fits []manifest.Workload
	var names []string
	for _, w := range all {
		names = append(names, w.Name)
		if f.service != "" && w.Name == f.service || f.service == "" && repository(w.Image) == repository(ref) {
			fits = append(fits, w)
		}
	}
	switch {
	case len(fits) > 0 && (f.service != "" || len(fits) == 1):
		return &fits[0], nil
	case len(fits) == 0 && f.service == "" && len(all) == 1:
		return &all[0], nil
	}
	return nil, usage("--manifest %s: choose what starts %s with --service NAME: %s", f.manifest, ref, strings.Join(names, ", "))
}

// surroundings are what Compose looks at besides its file: the environment,
// then .env beside the file.
func surroundings(dir string, getenv func(string) string) (manifest.Around, error) {
	var dotenv map[string]string
	name := filepath.Join(dir, ".env")
	text, err := os.ReadFile(name)
	if err == nil {
		if dotenv, err = manifest.Dotenv(text); err != nil {
			return manifest.Around{}, fmt.Errorf("read %s: %w", name, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return manifest.Around{}, err
	}
	return manifest.Around{
		Lookup: func(key string) (string, bool) {
			if value := getenv(key); value != "" {
				return value, true
			}
			value, ok := dotenv[key]
			return value, ok
		},
		Read: func(name string) ([]byte, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			return os.ReadFile(name)
		},
	}, nil
}

// repository is the last part of an image's name without tag and digest:
// registries and tags differ between a laptop and a cluster.
func repository(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	name, _, _ := strings.Cut(path.Base(ref), ":")
	return name
}
