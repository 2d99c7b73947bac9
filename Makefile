# make demo and make test work on a fresh Debian: what is missing is installed by apt.
PREFIX ?= /usr/local
DESTDIR ?=

apus := $(CURDIR)/.build/release/apus
bin := $(DESTDIR)$(PREFIX)/bin
share := $(DESTDIR)$(PREFIX)/share
bash_completion := $(share)/bash-completion/completions/apus
zsh_completion := $(share)/zsh/site-functions/_apus
fish_completion := $(share)/fish/vendor_completions.d/apus.fish

.PHONY: build demo test test-vm bench lint install uninstall clean

build:
	@.ci/install-dependencies build
	@swift build --quiet -c release --product apus

demo: build
	@APUS=$(apus) examples/demo.sh

# Unit tests and system tests; the latter run the release executable.
test: build
	@.ci/install-dependencies test
	APUS_EXECUTABLE=$(apus) APUS_TEST_MAKE_ROOTFS=$(CURDIR)/Tests/make-rootfs.sh swift test

# The system tests again, in a booted Debian with systemd and cgroup v2, as root and as an ordinary user.
test-vm: build
	@.ci/install-dependencies vm
	@swift build --quiet --build-tests
	@Tests/VM/run

bench: build
	@APUS=$(apus) Tests/Bench/bench.sh

lint:
	swift format lint --strict -r Sources Tests Package.swift

# Built when it is not there; `sudo make install` after `make` then needs no Swift.
$(apus):
	@$(MAKE) --no-print-directory build

install: $(apus)
	install -D -s -m 755 $(apus) $(bin)/apus
	ln -sf apus $(bin)/apus-runtime
	install -d $(dir $(bash_completion)) $(dir $(zsh_completion)) $(dir $(fish_completion)) $(share)/man/man1
	$(apus) --generate-completion-script bash >$(bash_completion)
	$(apus) --generate-completion-script zsh >$(zsh_completion)
	$(apus) --generate-completion-script fish >$(fish_completion)
	$(apus) generate-manual $(share)/man/man1

uninstall:
	rm -f $(bin)/apus $(bin)/apus-runtime $(bash_completion) $(zsh_completion) $(fish_completion)
	rm -f $(share)/man/man1/apus.1 $(share)/man/man1/apus-*.1

clean:
	rm -rf .build
