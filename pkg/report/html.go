package report

import "io"

func page(w io.Writer, a About, results []Result) error { return nil }
