# make lab    the course in JupyterLab          make lab ENGINE=docker PORT=8890 NO_BROWSER=1
# make test   everything that needs no Docker   make help lists the rest
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
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.PHONY: help
help:  ## list the targets
	@sed -n 's/^\([a-z-]*\): .*##/make \1\t/p' Makefile | expand -t 20

# --- installing -----------------------------------------------------------------------------------

# A Python that is new enough and can make a virtual environment, or one sentence that says what to do.
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do
	  command -v "$$python" >/dev/null || continue
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
	  new_enough=$$python
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || continue
	  echo "making $(VENV) with $$("$$python" --version)"
	  "$$python" -m venv "$(VENV)"
	  exit 0
	done
	if [ -n "$${new_enough:-}" ]; then
	  echo "$$new_enough can't make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv" >&2
	else
	  echo "dockerlab needs Python 3.11 or newer; none was found. If you have one: make lab PYTHON=/path/to/python" >&2
	fi
	exit 1

# install LOCK: what is pinned there and nothing else, then dockerlab itself from this directory
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

.PHONY: test lint test-install test-oldest test-browser test-scenario test-peers test-crashes test-states soak bench bench-clients
test: lint  ## lint, types, contracts, every test and every notebook on the practice engine
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope -m "not index and not browser" \
	  --nbval --nbval-current-env --nbval-cell-timeout 60 --nbval-sanitize-with tests/notebooks/sanitize.cfg \
	  tests notebooks

lint: $(VENV)/.test  ## ruff, mypy and the import contracts
	@$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-install: $(VENV)/.test  ## build, install and hosted-notebook replays; needs the package index
	@$(BIN)/python -m pytest -m index tests/house

# pandas leaves numpy open: its oldest is named here. Python 3.13 and later have other oldest ones.
test-oldest: $(VENV)/.test  ## unit tests with the oldest dependencies that are allowed; needs the package index
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/oldest
	$(BIN)/uv pip install --quiet --python $(VENV)/oldest/bin/python --resolution lowest-direct \
	  --requirements pyproject.toml --group test 'numpy>=1.26'
	$(VENV)/oldest/bin/python -m pytest -n $(WORKERS) -W ignore::DeprecationWarning tests/unit

test-browser: $(VENV)/.test  ## the course in a real browser; needs chromium and chromedriver
	@$(BIN)/python -m pytest -m browser tests

test-scenario: $(VENV)/.test  ## the docker command's words, step by step, as Docker 28.5 has them (HOST=unix://… ISOLATION=…)
	@$(BIN)/python tests/scenario/run.py $(if $(HOST),--host $(HOST)) $(if $(ISOLATION),--isolation $(ISOLATION))

test-peers: $(VENV)/.test  ## docker-py's and aiodocker's own tests (HOST=unix://… ISOLATION=…); needs the package index
	@for peer in docker-py aiodocker; do
	  $(BIN)/python tests/peers/run.py $$peer $(if $(HOST),--host $(HOST)) $(if $(ISOLATION),--isolation $(ISOLATION))
	done

test-crashes: $(VENV)/.test  ## kill the practice engine TIMES (200) times while clients work, and count what is lost
	@$(BIN)/python tests/endurance/crash_loop.py --times $(TIMES) $(if $(ISOLATION),--isolation $(ISOLATION))

test-states: $(VENV)/.test  ## random requests on an engine and on a model of Docker (HOST=unix://… EXAMPLES=100 ISOLATION=…)
	@DOCKERLAB_STATES_HOST=$(HOST) DOCKERLAB_STATES_EXAMPLES=$(EXAMPLES) DOCKERLAB_ISOLATION=$(ISOLATION) \
	  $(BIN)/python -m pytest tests/engine/containers/test_state_model.py

soak: $(VENV)/.test  ## mixed traffic on the practice engine for MINUTES (10); what it holds must stay flat
	@$(BIN)/python tests/endurance/soak.py --minutes $(MINUTES) $(if $(ISOLATION),--isolation $(ISOLATION))

bench: $(VENV)/.test  ## the practice engine's speed beside a Docker daemon's (HOST=unix://… with busybox:latest)
	@$(BIN)/python tests/bench/engines.py --against $(HOST) $(if $(ISOLATION),--isolation $(ISOLATION))

bench-clients: $(VENV)/.test  ## dockerlab beside other clients of an engine (HOST=unix://…); writes docs/benchmarks.md
	@$(BIN)/python tests/bench/clients.py --host $(HOST) --write

# --- keeping --------------------------------------------------------------------------------------

# Exact versions with the hashes of every platform's files, and no index address: uv's own uv.lock would carry them.
COMPILE := $(abspath $(BIN))/uv pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --group build pyproject.toml
define compile
$(COMPILE) $(1) --extra parquet --output-file requirements.lock
$(COMPILE) $(1) --group test --extra parquet --constraints requirements.lock --output-file requirements-test.lock
endef

.PHONY: lock lock-upgrade lock-check clean
lock: $(VENV)/.test  ## write both locks anew after a change of pyproject.toml, keeping what still fits
	@$(call compile,)

lock-upgrade: $(VENV)/.test  ## the same, with the newest versions
	@$(call compile,--upgrade)

lock-check: $(VENV)/.test  ## do both locks say what `make lock` would write now?
	@copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT
	cp pyproject.toml requirements*.lock "$$copy"
	cd "$$copy"; $(call compile,); cd "$$OLDPWD"
	for lock in requirements*.lock; do
	  diff -u "$$lock" "$$copy/$$lock" || { echo "$$lock is stale: make lock" >&2; exit 1; }
	done

clean:  ## remove what these targets made, but no notebook and no container
	rm -rf "$(VENV)" .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
