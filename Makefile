# The everyday commands. They need Go and make; what else is missing (Docker,
# mmdebstrap, …) is installed with apt-get when run as root, and named otherwise.
#
#   make demo        one failing image, built and checked, from nothing
#   make test        everything, on real containers; make test-unit: seconds, no Docker
#   make confirm     every fixture built, run and compared with its hand-written truth;
#                    make confirm RUNNER=local does so without the engine's running them,
#                    RUNNER=user as a user without privileges, once with ranges of users
#   make conformance 1000 configurations of real servers, compared with what is predicted
#   make build       ./imglint

.DEFAULT_GOAL := build
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

export CGO_ENABLED = 0
DEMO := .cache/demo

.PHONY: go
go:
	@command -v go >/dev/null || { echo "Go is missing: https://go.dev/dl (this module wants $$(awk '/^go /{print $$2}' go.mod) or newer)"; exit 1; }

# The programs that are put into containers, embedded into imglint.
.PHONY: probe
probe: go
	go generate ./pkg/probe/embed

.PHONY: build
build: probe
	go build -trimpath -ldflags '-s -w' -o imglint ./cmd/imglint

# imglint ends with 1 because it finds errors: that is what the demo shows.
.PHONY: demo
demo: build
	@fixtures/engine up
	@fixtures/bases/build python
	@rm -rf $(DEMO)
	@fixtures/unpack fixtures/loopback-bind/bad.txtar $(DEMO)
	@DOCKER_BUILDKIT=0 docker build -t imglint-fixtures/demo $(DEMO) >$(DEMO).log 2>&1 || { cat $(DEMO).log; exit 1; }
	@echo '$$ imglint imglint-fixtures/demo'
	@cd $(DEMO) && { "$(CURDIR)/imglint" imglint-fixtures/demo </dev/null || status=$$?; }; \
	if [ "$${status-0}" = 1 ]; then echo "(exit status 1: imglint found errors, as it should in this demo)"; \
	else echo "the demo should end with exit status 1, and imglint ended with $${status-0}"; exit 1; fi

# What tests use beside Docker; they skip what they cannot try. Chromium takes
# 24 s here (340 MB on disk); nothing smaller in Debian 12 draws the HTML report.
# Podman takes 7 s (90 MB). An ssh server is not installed: one of a machine's own
# would listen after the next start; tests use it where there is one.
.PHONY: tools
tools: axe
	@missing=; for program in docker-registry python3 tmux zsh fish; do command -v $$program >/dev/null || missing+=" $$program"; done; \
	for program in chromium google-chrome chromium-browser none; do command -v $$program >/dev/null && break; done; \
	[ "$$program" != none ] || missing+=" chromium"; \
	command -v newuidmap >/dev/null || missing+=" uidmap"; \
	command -v podman >/dev/null || missing+=" podman netavark runc"; \
	[ -n "$$missing" ] || exit 0; \
	root=; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
	if command -v apt-get >/dev/null && $$root true 2>/dev/null; then \
		$$root apt-get -qq update && $$root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install --no-install-recommends $$missing >/dev/null; \
	else echo "some tests will be skipped, for want of:$$missing"; fi

# What the HTML report's accessibility is held against, where npm is; the
# built-in checks of the same run without it. Not under imglint's licence.
AXE := axe-core-4.14.1
.PHONY: axe
axe:
	@[ -e .cache/axe.min.js ] || ! command -v npm >/dev/null || { \
		mkdir -p .cache && cd .cache && npm pack --silent $(subst core-,core@,$(AXE)) >/dev/null && \
		tar -xzf $(AXE).tgz --strip-components=1 package/axe.min.js && rm $(AXE).tgz; \
	} || echo "axe-core cannot be fetched; one test will be skipped"

.PHONY: test
test: probe tools
	fixtures/engine up
	fixtures/bases/build
	go vet ./...
	# One package at a time: several share the engine.
	IMGLINT_CONFIRM=1 go test -p 1 -parallel 4 -timeout 25m ./...

.PHONY: test-unit
test-unit: go
	go test -short ./...

RUNNER ?= docker

.PHONY: confirm
confirm: probe
	fixtures/engine up
	fixtures/bases/build
	go test ./pkg/lint $(if $(filter user,$(RUNNER)),-v )-run 'TestConfirm$(if $(filter user,$(RUNNER)),AsUser)$$' -confirm -runner $(RUNNER) -timeout 60m

# Real servers, in every configuration of fixtures/conformance, against what is
# predicted of them. What was started before is not started again.
.PHONY: conformance
conformance: probe
	fixtures/engine up
	fixtures/bases/build
	fixtures/conformance/build
	@mkdir -p .cache
	go test ./pkg/conformance -all -parallel 6 -report $(CURDIR)/.cache/conformance.txt -timeout 90m || status=$$?; \
	cat .cache/conformance.txt; exit $${status-0}

.PHONY: bench
bench: probe
	fixtures/engine up
	go test -run '^$$' -bench . -benchmem -timeout 20m ./...

# How long a start and a verdict take with an engine and without, in tables.
.PHONY: bench-runners
bench-runners: probe
	fixtures/engine up
	go test ./pkg/lint -run '^$$' -bench Runners -benchtime 9x -timeout 20m

# What reading two images takes, from every source, in tables. The benchmark of
# pkg/cli builds them, 220 MB and 1.2 GB; the copies need 5 GB for a while.
.PHONY: bench-sources
bench-sources: probe tools
	fixtures/engine up
	fixtures/bases/build python
	go test ./pkg/cli -run '^$$' -bench Static -benchtime 1x -timeout 10m
	go test ./pkg/lint -run '^$$' -bench Sources -benchtime 3x -timeout 20m

# Go's checksum database pins it, so it is as good as a pinned binary.
GORELEASER ?= go run github.com/goreleaser/goreleaser/v2@v2.15.1

# A release that is not published. Images, SBOMs and signatures are for CI.
.PHONY: snapshot
snapshot: go
	GOFLAGS=$(GOFLAGS) $(GORELEASER) release --snapshot --clean --skip=publish,docker,sbom,sign

# Two builds of the same commit, in two directories, have to be the same bytes.
# The commit's time is in them, so what is not committed is not built.
.PHONY: reproduce
reproduce: go
	rm -rf .cache/first .cache/second
	for copy in first second; do git clone --quiet . ".cache/$$copy" && $(MAKE) -C ".cache/$$copy" snapshot || exit 1; done
	diff .cache/first/dist/checksums.txt .cache/second/dist/checksums.txt
	rm -rf .cache/first .cache/second

# Go's checksum database pins it, as it does goreleaser.
.PHONY: workflows
workflows: go
	go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.7 .github/workflows/*.yml

# What is generated for readers: rule pages, help, man pages.
.PHONY: docs
docs: go
	go test ./rules -update
	UPDATE_DOCS=1 go test ./pkg/cli -run 'TestHelp|TestMan|TestReadme|TestDocsPlatforms'

.PHONY: clean
clean:
	rm -rf imglint dist $(DEMO) $(DEMO).log pkg/probe/embed/*.gz

# The fixtures' images too: making them again takes minutes.
.PHONY: clean-images
clean-images:
	docker images -q --filter label=dev.imglint.fixture | sort -u | xargs -r docker rmi -f
