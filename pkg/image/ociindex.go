package image

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// maxDepth bounds indexes within indexes; buildx nests two.
	maxDepth = 8
	// maxManifests bounds what an index may list.
	maxManifests = 1000
)

// indexed opens the image that an OCI index leads to.
func (s *store) indexed(o Options) (*Image, error) {
	text, err := s.document("index.json")
	if err != nil {
		return nil, err
	}
	all, err := s.flatten(nil, text, "index.json", maxDepth)
	if err != nil {
		return nil, err
	}
	chosen, err := s.pick(all, o)
	if err != nil {
		return nil, err
	}
	manifest, err := s.manifest(chosen)
	if err != nil {
		return nil, err
	}
	config, text, err := s.config(manifest)
	if err != nil {
		return nil, err
	}
	blobs := make([]blob, len(manifest.Layers))
	for i, l := range manifest.Layers {
		blobs[i] = s.blob(l.Digest.String(), blobName(l.Digest))
	}
	img := assemble(config, digestOf(text), chosen.String(), blobs, o.budget())
	img.attestations = attestationsOf(all, chosen, reader{s.verified, s.verified})
	return img, nil
}

// flatten lists the manifests of an index and of those it lists.
func (s *store) flatten(all []v1.Descriptor, text []byte, name string, depth int) ([]v1.Descriptor, error) {
	index, err := v1.ParseIndexManifest(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("its %s is damaged: %w", name, err)
	}
	for _, m := range index.Manifests {
		switch {
		case len(all) == maxManifests:
			return nil, fmt.Errorf("its index lists more than %d manifests", maxManifests)
		case !m.MediaType.IsIndex():
			all = append(all, m)
			continue
		case depth == 0:
			return nil, errors.New("its indexes are nested too deep")
		}
		inner, err := s.verified(m.Digest)
		if err != nil {
			return nil, err
		}
		if all, err = s.flatten(all, inner, "index "+m.Digest.String(), depth-1); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// pick chooses the image for the wanted platform. Several names of one image
// are one image; several images for one platform are a choice that only the
// user can make.
func (s *store) pick(all []v1.Descriptor, o Options) (v1.Hash, error) {
	var images []v1.Descriptor
	for _, m := range all {
		known := slices.ContainsFunc(images, func(d v1.Descriptor) bool { return d.Digest == m.Digest })
		if m.MediaType.IsImage() && m.Annotations[referenceType] == "" && !known {
			images = append(images, m)
		}
	}
	if len(images) == 0 {
		return v1.Hash{}, errors.New("its index lists no image")
	}
	if o.Name != "" {
		named := slices.DeleteFunc(slices.Clone(images), func(d v1.Descriptor) bool { return !calls(d, all, o.Name) })
		if len(named) == 0 {
			return v1.Hash{}, notThere(o.Name, imageNames(images))
		}
		images = named
	}
	if len(images) > 1 {
		s.platforms(images)
	}
	chosen, err := choose(images, o)
	if err != nil {
		return v1.Hash{}, err
	}
	return chosen, unambiguous(images, chosen)
}

// platforms fills in what the index does not say from the configs.
func (s *store) platforms(images []v1.Descriptor) {
	for i := range images {
		if images[i].Platform != nil {
			continue
		}
		manifest, err := s.manifest(images[i].Digest)
		if err != nil {
			continue // a copy for one platform lacks the others
		}
		if config, _, err := s.config(manifest); err == nil {
			images[i].Platform = config.Platform()
		}
	}
}

// unambiguous refuses a second image for the platform of the chosen one.
func unambiguous(images []v1.Descriptor, chosen v1.Hash) error {
	at := slices.IndexFunc(images, func(d v1.Descriptor) bool { return d.Digest == chosen })
	names := []string{imageName(images[at])}
	for _, m := range images {
		if m.Digest != chosen && samePlatform(m.Platform, images[at].Platform) {
			names = append(names, imageName(m))
		}
	}
	return oneOf(names)
}

func samePlatform(a, b *v1.Platform) bool {
	return a != nil && b != nil && a.OS == b.OS && a.Architecture == b.Architecture && a.Variant == b.Variant
}

// calls reports whether one of the index's entries for an image has the name.
func calls(image v1.Descriptor, all []v1.Descriptor, name string) bool {
	return slices.ContainsFunc(all, func(d v1.Descriptor) bool {
		return d.Digest == image.Digest && (sameName(imageName(d), name) || sameName(d.Digest.String(), name) ||
			d.Annotations["org.opencontainers.image.ref.name"] == name)
	})
}

func imageNames(images []v1.Descriptor) []string {
	var names []string
	for _, d := range images {
		names = append(names, imageName(d))
	}
	return names
}

// imageName is what an index calls an image, "" included.
func imageName(d v1.Descriptor) string {
	for _, key := range []string{"io.containerd.image.name", "org.opencontainers.image.ref.name"} {
		if name := d.Annotations[key]; name != "" {
			return name
		}
	}
	return d.Digest.String()
}

func (s *store) manifest(digest v1.Hash) (*v1.Manifest, error) {
	text, err := s.verified(digest)
	if err != nil {
		return nil, err
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("its manifest %s is damaged: %w", digest, err)
	}
	return manifest, nil
}

func (s *store) config(manifest *v1.Manifest) (*v1.ConfigFile, []byte, error) {
	text, err := s.verified(manifest.Config.Digest)
	if err != nil {
		return nil, nil, err
	}
	config, err := parseConfig(text, len(manifest.Layers))
	return config, text, err
}

// verified reads a small blob and holds it against its name.
func (s *store) verified(digest v1.Hash) ([]byte, error) {
	if digest.Algorithm != "sha256" {
		return nil, fmt.Errorf("its digest %q is not a sha256", digest)
	}
	data, err := s.document(blobName(digest))
	if err != nil {
		return nil, err
	}
	if digestOf(data) != digest.String() {
		return nil, fmt.Errorf("its blob %s is damaged: the content has another digest", digest)
	}
	return data, nil
}

func blobName(digest v1.Hash) string {
	return clean("blobs/" + digest.Algorithm + "/" + digest.Hex)
}
