// Command imglint tells whether a container platform's health check will pass
// for an image, and why not.
package main

import (
	"os"

	"github.com/imglint/imglint/pkg/cli"
)

func main() {
	io := cli.Standard()
	io.Program, _ = os.Executable()
	os.Exit(cli.Main(os.Args[1:], io))
}
