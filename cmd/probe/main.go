// Command probe runs inside the container that imglint watches.
package main

import (
	"os"

	"github.com/imglint/imglint/pkg/probe"
)

func main() { os.Exit(probe.Main(os.Args[1:])) }
