package lint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/imglint/imglint/pkg/dockerfile"
	"github.com/imglint/imglint/pkg/facts"
)

// imageScheme marks a named context that is an image.
const imageScheme = "docker-image://"

// ParseContext reads a named context as docker build --build-context has it:
// NAME=DIR, NAME=docker-image://REF or NAME=oci-layout://PATH.
func ParseContext(text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" || value == "" {
		return "", "", errors.New("write NAME=DIR, NAME=docker-image://REF or NAME=oci-layout://PATH")
	}
	if name, err = dockerfile.ContextName(name); err != nil {
		return "", "", err
	}
	if file, ok := strings.CutPrefix(value, layoutScheme); ok {
		file, _ = nameIn(file)
		_, err = os.Stat(file)
		return name, value, err
	}
	if strings.Contains(value, "://") {
		return name, value, nil
	}
	info, err := os.Stat(value)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", value)
	}
	return name, value, err
}

// named opens the directories among the named contexts.
func (u *unbuilt) named(contexts map[string]string) (map[string]dockerfile.NamedContext, error) {
	all := map[string]dockerfile.NamedContext{}
	for name, value := range contexts {
		if strings.Contains(value, "://") {
			all[name] = dockerfile.NamedContext{Image: strings.TrimPrefix(value, imageScheme)}
			continue
		}
		root, err := os.OpenRoot(value)
		if err != nil {
			return nil, fmt.Errorf("open build context %s: %w", name, err)
		}
		u.roots = append(u.roots, root)
		all[name] = dockerfile.NamedContext{Files: root.FS()}
	}
	return all, nil
}

var errNotRead = errors.New("base images are not read")

// readBase reads what a base image sets.
func (u *unbuilt) readBase(ctx context.Context, open func(context.Context, string) (Image, error), ref string) (facts.Image, error) {
	if open == nil {
		return facts.Image{}, errNotRead
	}
	base, err := open(ctx, ref)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		u.baseErr = err
		return facts.Image{}, err
	}
	u.bases[ref] = base
	return base.Facts(), nil
}
