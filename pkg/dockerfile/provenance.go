package dockerfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Provenance is what buildkit's attestation tells about the Dockerfile of an
// image.
type Provenance struct {
	File      string
	Source    []byte
	Target    string
	BuildArgs map[string]string
}

// ErrNoSource is what a provenance of mode=min answers, the default of buildx.
var ErrNoSource = errors.New("the provenance does not hold the Dockerfile: build with --provenance=mode=max")

// The parts of the in-toto statement that are read; SLSA 0.2 and 1 put the
// same things in different places.
type (
	statement struct {
		Predicate struct {
			Invocation      invocation                 `json:"invocation"` // 0.2
			Metadata        map[string]json.RawMessage `json:"metadata"`
			BuildDefinition struct {                   // 1
				ExternalParameters struct {
					Request request `json:"request"`
				} `json:"externalParameters"`
			} `json:"buildDefinition"`
			RunDetails struct {
				Metadata struct {
					Buildkit buildkitMetadata `json:"buildkit_metadata"`
				} `json:"metadata"`
			} `json:"runDetails"`
		} `json:"predicate"`
	}
	invocation struct {
		Parameters request `json:"parameters"`
	}
	request struct {
		Args map[string]string `json:"args"`
	}
	buildkitMetadata struct {
		Source struct {
			Infos []sourceInfo `json:"infos"`
		} `json:"source"`
	}
	sourceInfo struct {
		Filename string `json:"filename"`
		Language string `json:"language"`
		Data     []byte `json:"data"` // base64
	}
)

// metadataKey is where SLSA 0.2 has buildkit's own part.
const metadataKey = "https://mobyproject.org/buildkit@v1#metadata"

// ReadProvenance reads an in-toto statement of buildkit.
func ReadProvenance(text []byte) (Provenance, error) {
	var s statement
	if err := json.Unmarshal(text, &s); err != nil {
		return Provenance{}, fmt.Errorf("read provenance: %w", err)
	}
	infos := s.Predicate.RunDetails.Metadata.Buildkit.Source.Infos
	if raw, ok := s.Predicate.Metadata[metadataKey]; ok {
		var m buildkitMetadata
		if err := json.Unmarshal(raw, &m); err != nil {
			return Provenance{}, fmt.Errorf("read provenance: %w", err)
		}
		infos = m.Source.Infos
	}
	at := slices.IndexFunc(infos, func(i sourceInfo) bool {
		return len(i.Data) > 0 && (i.Language == "" || i.Language == "Dockerfile")
	})
	if at < 0 {
		return Provenance{}, ErrNoSource
	}
	args := maps.Clone(s.Predicate.Invocation.Parameters.Args)
	if len(args) == 0 {
		args = s.Predicate.BuildDefinition.ExternalParameters.Request.Args
	}
	p := Provenance{File: infos[at].Filename, Source: infos[at].Data, Target: args["target"]}
	for key, value := range args {
		if name, ok := strings.CutPrefix(key, "build-arg:"); ok {
			if p.BuildArgs == nil {
				p.BuildArgs = map[string]string{}
			}
			p.BuildArgs[name] = value
		}
	}
	return p, nil
}
