# Everything here runs on a bare Debian machine with Go, git and make. `make`
# alone lists the targets.

# What the tests need besides Go, as command:package or command:package,package.
# A package is installed only where its command is missing. npm fetches the
# AsyncAPI schema that asyncapi.yaml is held against; gcc is for -race; haproxy
# stands before the nodes of `make cluster`; the dashboard is tested in chromium.
DEBIAN = $(CLUSTER) npm:npm gcc:gcc,libc6-dev chromium:chromium
CLUSTER = redis-server:redis-server haproxy:haproxy

FUZZTIME  ?= 10000x
TIMEOUT   ?= 20m
ROUNDS    ?= 5
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null)

.DEFAULT_GOAL = help

.PHONY: help
help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

.PHONY: test
test: deps check race fuzz ## Check and test everything; installs what is missing.

.PHONY: deps
deps: ## Install the Debian packages that the tests need.
	@.ci/install $(DEBIAN)

.PHONY: check
check: ## Check the form (gofmt), go vet and staticcheck.
	@unformatted=$$(gofmt -l .) && if [ -n "$$unformatted" ]; then echo "not in gofmt's form, run make fmt:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

.PHONY: race
race: ## Run the tests with the race detector.
	CGO_ENABLED=1 go test -race -timeout $(TIMEOUT) ./...

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME each (10,000 inputs).
	@.ci/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## Measure the README's rows beside their references, ROUNDS rounds each (5).
	@.ci/bench $(ROUNDS)

.PHONY: screenshots
screenshots: ## Take pictures of the dashboard's pages, light and dark, wide and phone, into bin/screenshots.
	@.ci/install chromium:chromium npm:npm
	mkdir -p bin/screenshots
	ROLLCALL_SCREENSHOTS=$(CURDIR)/bin/screenshots go test -count 1 -run '^TestEveryPageIsAccessible$$' ./cmd/rollcall

.PHONY: build
build: ## Build bin/rollcall.
	go build -trimpath -ldflags '-X main.release=$(VERSION)' -o bin/rollcall ./cmd/rollcall

.PHONY: cluster
cluster: ## Run three nodes on a Redis Cluster behind haproxy, until Ctrl-C.
	@.ci/install $(CLUSTER)
	@.ci/cluster

.PHONY: generate
generate: ## Write the files that are generated, such as asyncapi.yaml and the README's table.
	go generate ./...

.PHONY: fmt
fmt: ## Put the Go files into gofmt's form.
	gofmt -w .
