# Everything runs in .venv, from pinned and hashed requirements. `make demo` needs Python 3.11+ and make, no more.

PYTHON ?= python3
VENV := .venv
# What benchmarks measure against: ccxt and SDKs, with pins that nothing else has to share.
PEERS := .venv-peers
ifeq ($(OS),Windows_NT)
SCRIPTS := Scripts
else
SCRIPTS := bin
endif
BIN := $(VENV)/$(SCRIPTS)

# More arguments for pytest, such as PYTEST_ARGS="-n 2" or PYTEST_ARGS="-k ledger".
PYTEST_ARGS ?=
# What `bot-v2 demo` is given, such as DEMO_ARGS="--feed bars.csv"; of demo-brokers DEMO_ARGS=--short.
DEMO_ARGS ?=
# What the lock is made with, such as LOCK_ARGS=--upgrade.
LOCK_ARGS ?=
export PYTEST_ARGS

PIP := $(BIN)/python -m pip --disable-pip-version-check
PIP_INSTALL := $(PIP) install --quiet --quiet
INSTALL_PROJECT := $(PIP_INSTALL) --no-deps --no-build-isolation --editable .

.DEFAULT_GOAL := help
.PHONY: help demo demo-brokers test test-nightly test-install bench format lock clean

help:  ## Say what can be made
	@echo "make demo          orders placed, filled and reconciled on a simulated brokerage"
	@echo "make demo-brokers  three simulated brokers, lost answers, and what becomes of the orders"
	@echo "make test          every check that a change has to pass, with its time and budget"
	@echo "make test-nightly  the tests again, with the long profiles"
	@echo "make test-install  the wheel, alone and with each extra, in environments of their own"
	@echo "make bench         benchmarks"
	@echo "make format        format the code and mend what the linter can mend"
	@echo "make lock          pin and hash the requirements anew"
	@echo "make clean         remove the environment and everything that was made"

demo: $(VENV)/demo.stamp
	@$(BIN)/bot-v2 demo $(DEMO_ARGS)

demo-brokers: $(VENV)/demo-brokers.stamp
	@$(BIN)/bot-v2 demo --brokers $(DEMO_ARGS)

test: $(VENV)/dev.stamp
	@$(BIN)/python tools/checks.py

test-nightly: $(VENV)/dev.stamp
	@$(BIN)/python tools/checks.py nightly

test-install: $(VENV)/dev.stamp
	@$(BIN)/python tools/check_install.py

bench: $(VENV)/dev.stamp $(PEERS)/peers.stamp
	@$(BIN)/python -m benchmarks

format: $(VENV)/dev.stamp
	@$(BIN)/python -m ruff check --fix --quiet . || true
	@$(BIN)/python -m ruff format .

lock: $(BIN)/python
	@$(PIP_INSTALL) --require-hashes -r requirements/lock.txt
	@$(BIN)/python tools/lock.py $(LOCK_ARGS)

clean:
	rm -rf $(VENV) $(PEERS) build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c "import sys; sys.version_info >= (3, 11) or sys.exit('Python 3.11 or later is needed; this is ' + sys.version.split()[0] + '. Say which to use with: make PYTHON=python3.12')"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: requirements/demo.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the demo needs into $(VENV) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements/demo.txt
	@$(INSTALL_PROJECT)
	@touch $@

$(VENV)/demo-brokers.stamp: requirements/demo-brokers.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the demo with three brokers needs into $(VENV) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements/demo-brokers.txt
	@$(INSTALL_PROJECT)
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the checks need into $(VENV) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@$(INSTALL_PROJECT)
	@touch $@

$(PEERS)/peers.stamp: requirements/peers.txt | $(BIN)/python
	@echo "Installing what the benchmarks measure against into $(PEERS) ..."
	@$(BIN)/python -m venv $(PEERS)
	@$(PEERS)/$(SCRIPTS)/python -m pip --disable-pip-version-check install --quiet --quiet \
		--require-hashes -r requirements/peers.txt
	@touch $@
