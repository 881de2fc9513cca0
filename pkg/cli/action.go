package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/shlex"
	"github.com/spf13/cobra"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/report"
)

// actionCommand is the step of action.yml: it turns the action's inputs into
// flags and the report into the action's outputs.
func actionCommand(io IO) *cobra.Command {
	return &cobra.Command{
		Use:    "action",
		Short:  "run as a step of a GitHub Action",
		Args:   noArguments,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := os.MkdirTemp(io.Getenv("RUNNER_TEMP"), "imglint-")
			if err != nil {
				return &statusError{ExitUnable, fmt.Errorf("make folder for the report: %w", err)}
			}
			defer os.RemoveAll(dir)
			document := filepath.Join(dir, "report.json")
			args, err := actionArguments(io, dir, document)
			if err != nil {
				return err
			}
			root := newRoot(io)
			root.SetArgs(volumeOrVerbose(args))
			err = root.ExecuteContext(cmd.Context())
			if wrong := actionOutputs(io, document); wrong != nil {
				return errors.Join(err, &statusError{ExitUnable, wrong})
			}
			actionReview(cmd.Context(), io, filepath.Join(dir, reviewName))
			return err
		},
	}
}

// actionArguments are the flags that the inputs stand for. Images go through a
// file of dir, so that none of them is taken for a flag.
func actionArguments(io IO, dir, document string) ([]string, error) {
	args := []string{"--format", "github", "--format", "json=" + document}
	if sarif := io.Getenv("INPUT_SARIF"); sarif != "" {
		args = append(args, "--format", "sarif="+sarif)
	}
	if wantsReview(io) {
		args = append(args, "--format", "review="+filepath.Join(dir, reviewName))
	}
	if images := strings.TrimSpace(io.Getenv("INPUT_IMAGE")); images != "" {
		list := filepath.Join(dir, "images")
		if err := os.WriteFile(list, []byte(images+"\n"), 0o600); err != nil {
			return nil, &statusError{ExitUnable, fmt.Errorf("write list of images: %w", err)}
		}
		args = append(args, "--images-from", list)
	}
	more, err := shlex.Split(io.Getenv("INPUT_ARGS"))
	if err != nil {
		return nil, usage("args: %w", err)
	}
	return append(args, more...), nil
}

// actionOutputs tells the steps that follow what was found. Without a report
// nothing was checked, which is no pass.
func actionOutputs(io IO, document string) error {
	name := io.Getenv("GITHUB_OUTPUT")
	if name == "" {
		return nil
	}
	verdict, findings, sarif := finding.Unknown, 0, io.Getenv("INPUT_SARIF")
	text, err := os.ReadFile(document)
	if err == nil {
		var d report.Document
		if err := json.Unmarshal(text, &d); err != nil {
			return fmt.Errorf("read own report: %w", err)
		}
		verdict, findings = worst(d)
	}
	if _, err := os.Stat(sarif); err != nil {
		sarif = ""
	}
	var b bytes.Buffer
	for _, pair := range [][2]string{{"verdict", string(verdict)}, {"findings", strconv.Itoa(findings)}, {"sarif", sarif}} {
		// A random end, so that no value can pretend to be another output.
		end := "end-" + rand.Text()
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", pair[0], end, pair[1], end)
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = file.Write(b.Bytes())
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("write the action's outputs: %w", err)
	}
	return nil
}

// worst is the verdict on all images, and the number of findings.
func worst(d report.Document) (finding.Verdict, int) {
	verdict, findings := finding.Unknown, 0
	rank := map[finding.Verdict]int{finding.Pass: 1, finding.Unknown: 2, finding.Fail: 3}
	highest := 0
	for _, image := range d.Images {
		findings += len(image.Findings)
		if rank[image.Verdict] > highest {
			verdict, highest = image.Verdict, rank[image.Verdict]
		}
	}
	return verdict, findings
}
