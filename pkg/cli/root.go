package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/report"
)

// flags are the root command's flags as typed.
type flags struct {
	platform   string
	manifest   string
	service    string
	port       int
	path       string
	strict     bool
	window     time.Duration
	memory     string
	cpus       float64
	env        []string
	envFiles   []string
	volumes    []string
	user       string
	entrypoint []string
	static     bool
	runner     string
	noProve    bool
	dockerfile string
	formats    []string
	imageLists []string
	output     string
	failOn     string
	ignore     []string
	jobs       int
	quiet      bool
	verbose    bool
	host       string
	network    string
	variables  []environment // by place, the most general first
	own        ownPlatforms  // of the config file

	sourceFlags
}

const long = `imglint tells whether a container platform's release health check will pass
for an image, and if not: why, which Dockerfile line, and the fix.

It reads the image, predicts what will run and listen, then starts it in a
container without network access, watches it and asks what the platform would ask.

Instead of an image's name it takes a Dockerfile or its directory, which is read
and not built, and an image that docker save, buildx or skopeo stored: an archive
(also compressed), an OCI layout, or - for standard input.`

const examples = `  imglint myapp:latest                    check an image of the local engine
  imglint --dockerfile Dockerfile myapp   name the Dockerfile's lines
  imglint .                               predict from ./Dockerfile, build nothing
  docker save myapp | imglint -           read an image that is piped in
  imglint --static registry.example/app   read it only, run nothing
  imglint --fix myapp                     mend ./Dockerfile, if myapp was built from it
  imglint -e DATABASE_URL=… myapp         give it the environment it needs
  imglint explain loopback-bind           what a finding means and how to mend it`

const statuses = `Exit status:
  0  nothing at or above --fail-on     2  wrong usage
  1  findings                          3  an image could not be checked
`

func newRoot(io IO) *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:           "imglint [flags] IMAGE|DOCKERFILE|DIRECTORY|ARCHIVE|-… [-- WORD…]",
		Short:         "tells why a container platform's health check will fail for an image",
		Long:          long,
		Example:       examples,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, images []string) error {
			s, err := settle(cmd.Flags(), io)
			if err != nil {
				return err
			}
			images, s.words = words(images, cmd.ArgsLenAtDash())
			return lintImages(cmd.Context(), io, s, images)
		},
	}
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	root.SetIn(io.In)
	root.ValidArgsFunction = localImages
	root.SetUsageTemplate(root.UsageTemplate() + "\n" + statuses)
	root.SetFlagErrorFunc(flagError)
	f.register(root)
	completions(root)
	root.AddCommand(explainCommand(io), rulesCommand(io), versionCommand(io), platformsCommand(io), configCommand(io), initCommand(io), hookCommand(io), cacheCommand(io), completionCommand(io), actionCommand(io))
	return root
}

func (f *flags) register(root *cobra.Command) {
	set := root.Flags()
	set.SortFlags = false
	set.StringVar(&f.platform, "platform", "aptible", "the container platform `NAME` to judge for (see imglint platforms); a,b,c or all prints a matrix")
	set.StringVar(&f.manifest, "manifest", "", "judge by a Kubernetes or Compose `FILE`: its command, ports, probes, environment and limits")
	set.StringVar(&f.service, "service", "", "the `NAME` of the Procfile's line (default: each of them), or of the manifest's container or service")
	set.IntVar(&f.port, "port", 0, "the endpoint's `PORT`, instead of the one the platform picks from EXPOSE")
	set.StringVar(&f.path, "path", "", "the `PATH` that is asked")
	set.BoolVar(&f.strict, "strict", false, "judge by the platform's strict health check")
	set.DurationVar(&f.window, "boot-window", 0, "how long the platform waits for the first answer, as a `DURATION` (default: the platform's)")
	set.StringVar(&f.dockerfile, "dockerfile", "", "the `FILE` the image was built from (default: ./Dockerfile if it matches)")
	f.sourceFlags.register(set)
	set.BoolVar(&f.static, "static", false, "read the image only, run nothing")
	set.StringVar(&f.runner, "runner", runnerAuto, "the `RUNNER` of the image: auto, docker (the engine only) or local (namespaces of imglint's own, Linux)")
	set.BoolVar(&f.noProve, "no-prove", false, "do not run the image again with the fix")
	set.StringArrayVarP(&f.env, "env", "e", nil, "set a variable in the container: `KEY=VALUE`, or KEY to pass on yours")
	set.StringArrayVar(&f.envFiles, "env-file", nil, "read variables from a `FILE`, one KEY=VALUE a line")
	set.StringArrayVarP(&f.volumes, "volume", "v", nil, "mount a `VOLUME` in the container, as docker run -v does")
	set.StringVar(&f.user, "user", "", "run as this `USER` instead of the image's")
	set.StringArrayVar(&f.entrypoint, "entrypoint", nil, "start this `PROGRAM` instead of the image's ENTRYPOINT and CMD, as docker run does; words after -- replace CMD")
	set.StringVar(&f.memory, "memory", "1g", "the container's memory limit, a `SIZE` such as 512m or 2g")
	set.Float64Var(&f.cpus, "cpus", 0, "the `NUMBER` of CPUs the container may use (default: no limit)")
	set.StringVar(&f.network, "network", "", "attach the container to this `NETWORK` of the engine (default: none, it cannot reach anything)")
	set.StringVar(&f.host, "host", "", "the container engine's `ADDRESS` (default: DOCKER_HOST, the docker context, the usual socket)")
	set.StringArrayVar(&f.formats, "format", nil, "how to print the findings: `FORMAT` or FORMAT=FILE, repeatable; "+report.FormatNames()+" (default: text; github in a GitHub job)")
	set.StringVarP(&f.output, "output", "o", "", "write the report to a `FILE` instead of standard output")
	set.String("config", "", "read settings from this `FILE` (default: .imglint.yaml here or above, see imglint config)")
	set.StringArrayVar(&f.imageLists, "images-from", nil, "check the images that a `FILE` names, one a line; - is standard input")
	set.StringVar(&f.failOn, "fail-on", finding.Error.String(), "the least `SEVERITY` that makes the exit status 1: error, warning or note")
	set.StringSliceVar(&f.ignore, "ignore", nil, "leave out the findings of this `RULE` (repeatable)")
	set.IntVarP(&f.jobs, "jobs", "j", 0, "how many images to check at once, a `NUMBER` (default: one per CPU)")
	set.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing for images without findings, and no progress")
	set.BoolVar(&f.verbose, "verbose", false, "print how the command was followed and where each address comes from (also -v alone)")
}

func flagError(cmd *cobra.Command, err error) error {
	return usage("%w; see imglint --help%s", err, suggestFlag(cmd, err))
}

func suggestFlag(cmd *cobra.Command, err error) string {
	var unknown string
	if _, scan := fmt.Sscanf(err.Error(), "unknown flag: --%s", &unknown); scan != nil {
		return ""
	}
	var names []string
	for _, name := range flagNames(cmd) {
		names = append(names, name)
	}
	if best := nearest(unknown, names); best != "" {
		return " (did you mean --" + best + "?)"
	}
	return ""
}
