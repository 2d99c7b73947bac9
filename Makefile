# make demo and make test work on a fresh Debian: what is missing is installed by apt.
PREFIX ?= /usr/local
DESTDIR ?=

apus := $(CURDIR)/.build/release/apus
bin := $(DESTDIR)$(PREFIX)/bin
share := $(DESTDIR)$(PREFIX)/share
bash_completion := $(share)/bash-completion/completions/apus
zsh_completion := $(share)/zsh/site-functions/_apus
fish_completion := $(share)/fish/vendor_completions.d/apus.fish

FUZZ_SECONDS ?= 60

# The executable by the name that engines call it by.
runtime := $(CURDIR)/.build/release/apus-runtime

.PHONY: build demo test test-report test-vm test-engines test-oci test-oci-vm bench bench-images bench-networks link-order fuzz lint install uninstall clean

build:
	@.ci/install-dependencies build
	@swift build --quiet -c release --product apus

demo: build
	@APUS=$(apus) examples/demo.sh

# Unit tests and system tests; the latter run the release executable.
test: build
	@.ci/install-dependencies test
	APUS_EXECUTABLE=$(apus) APUS_TEST_MAKE_ROOTFS=$(CURDIR)/Tests/make-rootfs.sh swift test

# The system tests again (all, or those that VM_TESTS matches), in a booted Debian with systemd and cgroup v2, as root and as an ordinary user.
test-vm: build
	@.ci/install-dependencies vm
	@swift build --quiet --build-tests
	@Tests/VM/run $(if $(VM_TESTS),'$(VM_TESTS)')

# The page of `--report FILE.html` in a browser without a screen.
test-report: build
	@.ci/install-dependencies test report
	APUS_EXECUTABLE=$(apus) APUS_TEST_BROWSER=$$(command -v chromium) swift test --filter 'System\.PageTests'

# Podman, Docker, a swarm, containerd and Slurm over apus-runtime, each in namespaces of its own; as root.
test-engines: build
	@.ci/install-dependencies engines
	@ln -sf apus $(runtime)
	@Tests/Runtime/engines $(runtime)

# OCI's validation programs, built from Debian's source; as root.
test-oci: build
	@.ci/install-dependencies test validation
	@ln -sf apus $(runtime)
	@Tests/Runtime/validation/run "$$(Tests/Runtime/validation/build)" $(runtime)

# The same in the virtual machine, where cgroups are of version 2.
test-oci-vm: build
	@.ci/install-dependencies validation vm
	@Tests/VM/validation "$$(Tests/Runtime/validation/build)"

bench-images: build
	@APUS=$(apus) Tests/Bench/images.sh

bench-networks: build
	@APUS=$(apus) Tests/Bench/networks.sh

bench: build
	@APUS=$(apus) Tests/Bench/bench.sh
	@APUS=$(apus) Tests/Bench/limits.sh

# The functions that a run executes, for the linker: anew after larger changes, as root.
link-order: build
	@Tests/Bench/link-order $(apus)

# Each target for FUZZ_SECONDS. An input that it fails on is a bug: mend it, and keep it in Tests/Fuzz/Seeds.
fuzz:
	@.ci/install-dependencies build
	@Tests/Fuzz/run $(FUZZ_SECONDS)

lint:
	swift format lint --strict -r Sources Tests Package.swift

# Built when it is not there; `sudo make install` after `make` then needs no Swift.
$(apus):
	@$(MAKE) --no-print-directory build

# Written in pieces of 128 KiB, the page cache keeps it so, and a page fault maps a whole one: a run takes a tenth less than
# with pieces of 4 KiB. Larger ones would count as memory of each supervisor that waits.
install: $(apus)
	install -d $(bin)
	strip -o $(bin)/.apus.stripped $(apus)
	dd if=$(bin)/.apus.stripped of=$(bin)/.apus.new bs=128K status=none
	chmod 755 $(bin)/.apus.new
	mv -f $(bin)/.apus.new $(bin)/apus
	rm -f $(bin)/.apus.stripped
	ln -sf apus $(bin)/apus-runtime
	install -d $(dir $(bash_completion)) $(dir $(zsh_completion)) $(dir $(fish_completion)) $(share)/man/man1
	$(apus) --generate-completion-script bash >$(bash_completion)
	$(apus) --generate-completion-script zsh >$(zsh_completion)
	$(apus) --generate-completion-script fish >$(fish_completion)
	$(apus) generate-manual $(share)/man/man1
	install -D -m 644 Sources/Reports/report.schema.json $(share)/apus/report.schema.json

uninstall:
	rm -f $(share)/apus/report.schema.json
	rmdir --ignore-fail-on-non-empty $(share)/apus 2>/dev/null || true
	rm -f $(bin)/apus $(bin)/apus-runtime $(bash_completion) $(zsh_completion) $(fish_completion)
	rm -f $(share)/man/man1/apus.1 $(share)/man/man1/apus-*.1

clean:
	rm -rf .build
