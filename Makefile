# What a person types. Each target says what it needs and installs it where it can.
GO        ?= go
BIN       := bin/hardway
FAULTS    := bin/hardway-faults
LAB       := examples/lab
SOURCES   := $(shell find cmd certs provision templates units -type f -not -name '*_test.go') go.mod go.sum
# One test of those that are slow, by its name; each takes the lab for itself.
E2E_SLOW   = $(GO) test -count=1 -timeout 120m -v -tags 'e2e full' ./e2e -run

.PHONY: build install test race lint fuzz golden e2e e2e-full e2e-killed e2e-restarted e2e-broken e2e-older e2e-explained e2e-supervisord bench demo demo-down mirror lab-up lab-down docs man clean

build: $(BIN)                    ## bin/hardway

$(BIN): $(SOURCES)
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./cmd/hardway

$(FAULTS): $(SOURCES)             # for e2e alone: a test can make it fail at any step
	CGO_ENABLED=0 $(GO) build -trimpath -tags faultpoints -o $@ ./cmd/hardway

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

e2e: $(BIN) $(FAULTS) mirror     ## the lab from HCL to a verified cluster and back
	$(GO) test -count=1 -tags faultpoints -run 'TestEveryOperation|TestLabels' ./provision
	$(GO) test -count=1 -timeout 40m -v -tags e2e ./e2e

e2e-full: e2e e2e-killed e2e-restarted e2e-broken e2e-older e2e-explained e2e-supervisord ## and what is slow

e2e-killed: $(BIN) $(FAULTS) mirror ## killed at every step there is
	$(E2E_SLOW) '^TestKilledEverywhere$$'

e2e-restarted: $(BIN) $(FAULTS) mirror ## hosts that lose their power in the middle
	$(E2E_SLOW) '^TestRestartedHosts$$'

e2e-broken: $(BIN) $(FAULTS) mirror ## settings with which components fail
	$(E2E_SLOW) '^TestBrokenSettings$$'

e2e-older: $(BIN) mirror         ## the older of the supported minors
	cd tools && $(GO) run ./cmd/mirror --kubernetes 1.36.3
	$(E2E_SLOW) '^TestOlderMinor$$'

e2e-explained: $(BIN) mirror     ## the runbook of `hardway explain`, typed on hosts without hardway
	$(E2E_SLOW) '^TestExplained$$'

e2e-supervisord: $(BIN) mirror   ## a cluster whose processes supervisord keeps
	$(E2E_SLOW) '^TestSupervisord$$'

bench:                           ## the figures of bench/README.md, on a quiet machine; FORCE=1, ONLY=P11
	cd bench && $(GO) test -c -o ../bin/bench.test . && sleep 5 && ../bin/bench.test -test.run '^TestFigures$$' -test.timeout 15m -figures $(if $(FORCE),-force) $(if $(ONLY),-only $(ONLY))

docs:                            ## the reference and the schemas, made anew; read the diff before committing it
	$(GO) test ./docs ./cmd/internal/view -run '^(TestCommands|TestSchemas)$$' -update

man:                             ## bin/man/man1, one page a command; VERSION and SOURCE_DATE_EPOCH stand in them
	$(GO) run ./cmd/manpages -version '$(VERSION)' bin/man/man1

clean:
	rm -rf bin
