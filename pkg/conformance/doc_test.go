// Package conformance starts real servers in the configurations of
// fixtures/conformance and holds what imglint predicts from the image alone
// against what they bind, and whether they stay in the foreground.
//
// Root file systems are images that `fixtures/conformance/build` makes; each
// configuration is a layer of small files on one of them, started in
// namespaces without an engine. What was seen is kept in the user's cache, by
// what was started on what: a second run only predicts.
package conformance
