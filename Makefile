# make lab    open the course in JupyterLab     make lab ENGINE=docker PORT=8890 NO_BROWSER=1
# make test   run all tests without Docker      make help lists all targets
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
ENGINE ?= practice
PORT ?=
NO_BROWSER ?=
HOST ?=
ISOLATION ?=
WORKERS ?= 2
TIMES ?= 200
MINUTES ?= 10
EXAMPLES ?= 100
CASES ?= 550
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.PHONY: help
help:  ## list all targets
	@sed -n 's/^\([a-z-]*\): .*##/make \1\t/p' Makefile | expand -t 20

# --- installing -----------------------------------------------------------------------------------

# Use the first Python that is new enough and can create a virtual environment, or else say what to do.
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do
	  command -v "$$python" >/dev/null || continue
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
	  new_enough=$$python
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || continue
	  echo "creating $(VENV) with $$("$$python" --version)"
	  "$$python" -m venv "$(VENV)"
	  exit 0
	done
	if [ -n "$${new_enough:-}" ]; then
	  echo "$$new_enough can't create a virtual environment. On Debian or Ubuntu: apt-get install python3-venv" >&2
	else
	  echo "dockerlab needs Python 3.11 or newer, and none was found. If you have one: make lab PYTHON=/path/to/python" >&2
	fi
	exit 1

# install LOCK: install exactly the packages that are pinned there, then dockerlab from this directory
define install
	@echo "installing $$(grep -c '==' $(1)) pinned packages from $(1)$(2)"
	$(PIP) install --quiet --require-hashes --requirement $(1)
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@
endef

$(VENV)/.lab: requirements.lock pyproject.toml | $(BIN)/python
	$(call install,requirements.lock, (about a minute the first time))

$(VENV)/.test: requirements-test.lock pyproject.toml | $(BIN)/python
	$(call install,requirements-test.lock,)

# --- the course -----------------------------------------------------------------------------------

.PHONY: lab
lab: $(VENV)/.lab  ## open the course in JupyterLab (ENGINE=docker, PORT=8888, NO_BROWSER=1)
	@export DOCKERLAB_ENGINE=$(ENGINE)
	exec $(BIN)/dockerlab lab --here notebooks $(if $(PORT),--port $(PORT)) $(if $(NO_BROWSER),--no-browser)

# --- checks ---------------------------------------------------------------------------------------

.PHONY: test lint test-install test-oldest test-browser test-scenario test-peers test-crashes test-states test-fuzzing soak bench bench-clients
# The order of xdist would begin with the modules that have many tests, and end with one that runs for half a minute
# alone. The order of the folders ends with the unit tests, which are quick, so that no worker waits long for the other.
test: lint  ## run lint, all tests and all notebooks, on the practice engine
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder -m "not index and not browser" \
	  --nbval --nbval-current-env --nbval-cell-timeout 60 --nbval-sanitize-with tests/notebooks/sanitize.cfg \
	  notebooks tests

lint: $(VENV)/.test  ## run ruff, mypy and the import contracts
	@$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-install: $(VENV)/.test  ## test building, installing and the hosted notebooks; needs the package index
	@$(BIN)/python -m pytest -m index tests/repository

# pandas sets no lower bound for numpy, so it is set here. Python 3.13 and later need newer versions.
test-oldest: $(VENV)/.test  ## run the unit tests with the oldest supported dependencies; needs the package index
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/oldest
	$(BIN)/uv pip install --quiet --python $(VENV)/oldest/bin/python --resolution lowest-direct \
	  --requirements pyproject.toml --group test 'numpy>=1.26'
	$(VENV)/oldest/bin/python -m pytest -n $(WORKERS) -W ignore::DeprecationWarning tests/unit

test-browser: $(VENV)/.test  ## test the course in a real browser; needs chromium and chromedriver
	@$(BIN)/python -m pytest -m browser tests

test-scenario: $(VENV)/.test  ## compare the docker command's output on an engine with Docker 28.5 (HOST=unix://… ISOLATION=…)
	@$(BIN)/python tests/scenario/run.py $(if $(HOST),--host $(HOST)) $(if $(ISOLATION),--isolation $(ISOLATION))

