# What a person types. Each target says what it needs and installs it where it can.
GO        ?= go
BIN       := bin/hardway
LAB       := examples/lab

.PHONY: build install test race lint fuzz golden e2e e2e-full bench demo demo-down mirror lab-up lab-down docs clean

build: $(BIN)                    ## bin/hardway

$(BIN): $(shell find cmd certs provision templates units -type f -not -name '*_test.go') go.mod go.sum
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./cmd/hardway

install:                         ## hardway into GOBIN
	CGO_ENABLED=0 $(GO) install -trimpath ./cmd/hardway

test:                            ## everything that needs no cluster
	$(GO) vet ./... && $(GO) test ./...
	cd tools && $(GO) vet ./... && $(GO) test ./...

race:
	$(GO) test -race ./...

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...

golden:                          ## write the golden files anew; read the diff before committing it
	$(GO) test ./... -update

mirror:                          ## Kubernetes, etcd, containerd … built from their Go modules, once
	cd tools && $(GO) run ./cmd/mirror

lab-up:                          ## three hosts to install on
	$(LAB)/lab.sh up

lab-down:
	$(LAB)/lab.sh down

demo:                            ## a real cluster on this machine, from nothing
	$(LAB)/demo.sh

demo-down:                       ## everything that demo made
	$(LAB)/demo.sh down

e2e: $(BIN) mirror               ## the lab from HCL to a verified cluster and back
	$(GO) test -count=1 -timeout 40m -v -tags e2e ./e2e

e2e-full: e2e                    ## and what is slow: the older of the supported minors
	cd tools && $(GO) run ./cmd/mirror --kubernetes 1.36.3
	$(GO) test -count=1 -timeout 90m -v -tags 'e2e full' -run TestOlderMinor ./e2e

clean:
	rm -rf bin
