# make demo and make test need a Python from 3.11 on and nothing else; both build their own virtual environment.
NEW_ENOUGH = 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14 python3.15; do \
	$$python -c $(NEW_ENOUGH) 2>/dev/null && echo $$python && break; done)
VENV ?= .venv
PORT ?= 8000
BIN := $(VENV)/bin
PYTEST_ARGS ?=
# Compiled tests are kept: compiling them anew takes every process of a run as long as a tenth of the tests.
export PYTHONDONTWRITEBYTECODE =
MUTANTS_ARGS ?=

.PHONY: help demo test e2e lint types check mutants bench shots messages clean
help:  ## list these commands
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

$(BIN)/.demo: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt "pip>=25.1"
	$(BIN)/python -m pip install -q -c constraints.txt -e . --group demo
	@touch $@

$(BIN)/.dev: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt "pip>=25.1"
	$(BIN)/python -m pip install -q -c constraints.txt -e . --group dev
	@touch $@ $(BIN)/.demo

demo: $(BIN)/.demo  ## serve the demo site with its worker and beat on 127.0.0.1:$(PORT)
	$(BIN)/python manage.py demo --port $(PORT)

test: $(BIN)/.dev  ## run the tests; what needs a server is skipped where there is none
	$(BIN)/python -m pytest -n auto -m "not browser and not clients" $(PYTEST_ARGS)

e2e: $(BIN)/.dev  ## run the tests in Chromium and with real AWS clients, which take as long again
	$(BIN)/python -m pytest -m "browser or clients" $(PYTEST_ARGS)

lint: $(BIN)/.dev  ## ruff and the import rule
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(BIN)/.dev  ## mypy, strict
	$(BIN)/mypy

check: lint types test e2e  ## lint, types, all tests

mutants: $(BIN)/.dev  ## break guards on purpose and list what no test notices
	$(BIN)/python -m tests.mutants $(MUTANTS_ARGS)

bench: $(BIN)/.dev  ## the figures that the docs quote
	$(BIN)/python -m benchmarks

shots: $(BIN)/.dev  ## the screenshots under docs/
	$(BIN)/python -m tests.e2e.shots

messages: $(BIN)/.dev  ## collect and compile the translations
	cd trusted_devices && ../$(BIN)/django-admin makemessages --all && ../$(BIN)/django-admin compilemessages

clean:  ## remove what these commands made
	rm -rf $(VENV) .demo .coverage* .pytest_cache .mypy_cache .ruff_cache
