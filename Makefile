# What people and CI call. Each target is one line of `make help`; the work is in scripts/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
TARGET := $(or $(CARGO_TARGET_DIR),target)
TIME ?= 60

.PHONY: help demo run test test-docker bench bench-lists wasm cli envoy envoy-image fuzz check toolchain clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | awk -F'\t' '{ printf "make %-13s%s\n", $$1, $$2 }'

demo: wasm cli ## walk through a running Envoy: no, bad and good credentials, roles, what the service sees
	@demo/demo

run: wasm cli ## an Envoy that stays up; prints what to try (POLICY=file: with a policy of your own)
	@demo/demo --stay $(POLICY)

test: toolchain ## every test that this machine can run; says what it skipped
	@scripts/test

test-docker: wasm ## the Envoy tests in Docker (ENVOY_IMAGE=...); as root, installs and starts it if it is missing
	@scripts/test-docker

bench: wasm ## side by side with Envoy's own filters
	@bench/run

bench-lists: ## what a million entries of a list take: memory, look-ups, pauses of a reload
	@bench/lists

wasm: ## dist/gatekey.wasm, trimmed, and its sha256
	@scripts/wasm

cli: toolchain ## the native command, target/release/gatekey
	@cargo build --locked --quiet --release --features cli --bin gatekey
	@echo "$(abspath $(TARGET))/release/gatekey"

envoy: ## fetch Envoy, print its path (ENVOY=/path uses another)
	@scripts/envoy

envoy-image: ## the image gatekey-envoy:local, made from that Envoy, for machines without a registry
	@scripts/envoy-image

fuzz: toolchain ## every fuzz target for TIME=60 seconds
	@scripts/fuzz $(TIME)

check: toolchain ## formatting and lints
	cargo fmt --check
	cargo fmt --check --manifest-path tools/trim/Cargo.toml
	cargo fmt --check --manifest-path tools/vectors/Cargo.toml
	cargo clippy --locked --quiet --all-targets --features cli -- -D warnings
	cargo clippy --locked --quiet --lib --target wasm32-wasip1 -- -D warnings

toolchain: ## install what rust-toolchain.toml names, if it is missing
	@scripts/toolchain

clean: ## remove what was built
	cargo clean
	rm -rf dist
