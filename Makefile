# Every target stands alone: it makes what it needs first. `make` alone prints this list.
#
#   ARGS="…"   is handed on to the command:  make up ARGS="--port 9000"

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILED := build/compiled
CODE := listeners pipeline schemas tests
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup up demo test torture lint format bench compiled bench-compiled test-compiled contracts clean

help: ## this list
	@echo "Touchpoints. Try: make up, then in another terminal: make demo"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

setup: $(STAMP) ## create .venv and install (Python 3.11 or newer)

# python3 first; else the newest one that will do. A venv that was left half made is made again.
$(STAMP): pyproject.toml
	@python=; for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$name; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "expected Python 3.11 or newer; found $$(python3 --version 2>&1 || echo none) as python3." >&2; \
	  echo "Install one (Debian: apt-get install python3 python3-venv) and run make again." >&2; exit 1; fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  "$$python" -m venv --clear $(VENV) || { \
	    echo "could not make $(VENV): Debian keeps that part in the package python3-venv." >&2; exit 1; }; fi
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

up: $(STAMP) ## listeners, pipeline and console in one process, on port 8080
	@exec $(BIN)/touchpoints up $(ARGS)

demo: $(STAMP) ## send a day of traffic to a running `make up`
	@exec $(BIN)/touchpoints demo $(ARGS)

test: $(STAMP) ## all tests but the long ones
	@$(BIN)/pytest -m "not torture" --numprocesses 3 --dist loadfile $(ARGS)

torture: $(STAMP) ## the long ones: kill -9 in a loop, full disks, many seeds
	@$(BIN)/pytest -m torture $(ARGS)

lint: $(STAMP) ## ruff, mypy, import-linter; changes nothing
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m schemas.published --check
	@$(BIN)/python -m pipeline.catalogue.editors --check

format: $(STAMP) ## let ruff mend what it can
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

bench: $(STAMP) ## throughput, latency, memory; ARGS="name …" for some of tests/benchmarks/
	@for name in $(or $(ARGS),$(basename $(notdir $(wildcard tests/benchmarks/[a-z]*.py)))); do \
	  echo "== $$name"; $(BIN)/python -m "tests.benchmarks.$$name"; done

# The hot modules compiled, in an environment of its own; what runs there sees the installed wheel
# before this tree, and of this tree only tests/. Needs a C compiler; nothing else here does.
ABOUT_THE_TREE := test_the_contracts_on_disk_are_those_of_the_records
SEES_WHEEL := PYTHONSAFEPATH=1 PYTHONPATH=$(abspath $(COMPILED)/tree)

$(COMPILED)/.installed: pyproject.toml hatch_build.py $(shell find listeners pipeline schemas -name '*.py')
	@[ -x $(COMPILED)/bin/python ] || $(BIN)/python -m venv $(COMPILED)
	@HATCH_BUILD_HOOK_ENABLE_CUSTOM=true $(COMPILED)/bin/python -m pip install --quiet '.[dev]'
	@mkdir -p $(COMPILED)/tree && ln -sfn ../../../tests $(COMPILED)/tree/tests
	@touch $@

compiled: $(STAMP) $(COMPILED)/.installed ## the hot modules compiled: build/compiled/bin/touchpoints
	@echo "compiled: $(COMPILED)/bin/touchpoints"

bench-compiled: $(STAMP) $(COMPILED)/.installed ## the same, its hot modules compiled; needs a C compiler
	@for name in $(or $(ARGS),$(basename $(notdir $(wildcard tests/benchmarks/[a-z]*.py)))); do \
	  echo "== $$name, compiled"; $(SEES_WHEEL) $(COMPILED)/bin/python -m "tests.benchmarks.$$name"; done

test-compiled: $(STAMP) $(COMPILED)/.installed ## all tests but the long ones, on the compiled modules
	@$(SEES_WHEEL) $(COMPILED)/bin/pytest -m "not torture" -o pythonpath=$(COMPILED)/tree \
	  -p tests.compiled --deselect tests/contracts/test_schemas.py::$(ABOUT_THE_TREE) $(ARGS)

contracts: $(STAMP) ## write what follows from records.py and tables.py: contracts, docs/records.md
	@$(BIN)/python -m schemas.published
	@$(BIN)/python -m pipeline.catalogue.editors

clean: ## remove what was made: .venv and caches; ./data stays
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
