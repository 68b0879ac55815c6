# Demarc. `make help` lists what can be made.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: help demo soak test test-kernel probe bench check packages packages-demo packages-bench packages-kernel

# What the build and the demo need, and what the peers of the tests need besides.
BUILD := gcc libc6-dev make libopus-dev pkg-config
DEMO := $(BUILD) espeak-ng asterisk-core-sounds-en-wav
# Python for the peers from PyPI; a NAT is made of network namespaces.
PEERS := python3-venv python3-dev nftables iproute2 procps util-linux libpri-dev libspandsp-dev libtiff-dev libopenr2-bin sip-tester baresip-core opus-tools tshark dahdi udev systemd coreutils python3-websockets
# For a virtual machine with the genuine DAHDI driver.
KERNEL := qemu-system-x86 cpio kmod binutils bzip2 xz-utils libelf1

help:
	@echo "make demo    run the demonstration: simulated E1, callers, SIP agents, menu and queue; Ctrl-C ends it"
	@echo "make test    install what the tests need, build, run all tests"
	@echo "make test-kernel   only the tests on the genuine DAHDI kernel, in a virtual machine (part of make test)"
	@echo "make probe   ask the simulator what the kernel's driver is asked"
	@echo "make soak    sixty calls on two spans for ten minutes in real time, every octet compared"
	@echo "make check   formatting and lints"
	@echo "make bench   measure the hot paths"

demo: packages-demo
	@echo "== building (the first time takes some minutes)"
	cargo build --release --locked -p demarc-server --bin demarc
	@echo "== demonstration; Ctrl-C ends it"
	./target/release/demarc demo

test: packages packages-kernel
	@tests/fetch-dahdi-source.sh target/test-data/dahdi-source
	@tests/install-python.sh target/test-data/python
	@echo "== building"
	cargo build --workspace --locked --bins
	cargo test --workspace --locked --no-run
	@tests/run.sh
	@tests/kernel/run.sh

# Downloads 90 MB from Debian, once.
test-kernel: packages packages-kernel
	@echo "== building"
	cargo build --locked --bins -p demarc-server -p hw-sim -p abi-probe -p demarc-kernel-tests
	@tests/kernel/run.sh

probe: packages-demo
	cargo build --locked --bins -p hw-sim -p abi-probe
	@tests/kernel/run.sh --simulator

# About twelve minutes; the numbers mean something only while nothing else runs on the machine.
BENCH = ./target/release/demarc bench media --seconds 2 --calls 100,300,1000,2000,2500,4000
WITH := nothing,dtmf,detect,record,dtmf+record,srtp,conference3,conference100,g722,opus
bench: packages-bench
	cargo build --release --locked -p demarc-server --bin demarc
	$(BENCH) --with $(WITH)
	$(BENCH) --shared 4
	$(BENCH) --kind channel --with $(WITH)
	$(BENCH) --kind channel --shared 4
	cargo run --release --locked -p demarc-media --example conference_load
	cargo bench --locked -p demarc-dsp --bench detectors
	cargo bench --locked -p demarc-media --bench core
	cargo bench --locked -p hw-sim --bench sim

# Eleven minutes. It judges nothing (status 3) where its own telephones were late. `make soak SOAK="10 --playout-ms 200"` on a virtual
# machine that stands still now and then; with `--patient` the boards wait for it.
SOAK = 10
soak: packages-demo
	cargo build --release --locked --bins -p hw-sim
	DEMARC_TEST_BINARIES=$${CARGO_TARGET_DIR:-target}/release cargo run --release --locked -p demarc-media --example soak -- $(SOAK)

check:
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

packages:
	@tests/install.sh $(DEMO) $(PEERS)

packages-demo:
	@tests/install.sh $(DEMO)

# The measurement lays its wire by ip.
packages-bench:
	@tests/install.sh $(DEMO) iproute2

packages-kernel:
	@tests/install.sh $(BUILD) $(KERNEL)
