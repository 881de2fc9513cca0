package report

import (
	"fmt"
	"strings"
)

// diffBlock is a run of removed lines and the lines that replace them.
type diffBlock struct {
	line           int // of the first removed line, or before which is added, in the old file
	removed, added []string
	before         string // the unchanged line in front of it
	hasBefore      bool
}

// diffLine is one line of a unified diff's hunk, for a picture of it.
type diffLine struct {
	Mark     string // " ", "-" or "+"
	Old, New int    // 0: not in that file
	Text     string
}

// fileDiff is the part of a unified diff that is about one file.
type fileDiff struct{ file, diff string }

// fileDiffs takes a diff of several files apart, as dockerfile.Diff writes them.
func fileDiffs(diff string) []fileDiff {
	var all []fileDiff
	left := 0 // lines of the present hunk
	for line := range strings.SplitAfterSeq(diff, "\n") {
		name, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "--- a/")
		if ok && left <= 0 {
			all = append(all, fileDiff{file: name})
		}
		if _, oldCount, _, newCount := hunk(line); left <= 0 && oldCount+newCount > 0 {
			left = oldCount + newCount
		} else if left > 0 && line != "" {
			switch line[0] {
			case '-', '+':
				left--
			case '\\': // no newline at the end of the file
			default:
				left -= 2
			}
		}
		if len(all) > 0 {
			all[len(all)-1].diff += line
		}
	}
	return all
}

// diffLines reads the hunks of a unified diff of one file. What is no hunk is
// left out, so that any text is safe to give.
func diffLines(diff string) []diffLine {
	var lines []diffLine
	var old, new, oldLeft, newLeft int
	for text := range strings.SplitSeq(strings.TrimSuffix(diff, "\n"), "\n") {
		if oldLeft <= 0 && newLeft <= 0 {
			old, oldLeft, new, newLeft = hunk(text)
			continue
		}
		if text == "" {
			text = " " // some tools strip the blank of an empty context line
		}
		switch text[0] {
		case ' ':
			lines = append(lines, diffLine{" ", old, new, text[1:]})
			old, new, oldLeft, newLeft = old+1, new+1, oldLeft-1, newLeft-1
		case '-':
			lines = append(lines, diffLine{"-", old, 0, text[1:]})
			old, oldLeft = old+1, oldLeft-1
		case '+':
			lines = append(lines, diffLine{"+", 0, new, text[1:]})
			new, newLeft = new+1, newLeft-1
		}
	}
	return lines
}

// hunk reads "@@ -OLD,COUNT +NEW,COUNT @@".
func hunk(text string) (old, oldCount, new, newCount int) {
	before, after, ok := strings.Cut(text, " +")
	if !ok || !strings.HasPrefix(before, "@@ -") {
		return 0, 0, 0, 0
	}
	old, oldCount = extent(strings.TrimPrefix(before, "@@ -"))
	new, newCount = extent(after)
	return old, oldCount, new, newCount
}

// extent reads "LINE,COUNT" or "LINE", of which the count is 1. An empty
// extent names the line in front of it.
func extent(text string) (line, count int) {
	if n, _ := fmt.Sscanf(text, "%d,%d", &line, &count); n < 2 {
		count = 1
	}
	if count == 0 {
		line++
	}
	return line, count
}

// diffBlocks groups the changed lines of a unified diff.
func diffBlocks(diff string) []diffBlock {
	var blocks []diffBlock
	var context diffLine
	open, old := false, 0
	for _, l := range diffLines(diff) {
		if l.Mark == " " {
			context, open, old = l, false, l.Old
			continue
		}
		if !open {
			b := diffBlock{line: max(old+1, l.Old), before: context.Text}
			b.hasBefore = context.Old > 0 && context.Old == b.line-1
			blocks, open = append(blocks, b), true
		}
		b := &blocks[len(blocks)-1]
		if l.Mark == "-" {
			b.removed, old = append(b.removed, l.Text), l.Old
		} else {
			b.added = append(b.added, l.Text)
		}
	}
	return blocks
}
