package image

import (
	"bytes"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// How buildkit stores attestations in an index; see
// docs/attestations/attestation-storage.md of moby/buildkit.
const (
	referenceType   = "vnd.docker.reference.type"
	referenceDigest = "vnd.docker.reference.digest"
	predicateType   = "in-toto.io/predicate-type"
)

// ErrNoProvenance is what an image without a provenance attestation answers.
var ErrNoProvenance = errors.New("the image has no provenance attestation")

// provenances are the predicate types of build provenance.
var provenances = map[string]bool{
	"https://slsa.dev/provenance/v0.2": true,
	"https://slsa.dev/provenance/v1":   true,
}

// attestations reads the attestations of one image.
type attestations struct {
	manifests []v1.Hash
	read      reader
}

// reader reads what is small, bounded and held against its digest.
type reader struct{ manifest, blob func(v1.Hash) ([]byte, error) }

// attestationsOf finds the attestation manifests for an image in its index.
func attestationsOf(all []v1.Descriptor, image v1.Hash, read reader) attestations {
	found := attestations{read: read}
	for _, m := range all {
		if m.Annotations[referenceType] == "attestation-manifest" && m.Annotations[referenceDigest] == image.String() {
			found.manifests = append(found.manifests, m.Digest)
		}
	}
	return found
}

// Provenance reads the statement that tells how the image was built, in-toto
// JSON as buildkit stores it beside the image. It costs up to three requests.
func (i *Image) Provenance() ([]byte, error) {
	for _, digest := range i.attestations.manifests {
		text, err := i.attestations.read.manifest(digest)
		if err != nil {
			return nil, fmt.Errorf("read attestation %s: %w", digest, err)
		}
		manifest, err := v1.ParseManifest(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("read attestation %s: %w", digest, err)
		}
		for _, l := range manifest.Layers {
			if provenances[l.Annotations[predicateType]] {
				return i.attestations.read.blob(l.Digest)
			}
		}
	}
	return nil, ErrNoProvenance
}
