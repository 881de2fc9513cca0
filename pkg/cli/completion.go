package cli

import (
	"bytes"
	"fmt"
	stdio "io"
	"strings"

	"github.com/spf13/cobra"
)

// bashAlone replaces the one function of cobra's script that needs the package
// bash-completion, which not every machine has: without it, the words are those
// of the line up to the cursor, so that : and = stay within one.
const bashAlone = `
__imglint_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} != *[[:space:]] ]] || words+=("")
    cword=$((${#words[@]} - 1))
    cur=${words[cword]}
    prev=${words[cword > 0 ? cword - 1 : 0]}
}
`

const completionLong = `completion prints a script that teaches a shell imglint's commands, flags, rules,
platforms and the names of local images. To have it in every new shell:

  bash        echo 'source <(imglint completion bash)' >>~/.bashrc
  zsh         imglint completion zsh >"${fpath[1]}/_imglint"
  fish        imglint completion fish >~/.config/fish/completions/imglint.fish
  powershell  imglint completion powershell >>$PROFILE`

func completionCommand(io IO) *cobra.Command {
	writers := map[string]func(*cobra.Command, stdio.Writer) error{
		"bash":       bashCompletion,
		"zsh":        (*cobra.Command).GenZshCompletion,
		"fish":       func(root *cobra.Command, w stdio.Writer) error { return root.GenFishCompletion(w, true) },
		"powershell": (*cobra.Command).GenPowerShellCompletionWithDesc,
	}
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "print the script that teaches a shell imglint's words",
		Long:      completionLong,
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("completion takes one shell: %s", strings.Join(shells, ", "))
			}
			write, ok := writers[args[0]]
			if !ok {
				hint := ""
				if best := nearest(args[0], shells); best != "" {
					hint = fmt.Sprintf(", did you mean %s?", best)
				}
				return usage("there is no completion for %q: use %s%s", args[0], strings.Join(shells, ", "), hint)
			}
			return write(cmd.Root(), io.Out)
		},
	}
}

func bashCompletion(root *cobra.Command, w stdio.Writer) error {
	var script bytes.Buffer
	if err := root.GenBashCompletionV2(&script, true); err != nil {
		return err
	}
	script.WriteString(bashAlone)
	_, err := w.Write(script.Bytes())
	return err
}
