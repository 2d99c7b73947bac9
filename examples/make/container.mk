# Any target of your Makefile in a container: put `include container.mk` into it, then
#
#     make container-check                     # = make check, in the container
#     make container-check IMAGE=fedora:41
#
# What is built belongs to you, and looks the same on every machine.
APUS ?= apus
IMAGE ?= debian:12

container-%:
	$(APUS) run --rm --reproducible --workspace '$(CURDIR)' $(IMAGE) make --no-print-directory $*
