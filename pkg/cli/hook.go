package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/imglint/imglint/pkg/config"
	"github.com/imglint/imglint/pkg/hook"
	"github.com/imglint/imglint/pkg/run/engine"
)

func hookCommand(io IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hook",
		Short: "check images before a git push",
		Long: "hook checks the images of " + config.Name + ", or the Dockerfile, before a git push that\n" +
			"changes what they are built from. git push --no-verify pushes without it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				words := []string{"install", "uninstall", "run"}
				if best := nearest(args[0], words); best != "" {
					return usage("there is no hook %s, did you mean %s?", args[0], best)
				}
				return usage("there is no hook %s: use %s", args[0], strings.Join(words, ", "))
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(hookInstall(io), hookUninstall(io), hookRun(io))
	return cmd
}

func hookInstall(io IO) *cobra.Command {
	var shared bool
	cmd := &cobra.Command{
		Use:   "install",
		Short: "install the pre-push hook in this repository",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			repository, err := hook.Open(cmd.Context(), ".")
			if err != nil {
				return asUsage(err)
			}
			imglint, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find own executable: %w", err)
			}
			file, chained, err := repository.Install(imglint, shared)
			switch {
			case errors.Is(err, hook.ErrShared):
				return usage("%w; add --shared to install it there", err)
			case err != nil:
				return asUsage(err)
			}
			fmt.Fprintf(io.Out, "installed %s\n", shortest(file))
			if chained != "" {
				fmt.Fprintf(io.Out, "it runs the hook that was there first: %s\n", shortest(chained))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&shared, "shared", false, "install it although core.hooksPath is outside of this repository")
	return cmd
}

func hookUninstall(io IO) *cobra.Command {
	return &cobra.Command{
		Use:   "uninstall",
		Short: "remove the pre-push hook, and put back the one that was there before",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			repository, err := hook.Open(cmd.Context(), ".")
			if err != nil {
				return asUsage(err)
			}
			switch was, restored, err := repository.Uninstall(); {
			case err != nil:
				return asUsage(err)
			case !was:
				fmt.Fprintln(io.Out, "imglint's hook is not installed here")
			case restored != "":
				fmt.Fprintf(io.Out, "removed; %s is again the hook that was there before\n", shortest(restored))
			default:
				fmt.Fprintln(io.Out, "removed")
			}
			return nil
		},
	}
}

func hookRun(io IO) *cobra.Command {
	return &cobra.Command{
		Use:   "run [REMOTE [ADDRESS]]",
		Short: "what the hook runs; reads what is pushed from standard input",
		Args:  cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := newPrePush(cmd, io, args)
			if err != nil {
				return err
			}
			return h.run(cmd.Context())
		},
	}
}

// prePush is one run of the hook.
type prePush struct {
	repository *hook.Repository
	settings   *settings
	io         IO
	remote     string
}

func newPrePush(cmd *cobra.Command, io IO, args []string) (*prePush, error) {
	h := &prePush{io: io, remote: "origin"}
	if len(args) > 0 {
		h.remote = args[0]
	}
	var err error
	if h.repository, err = hook.Open(cmd.Context(), "."); err != nil {
		return nil, asUsage(err)
	}
	h.settings, err = settle(cmd.Flags(), io)
	return h, err
}

