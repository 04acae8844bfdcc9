SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# Pure Go: the same binary runs everywhere. The race detector alone needs cgo.
BUILD := CGO_ENABLED=0 $(GO) build -trimpath -ldflags="-s -w"
# What is tried of each fuzz test: a count, since up to Go 1.26 a time may end in a failure (go.dev/issue/75804).
FUZZTIME ?= 2000x
TESTFLAGS ?=

.PHONY: help
help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## an inbox of 200 chats on a simulated WhatsApp, with a curl line for every endpoint
	@bin/pesan demo

.PHONY: run
run: build ## link a real phone by QR code and serve its chats
	@bin/pesan run

.PHONY: build
build: go ## bin/pesan
	@$(BUILD) -o bin/pesan ./cmd/pesan

# Of the functions and the session host; AWS's own processors by default.
ARCH ?= arm64
CROSS := CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) $(GO) build -trimpath -ldflags="-s -w"

# Where they go, and what is built as a function.
DIST ?= dist
FUNCTIONS ?= ./functions/...

.PHONY: functions
functions: ## each endpoint as dist/<function>/bootstrap; ARCH=amd64 for another processor
	@rm -rf $(DIST) && $(CROSS) -tags lambda.norpc -o $(DIST)/ $(FUNCTIONS)
	@cd $(DIST) && for name in *; do mv $$name bootstrap && mkdir $$name && mv bootstrap $$name/; done
	@! find $(DIST) -name bootstrap -size +12582912c | grep . || { echo 'a function is over 12 MB' >&2; exit 1; }

.PHONY: host
host: ## bin/session-host
	@$(CROSS) -o $(or $(HOST),bin/session-host) ./session-host

.PHONY: suite
suite: ## bin/e2e, which tests a running Pesan
	@$(BUILD) -o bin/e2e ./cmd/e2e

.PHONY: rehearse
rehearse: ## deploy template.yaml to a simulated AWS on this machine, and test all of it
	@scripts/rehearse

.PHONY: deploy
deploy: ## to AWS; ENV=prod for production
	@scripts/deploy $(or $(ENV),dev)

.PHONY: local
local: ## functions and host in containers, with the suite; LOCAL=--serve stays for a real phone
	@scripts/local $(LOCAL)

.PHONY: release
release: ## dist/release, all that a version consists of; VERSION=v1.2.3, a tag of this commit
	@scripts/release "$(VERSION)"

.PHONY: test
test: go ## all tests, with the race detector; without what they need, those that need none of it
	@scripts/test $(TESTFLAGS)

.PHONY: go
go:
	@$(GO) list -m >/dev/null || { echo "Pesan needs Go $$(sed -n 's/^go //p' go.mod) or later, from https://go.dev/dl; here is $$($(GO) version || echo none)" >&2; exit 1; }

.PHONY: openapi
openapi: build ## openapi.yaml as tools take it: a linter, calls made from it to the demo, clients in Go and TypeScript; /mcp as an assistant takes it
	@scripts/openapi

.PHONY: vulnerabilities
vulnerabilities: ## known vulnerabilities in what the programs call
	@scripts/vulnerabilities

.PHONY: fuzz
fuzz: ## every fuzz test beyond its seeds; FUZZTIME=1m for longer
	@$(GO) list -f '{{$$d := .Dir}}{{$$p := .ImportPath}}{{range .TestGoFiles}}{{$$d}}/{{.}} {{$$p}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$$d}}/{{.}} {{$$p}}{{"\n"}}{{end}}' ./... | \
	while read -r file package; do \
		[ -n "$$file" ] || continue; \
		for fuzz in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
			echo "$$package $$fuzz"; \
			$(GO) test -run '^$$' -fuzz "^$$fuzz\$$" -fuzztime $(FUZZTIME) "$$package"; \
		done; \
	done

# What is tried by default takes minutes, internal/chat more than an hour, internal/store many.
PACKAGE ?= internal/render
.PHONY: mutants
mutants: ## what a package's own tests don't notice when it is changed; PACKAGE=internal/chat for another
	@RAPID_CHECKS=15 RAPID_NOFAILFILE=true GOFLAGS=-vet=off $(GO) run github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0 unleash \
		--workers 1 --timeout-coefficient 20 ./$(PACKAGE)

.PHONY: lint
lint: ## gofmt, vet, staticcheck, actionlint, the compose file, and what may link what
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 .github/workflows/*.yml docs/examples/deploy.yml
	$(GO) run github.com/compose-spec/compose-go/v2/cmd@v2.16.2 docs/examples/compose.yaml >/dev/null
	@.ci/links

.PHONY: scale
scale: build ## a thousand devices for real, and what up to 100,000 cost and bear, computed
	@$(GO) run ./bench fleet
	@$(GO) run ./scale

.PHONY: bench
bench: build ## speed, size and memory, beside whatsmeow alone; BENCH=reads for one part
	@$(GO) run ./bench $(BENCH)
