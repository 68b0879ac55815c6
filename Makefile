# Demarc. `make help` lists what can be made.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: help demo test bench check packages packages-demo

# What the build and the demo need, and what the peers of the tests need besides.
BUILD := gcc libc6-dev make libopus-dev pkg-config
DEMO := $(BUILD) espeak-ng asterisk-core-sounds-en-wav
PEERS := libpri-dev sip-tester baresip-core tshark dahdi udev systemd coreutils

help:
	@echo "make demo    run the demonstration: simulated E1, callers, SIP agents, menu and queue; Ctrl-C ends it"
	@echo "make test    install what the tests need, build, run all tests"
	@echo "make check   formatting and lints"
	@echo "make bench   measure the hot paths"

demo: packages-demo
	@echo "== building (the first time takes some minutes)"
	cargo build --release --locked -p demarc-server --bin demarc
	@echo "== demonstration; Ctrl-C ends it"
	./target/release/demarc demo

test: packages
	@tests/fetch-dahdi-source.sh target/test-data/dahdi-source
	@echo "== building"
	cargo build --workspace --locked --bins
	cargo test --workspace --locked --no-run
	@tests/run.sh

bench:
	cargo build --release --locked -p demarc-server --bin demarc
	./target/release/demarc bench media --calls 100,300,1000,2000,4000
	./target/release/demarc bench media --calls 100,300,1000,2000,4000 --shared 32
	cargo bench --locked -p hw-sim --bench sim

check:
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

packages:
	@tests/install.sh $(DEMO) $(PEERS)

packages-demo:
	@tests/install.sh $(DEMO)