// run checks the images that the push changes.
func (h *prePush) run(ctx context.Context) error {
	change, err := h.change(ctx)
	if err != nil {
		return &statusError{ExitUnable, err}
	}
	var refs []string
	for _, i := range h.images() {
		ref, err := h.prepare(ctx, i, change)
		if err != nil {
			return err
		}
		if ref != "" {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	if err = lintImages(ctx, h.io, h.settings, refs); err != nil {
		fmt.Fprintln(h.io.Err, "imglint: this push is stopped; mend it, or push without the check: git push --no-verify")
	}
	return err
}

// change asks git, or pre-commit, what is pushed. Called by hand, everything is.
func (h *prePush) change(ctx context.Context) (hook.Change, error) {
	from, to := h.io.Getenv("PRE_COMMIT_FROM_REF"), h.io.Getenv("PRE_COMMIT_TO_REF")
	switch {
	case from != "" && to != "":
		return h.repository.Changed(ctx, h.remote, []hook.Push{{Local: to, Remote: from}})
	case h.io.Getenv("PRE_COMMIT") != "", h.io.InTerminal:
		return hook.Change{All: true}, nil
	}
	pushes, err := hook.Pushes(h.io.In)
	if err != nil {
		return hook.Change{}, err
	}
	h.elsewhere(ctx, pushes)
	return h.repository.Changed(ctx, h.remote, pushes)
}

// elsewhere says so when what is pushed is not what lies here to be checked.
func (h *prePush) elsewhere(ctx context.Context, pushes []hook.Push) {
	head := h.repository.Head(ctx)
	for _, p := range pushes {
		if !p.Deletes() && p.Local != head {
			fmt.Fprintf(h.io.Err, "imglint: %s is not checked out; what is here is checked instead\n", strings.TrimPrefix(p.LocalRef, "refs/heads/"))
			return
		}
	}
}

// images are those of the config file, else whatever the Dockerfile makes.
func (h *prePush) images() []config.Image {
	if len(h.settings.file.Images) > 0 {
		return h.settings.file.Images
	}
	return []config.Image{{Settings: config.Settings{}}}
}

// prepare returns what to check about an image: its name, its Dockerfile when
// there is no such image, or "" when the push does not change it.
func (h *prePush) prepare(ctx context.Context, i config.Image, change hook.Change) (string, error) {
	f, err := h.settings.flags(&i)
	if err != nil {
		return "", err
	}
	dockerfile := f.dockerfile
	if dockerfile == "" {
		dockerfile = filepath.Join(h.settings.folder(), defaultDockerfile)
	}
	relevant, err := h.relevant(i, dockerfile, change)
	if err != nil || !relevant {
		return "", err
	}
	if err := h.dirty(ctx, i, dockerfile); err != nil {
		return "", err
	}
	if i.Build != "" {
		return i.Name, h.build(ctx, i)
	}
	if i.Name != "" && h.hasImage(ctx, f, i.Name) {
		return i.Name, nil
	}
	if _, err := os.Stat(dockerfile); err != nil {
		return i.Name, nil // nothing, or an image that only a registry has
	}
	h.settings.standIn(dockerfile, i.Name)
	return dockerfile, nil
}

func (h *prePush) relevant(i config.Image, dockerfile string, change hook.Change) (bool, error) {
	hooked := h.settings.file.Hook
	if hooked.Always || change.All {
		return true, nil
	}
	source := h.source(i, dockerfile)
	source.Paths = hooked.Paths
	file, err := source.Relevant(h.repository.Top, change.Files)
	if err != nil {
		return false, &statusError{ExitUnable, err}
	}
	return file != "", nil
}

// source is what an image is built from.
func (h *prePush) source(i config.Image, dockerfile string) hook.Source {
	source := hook.Source{Dockerfile: h.fromTop(dockerfile)}
	if i.Context != "" {
		source.Context = h.fromTop(filepath.Join(h.settings.folder(), i.Context))
	}
	return source
}

// dirty says so when a file that the image is built from is not here as it is
// pushed.
func (h *prePush) dirty(ctx context.Context, i config.Image, dockerfile string) error {
	files, err := h.repository.Dirty(ctx)
	if err == nil && len(files) > 0 {
		var file string
		if file, err = h.source(i, dockerfile).Relevant(h.repository.Top, files); file != "" {
			fmt.Fprintf(h.io.Err, "imglint: %s is not committed as it is here; what is here is checked, not what is pushed\n", file)
		}
	}
	if err != nil {
		return &statusError{ExitUnable, err}
	}
	return nil
}

// fromTop names a file as git does. git's root has no symbolic links in it.
func (h *prePush) fromTop(name string) string {
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return name
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	top := h.repository.Top
	if real, err := filepath.EvalSymlinks(top); err == nil {
		top = real
	}
	rel, err := filepath.Rel(top, filepath.Join(dir, filepath.Base(name)))
	if err != nil {
		return name
	}
	return filepath.ToSlash(rel)
}

// build runs the command that makes the image.
func (h *prePush) build(ctx context.Context, i config.Image) error {
	fmt.Fprintf(h.io.Err, "imglint: %s\n", i.Build)
	cmd := exec.CommandContext(ctx, "sh", "-c", i.Build)
	cmd.Dir = h.settings.folder()
	cmd.Stdout, cmd.Stderr = h.io.Err, h.io.Err
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return &statusError{ExitUnable, fmt.Errorf("build %s: %w; git push --no-verify pushes without the check", i.Name, err)}
	}
	return nil
}

// hasImage reports whether the container engine has an image.
func (h *prePush) hasImage(ctx context.Context, f *flags, ref string) bool {
	e, err := engine.Connect(ctx, engine.Options{Host: f.host, Static: true})
	if err != nil {
		return false
	}
	defer e.Close(context.WithoutCancel(ctx))
	img, err := e.Open(ctx, ref)
	if err != nil {
		return false
	}
	return img.Close(context.WithoutCancel(ctx)) == nil
}
