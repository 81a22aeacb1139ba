# Two commands matter: `make demo` and `make test`. Everything else serves them. Needs Python 3.11, make and a C library.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLCHAIN := $(BIN)/python contracts/scripts/toolchain.py
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# A recorded option chain for the demo: make demo CHAIN=file.csv.gz; more flags for it: make demo ARGS="--rounds 5".
CHAIN ?=
ARGS ?=
PYTEST_ARGS ?=

# The environments of the systems that ours is measured beside.
PEERS := .bench

.DEFAULT_GOAL := help
.PHONY: help install demo test test-python test-contracts test-all contracts artifacts lint lint-contracts slither halmos \
	gas format bench bench-peers bench-parts clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "Python 3.11 is needed; name it with: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (about 1.5 GB, torch most of it) ..."
	@$(PIP) install --constraint constraints.txt --editable ".[dev]"
	@touch $@

install: $(READY) ## Set up the virtual environment

demo: $(READY) ## Run a whole consortium on this machine and check what comes out
	@$(BIN)/mpc-coordinator demo $(if $(CHAIN),--chain "$(CHAIN)") $(ARGS)

test: test-contracts test-python ## All tests but the slow ones

test-python: $(READY)
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

test-all: test-contracts halmos $(READY) ## All tests, the slow ones and the symbolic proofs too
	$(BIN)/python contracts/scripts/make_black76_vectors.py --check
	$(BIN)/python -m pytest $(PYTEST_ARGS)

contracts: $(READY) ## Install the contract tools (npm where Node is present, else from PyPI)
	@$(TOOLCHAIN) install

test-contracts: contracts ## Forge tests, and proof that a rebuild gives the checked-in bytecode
	FORGE_SNAPSHOT_CHECK=true $(TOOLCHAIN) run forge test
	$(BIN)/python contracts/scripts/export_artifacts.py --check
	$(BIN)/python contracts/scripts/make_vectors.py --check

artifacts: contracts ## Rebuild the checked-in contract artifacts and test vectors
	$(BIN)/python contracts/scripts/export_artifacts.py
	$(BIN)/python contracts/scripts/make_vectors.py

lint-contracts: contracts ## Format and lint of the Solidity code
	$(TOOLCHAIN) run forge fmt --check
	$(TOOLCHAIN) run solhint --noPoster --disc --max-warnings 0 'src/**/*.sol' 'test/**/*.sol' 'script/**/*.sol'

slither: contracts ## Static analysis of the contracts (installs Slither in an environment of its own)
	$(TOOLCHAIN) slither

halmos: contracts ## Symbolic proofs about the laws (installs Halmos in an environment of its own; two minutes)
	$(TOOLCHAIN) halmos

gas: contracts ## Measure the gas snapshots anew (contracts/snapshots)
	$(TOOLCHAIN) run forge test --match-contract 'Gas'

lint: $(READY) ## Everything that CI checks besides tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix --select I
	$(BIN)/ruff format

bench: $(READY) ## Run our engine, SPU and CrypTen side by side (ten minutes; less with ARGS=--quick); writes bench.json
	$(BIN)/python -m tests.benchmarks.engine $(ARGS)

bench-peers: $(PEERS)/spu/.ready $(PEERS)/crypten/.ready ## Install SPU and CrypTen for it, each in an environment of its own (2 GB)

$(PEERS)/spu/.ready: PACKAGES := spu==0.9.5
$(PEERS)/crypten/.ready: PACKAGES := torch==2.13.0 torchvision==0.28.0 sklearn==0.0 crypten==0.4.1
$(PEERS)/%/.ready:
	@$(PYTHON) -m venv $(@D)
	@echo "Installing $(PACKAGES) into $(@D) ..."
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install $(PACKAGES)
	@touch $@

bench-parts: $(READY) ## Measure the other parts, one after the other
	$(BIN)/python -m tests.benchmarks

clean: ## Remove what was built, but not the virtual environment
	rm -rf build dist *.egg-info contracts/out contracts/cache .pytest_cache .hypothesis .mypy_cache .ruff_cache
