package cli

import (
	"fmt"
	"slices"

	"github.com/imglint/imglint/pkg/config"
	"github.com/imglint/imglint/pkg/platform"
)

// ownPlatforms are those of the config file, in its order.
type ownPlatforms []*platform.Platform

// extended makes the platforms that the config file describes.
func extended(file *config.File) (ownPlatforms, error) {
	var own ownPlatforms
	for _, p := range file.Platforms {
		from := fmt.Sprintf("%s:%d", file.Name, p.Line)
		base, err := own.load(p.Extends)
		if err != nil {
			return nil, fmt.Errorf("%s: extends: %w", from, err)
		}
		made, err := base.Extend(platform.Changes{ID: p.Name, Title: p.Title, From: from, Values: p.Values})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		own = append(own, made)
	}
	return own, nil
}

// load reads a platform: the config file's, else the catalogue's.
func (o ownPlatforms) load(name string) (*platform.Platform, error) {
	if i := slices.IndexFunc(o, func(p *platform.Platform) bool { return p.ID == name }); i >= 0 {
		return o[i], nil
	}
	return platform.Load(name)
}

// names lists the catalogue's platforms, then those that only the file has.
func (o ownPlatforms) names() []string {
	names := platform.Names()
	for _, p := range o {
		if !slices.Contains(names, p.ID) {
			names = append(names, p.ID)
		}
	}
	return names
}
