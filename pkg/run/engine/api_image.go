package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// save returns an image as docker save writes it.
func (a *api) save(ctx context.Context, id string) (io.ReadCloser, error) {
	body, cancel, err := stream(ctx, a, "save", func(ctx context.Context, c *client.Client) (io.ReadCloser, error) {
		return c.ImageSave(ctx, []string{id})
	})
	if err != nil {
		return nil, err
	}
	return &patientReader{body, cancel, deadlines["save"]}, nil
}

// importImage makes an image of a root file system. It is not cancelled half
// way, which would leave one behind whose ID nobody knows.
func (a *api) importImage(ctx context.Context, rootfs io.Reader, changes []string) (string, error) {
	return call(context.WithoutCancel(ctx), a, "import image", func(ctx context.Context, c *client.Client) (string, error) {
		body, err := c.ImageImport(ctx, image.ImportSource{Source: rootfs, SourceName: "-"}, "", image.ImportOptions{Changes: changes})
		if err != nil {
			return "", err
		}
		defer body.Close()
		return importedID(body)
	})
}

// importedID finds the image's ID in what the engine reports meanwhile.
func importedID(r io.Reader) (string, error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var report struct{ Status, Error string }
		if err := json.Unmarshal(lines.Bytes(), &report); err != nil {
			return "", fmt.Errorf("decode the engine's report: %w", err)
		}
		if report.Error != "" {
			return "", &Error{Kind: KindRefused, Op: "import image", Text: report.Error}
		}
		if strings.HasPrefix(report.Status, "sha256:") {
			return report.Status, nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", &Error{Kind: KindRefused, Op: "import image", Text: "the engine did not say which image it made"}
}

// listImages returns the images that imglint made.
func (a *api) listImages(ctx context.Context) ([]image.Summary, error) {
	return call(ctx, a, "list images", func(ctx context.Context, c *client.Client) ([]image.Summary, error) {
		return c.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labelMark+"=1"))})
	})
}

func (a *api) removeImage(ctx context.Context, id string) error {
	_, err := call(ctx, a, "remove image", func(ctx context.Context, c *client.Client) (struct{}, error) {
		_, err := c.ImageRemove(ctx, id, image.RemoveOptions{Force: true})
		return struct{}{}, err
	})
	return ignoreGone(err)
}