test-peers: $(VENV)/.test  ## run the tests of docker-py and aiodocker (HOST=unix://… ISOLATION=…); needs the package index
	@for peer in docker-py aiodocker; do
	  $(BIN)/python tests/other_clients/run.py $$peer $(if $(HOST),--host $(HOST)) $(if $(ISOLATION),--isolation $(ISOLATION))
	done

test-crashes: $(VENV)/.test  ## kill the practice engine 2 × TIMES (200), fill its disk, and count what is lost
	@$(BIN)/python tests/endurance/crash_loop.py --times $(TIMES) $(if $(ISOLATION),--isolation $(ISOLATION))
	$(BIN)/python tests/endurance/interrupted_work.py --times $(TIMES) $(if $(ISOLATION),--isolation $(ISOLATION))
	if [ "$$(id -u)" = 0 ]; then
	  $(BIN)/python tests/endurance/full_disk.py $(if $(ISOLATION),--isolation $(ISOLATION))
	fi
	DOCKERLAB_TEST_DEPTH=100000 DOCKERLAB_ISOLATION=$(ISOLATION) \
	  $(BIN)/python -m pytest --quiet tests/engine/test_nested_directories.py

test-states: $(VENV)/.test  ## compare an engine with a model of Docker by random requests (HOST=unix://… EXAMPLES=100 ISOLATION=…)
	@DOCKERLAB_STATES_HOST=$(HOST) DOCKERLAB_STATES_EXAMPLES=$(EXAMPLES) DOCKERLAB_ISOLATION=$(ISOLATION) \
	  $(BIN)/python -m pytest tests/engine/containers/test_state_model.py

test-fuzzing: $(VENV)/.test  ## send about 10,000 invented documents to the practice engine (CASES=550 of each kind, ISOLATION=…)
	@DOCKERLAB_FUZZING_EXAMPLES=$(CASES) DOCKERLAB_ISOLATION=$(ISOLATION) $(BIN)/python -m pytest -n $(WORKERS) --timeout 3600 tests/engine/fuzzing

soak: $(VENV)/.test  ## send mixed traffic to the practice engine for MINUTES (10), and check that it leaks nothing
	@$(BIN)/python tests/endurance/soak.py --minutes $(MINUTES) $(if $(ISOLATION),--isolation $(ISOLATION))

bench: $(VENV)/.test  ## compare the practice engine's speed with Docker's (HOST=unix://… with busybox:latest)
	@$(BIN)/python tests/bench/engine_speed.py --against $(HOST) $(if $(ISOLATION),--isolation $(ISOLATION))

bench-clients: $(VENV)/.test  ## compare dockerlab's speed with other clients (HOST=unix://…); writes docs/benchmarks.md
	@$(BIN)/python tests/bench/client_speed.py --host $(HOST) --write

# --- maintenance ----------------------------------------------------------------------------------

# Exact versions, with the hashes of the files for all platforms but without index addresses, which uv.lock contains.
COMPILE := $(abspath $(BIN))/uv pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --group build pyproject.toml
define compile
$(COMPILE) $(1) --extra parquet --output-file requirements.lock
$(COMPILE) $(1) --group test --extra parquet --constraints requirements.lock --output-file requirements-test.lock
endef

.PHONY: lock lock-upgrade lock-check clean
lock: $(VENV)/.test  ## update both locks after a change of pyproject.toml, keeping versions where possible
	@$(call compile,)

lock-upgrade: $(VENV)/.test  ## update both locks to the newest versions
	@$(call compile,--upgrade)

lock-check: $(VENV)/.test  ## check that both locks are what `make lock` would write now
	@copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT
	cp pyproject.toml requirements*.lock "$$copy"
	cd "$$copy"; $(call compile,); cd "$$OLDPWD"
	for lock in requirements*.lock; do
	  diff -u "$$lock" "$$copy/$$lock" || { echo "$$lock is out of date. To update it: make lock" >&2; exit 1; }
	done

clean:  ## remove all files that these targets create; notebooks and containers stay
	rm -rf "$(VENV)" .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
