package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/imglint/imglint/pkg/facts"
)

func TestMalformedArchives(t *testing.T) {
	t.Parallel()
	whole := oldSave(t, specimen(t, false))
	manifest := func(text string) []byte { return tarOf(t, "manifest.json="+text) }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":            {nil, "it is empty"},
		"text":             {bytes.Repeat([]byte("FROM scratch\n"), 100), "it is no tar archive"},
		"cut":              {whole[:len(whole)/2], "it is cut off: the archive ends in the middle of a file"},
		"cut gzip":         {gzipped(t, whole)[:700], "it is cut off"},
		"no gzip":          {[]byte{0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, "it cannot be unpacked: "},
		"docker export":    {tarOf(t, "etc/", "etc/passwd=x", "bin/sh=x"), "as docker export writes them: use docker save"},
		"some tar":         {tarOf(t, "a=1"), "holds no image: neither index.json (OCI) nor manifest.json (docker save) is in it"},
		"docker 1.9":       {tarOf(t, "repositories={}"), "older than 1.10"},
		"manifest of else": {manifest(`{"name":"a web app"}`), "not one of docker save"},
		"no image":         {manifest(`[]`), "names no image"},
		"two images":       {manifest(`[{"Config":"a","RepoTags":["a:1"]},{"Config":"b","RepoTags":["b:1"]}]`), "it holds 2 images (a:1, b:1): name one, as in FILE:a:1"},
		"no config":        {manifest(`[{"Config":"a.json"}]`), "the archive is incomplete: a.json is not in it"},
		"escaping config":  {manifest(`[{"Config":"../../../../etc/passwd"}]`), "the archive is incomplete: etc/passwd is not in it"},
		"bad config":       {tarOf(t, "c=nonsense", `manifest.json=[{"Config":"c"}]`), "its config is damaged"},
		"contradiction":    {tarOf(t, "c={}", `manifest.json=[{"Config":"c","Layers":["l"]}]`), "the config has 0 layers and the manifest 1"},
		"bad index":        {tarOf(t, "index.json=nonsense"), "its index.json is damaged"},
		"empty index":      {tarOf(t, "index.json={}"), "its index lists no image"},
		"index, no blob":   {tarOf(t, `index.json={"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"sha256:`+strings.Repeat("0", 64)+`"}]}`), "the archive is incomplete: blobs/sha256/000"},
		"damaged blob":     {tarOf(t, "blobs/sha256/"+strings.Repeat("0", 64)+"={}", `index.json={"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"sha256:`+strings.Repeat("0", 64)+`"}]}`), "is damaged: the content has another digest"},
		"huge index":       {tarOf(t, "index.json="+strings.Repeat(" ", maxDocument+1)), "it has more than 4194304 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img, err := Local(t.Context(), onDisk(t, c.data), Options{})
			if !errors.Is(err, ErrBroken) || img != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %q in it", err, c.want)
			}
			if _, err := Stream(t.Context(), bytes.NewReader(c.data), Options{}); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("as a stream: %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestNoSuchFile(t *testing.T) {
	t.Parallel()
	if _, err := Local(t.Context(), filepath.Join(t.TempDir(), "none"), Options{}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// TestMissingLayer: what cannot be read is not examined, the rest can be.
func TestMissingLayer(t *testing.T) {
	t.Parallel()
	img, err := Local(t.Context(), onDisk(t, tarOf(t, `c={"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:`+strings.Repeat("0", 64)+`"]}}`, `manifest.json=[{"Config":"c","Layers":["nowhere"]}]`)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(img.Files(), "bin/sh"); !errors.Is(err, facts.ErrNotExamined) || !strings.Contains(err.Error(), "nowhere is not in it") {
		t.Error(err)
	}
}

// TestLayoutStaysInside: a blob that is a link out of the layout is not read.
func TestLayoutStaysInside(t *testing.T) {
	t.Parallel()
	dir := writeLayout(t, specimen(t, true))
	outside := onDisk(t, []byte("secret"))
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil || len(blobs) == 0 {
		t.Fatal(blobs, err)
	}
	for _, b := range blobs {
		if err := errors.Join(os.Remove(b), os.Symlink(outside, b)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Local(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Error(err)
	}
}

func TestLinkLoopInArchive(t *testing.T) {
	t.Parallel()
	if _, err := Local(t.Context(), onDisk(t, tarOf(t, "manifest.json->other", "other->manifest.json")), Options{}); err == nil {
		t.Error("a manifest that is a loop of links was read")
	}
}

func TestPlatformOfIndex(t *testing.T) {
	t.Parallel()
	index := v1.ImageIndex(empty.Index)
	for _, arch := range []string{"arm64", "amd64"} {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: picture(t, arch), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	dir := t.TempDir()
	nested := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: index})
	if _, err := layout.Write(dir, nested); err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"arm64", "amd64"} {
		img, err := Local(t.Context(), dir, Options{Architecture: arch})
		if err != nil || img.Facts().Architecture != arch || img.Facts().Digest == "" {
			t.Errorf("%s: %v", arch, err)
		}
	}
	_, err := Local(t.Context(), dir, Options{Architecture: "s390x"})
	if !errors.Is(err, ErrPlatform) || !strings.Contains(err.Error(), "has no image for linux/s390x, only for linux/amd64, linux/arm64") {
		t.Error(err)
	}
}

// TestSeveralNames: two names of one image are one image, two images are not.
func TestSeveralNames(t *testing.T) {
	t.Parallel()
	dir := writeLayout(t, specimen(t, true))
	p := layout.Path(dir)
	if err := p.AppendImage(specimen(t, true)); err != nil {
		t.Fatal(err)
	}
	if _, err := Local(t.Context(), dir, Options{}); err != nil {
		t.Error(err)
	}
	if err := p.AppendImage(picture(t, "amd64"), layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "other"})); err != nil {
		t.Fatal(err)
	}
	if _, err := Local(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "it holds 2 images") || !strings.Contains(err.Error(), "other") {
		t.Error(err)
	}
	opened, err := Local(t.Context(), dir, Options{Name: "other"})
	if err != nil || opened.Facts().Config.WorkingDir != "/srv" {
		t.Errorf("by name: %v, %v", opened, err)
	}
	if _, err := Local(t.Context(), dir, Options{Name: "third"}); err == nil || !strings.Contains(err.Error(), "it holds no third, but ") {
		t.Error(err)
	}
}

func TestSavedNames(t *testing.T) {
	t.Parallel()
	images := []savedImage{{Config: "0123456789abcdef.json", RepoTags: []string{"app:latest", "reg.example/app:1"}}, {Config: "fedcba9876543210.json"}}
	for name, want := range map[string]string{
		"app": images[0].Config, "app:latest": images[0].Config, "reg.example/app:1": images[0].Config,
		"fedcba987654": images[1].Config, "sha256:fedcba9876543210": images[1].Config, "": "", "app:2": "", "fed": "",
	} {
		got, err := theSaved(images, name)
		if (err == nil) != (want != "") || err == nil && got.Config != want {
			t.Errorf("%q chooses %q, %v; want %q", name, got.Config, err, want)
		}
	}
}

// temporary sets a directory for temporary files and counts what is in it.
func temporary(t *testing.T) func() int {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	return func() int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
}

func TestSpoolIsBoundedAndRemoved(t *testing.T) {
	left := temporary(t)
	data := gzipped(t, oldSave(t, specimen(t, false)))
	img, err := Stream(t.Context(), bytes.NewReader(data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := img.Close(context.Background()); err != nil || left() != 0 {
		t.Errorf("%v, %d files left", err, left())
	}
	_, err = Stream(t.Context(), bytes.NewReader(data), Options{MaxSpoolBytes: 4096})
	if !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "unpack it first") || left() != 0 {
		t.Errorf("%v, %d files left", err, left())
	}
	// A terminal never ends.
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Stream(ctx, r, Options{}); !errors.Is(err, context.Canceled) || left() != 0 {
		t.Errorf("%v, %d files left", err, left())
	}
}

// TestArchiveIsNotReadWhole: a file of a plain archive costs its headers.
func TestArchiveIsNotReadWhole(t *testing.T) {
	t.Parallel()
	data := tarOf(t, "first=1", noise("big", 8<<20), "last=LAST")
	s := &seekable{SectionReader: io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))}
	f := newFiles([]blob{{digest: "a", open: func() (io.ReadCloser, error) { return s, nil }}}, 1<<20)
	if got, err := f.ReadFile("last"); err != nil || string(got) != "LAST" || s.read > 64<<10 {
		t.Errorf("%q, %v after reading %d bytes", got, err, s.read)
	}
}

type seekable struct {
	*io.SectionReader
	read int64
}

func (s *seekable) Close() error { return nil }

func (s *seekable) Read(p []byte) (int, error) {
	n, err := s.SectionReader.Read(p)
	s.read += int64(n)
	return n, err
}

func TestLayersUnpacked(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"layout", "docker archive"} {
		img, ok := sources[name](t).(*Image)
		if !ok || len(img.Layers()) != len(specimenLayers) {
			t.Fatalf("%s: %v", name, img)
		}
		for i, l := range img.Layers() {
			r, err := l.Open()
			if err != nil {
				t.Fatal(err)
			}
			first, err := tar.NewReader(r).Next()
			want, _, _ := strings.Cut(strings.TrimSuffix(specimenLayers[i][0], "/"), "->")
			want, _, _ = strings.Cut(want, "=")
			if err != nil || strings.TrimSuffix(first.Name, "/") != want {
				t.Errorf("%s: layer %d begins with %v, %v; want %s", name, i, first, err, want)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func FuzzArchive(f *testing.F) {
	img := specimen(f, true)
	dir := writeLayout(f, img)
	f.Add(tarDir(f, dir))
	f.Add(oldSave(f, img))
	f.Add(gzipped(f, oldSave(f, img)))
	f.Add(tarOf(f, "manifest.json->other", "other->manifest.json"))
	config, err := json.Marshal([]savedImage{{Config: "c", Layers: []string{"l"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tarOf(f, "manifest.json="+string(config), "c={}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := Stream(t.Context(), bytes.NewReader(data), Options{MaxSpoolBytes: 1 << 20, MaxLayerBytes: 1 << 20})
		if err != nil {
			return
		}
		_ = fs.WalkDir(img.Files(), ".", func(p string, _ fs.DirEntry, err error) error {
			if err == nil && !fs.ValidPath(p) {
				t.Errorf("a path that is none: %q", p)
			}
			return err
		})
		if err := img.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestSomeNames: a sentence about an archive of hundreds of images is one.
func TestSomeNames(t *testing.T) {
	t.Parallel()
	names := strings.Fields(strings.Repeat("web:1 ", 300))
	if got := notThere("shop", names).Error(); !strings.HasSuffix(got, "web:1, web:1 and 292 more") {
		t.Error(got)
	}
	if got := oneOf(names[:mostNames+1]).Error(); strings.Contains(got, "more") {
		t.Error(got)
	}
}
