# Needs only make and Python 3.11 or newer: every target sets up .venv by itself when pyproject.toml,
# constraints.txt or requirements/ has changed. `make` alone lists the targets.

PYTHON ?= python3
# Extra pip arguments for torch alone, to choose a CPU or CUDA build: `make setup TORCH_ARGS='--index-url ...'`, also
# to exchange the build of an environment that is there.
TORCH_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BENCH_INSTALLED := $(VENV)/.installed-bench
DOCS_INSTALLED := $(VENV)/.installed-docs
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet
# Nothing is installed whose digest is not in the file, nor fetched to build it. torch and what only some of its builds
# need are in no such file.
INSTALL_CHECKED := $(INSTALL) --require-hashes --no-deps --no-build-isolation -r

DATA := $(realpath ../shared/data)
ifneq ($(DATA),)
TWOFOLD_DATA ?= $(DATA)
export TWOFOLD_DATA
endif
# pyright is pinned in constraints.txt on purpose; it need not say that a newer one exists.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test browser lint types docs bench wheel audit lock another-torch

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) ## install twofold and its tools into .venv
	@echo "ready: $(BIN)/twofold --help"

demo: $(INSTALLED) ## run both studies on what ships with the package
	$(BIN)/twofold demo

test: $(INSTALLED) ## run the tests, those on real data too where TWOFOLD_DATA names it
	$(BIN)/pytest -n 2 --dist worksteal --ignore tests/browser

browser: $(INSTALLED) ## drive every page in Chromium, which has to be installed; takes minutes
	TWOFOLD_BROWSER_REQUIRED=1 $(BIN)/pytest -n 2 tests/browser

lint: $(INSTALLED) ## check style, format and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(INSTALLED) ## check types
	$(BIN)/pyright

docs: $(DOCS_INSTALLED) ## build the documentation into site/; a warning is an error
	$(BIN)/zensical build --clean --strict
	@echo "ready: site/index.html"

bench: $(BENCH_INSTALLED) ## measure what docs/measurements.md claims, script by script
	@for script in $(sort $(wildcard bench/*.py)); do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

wheel: $(INSTALLED) ## build the wheel, check licences, write its bill of materials
	$(BIN)/hatchling build --clean -t wheel
	$(BIN)/python tools/sbom.py dist/twofold-*.whl

audit: $(INSTALLED) ## look the pinned versions up among known vulnerabilities; needs a network
	$(BIN)/python tools/audit.py

lock: $(INSTALLED) ## write requirements/ from constraints.txt; needs uv and a network
	$(BIN)/python tools/lock.py

$(INSTALLED): pyproject.toml constraints.txt requirements/build.txt requirements/dev.txt $(if $(TORCH_ARGS),another-torch)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "twofold needs Python 3.11 or newer, got $$($(PYTHON) --version 2>&1) from $(PYTHON);" \
	    "name another one: make $(or $(firstword $(MAKECMDGOALS)),setup) PYTHON=python3.12" >&2; exit 1; }
	@echo "setting up $(VENV) (once; some minutes on a slow line)"
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH_ARGS),$(INSTALL) --force-reinstall --no-deps "$$(grep '^torch==' constraints.txt)" $(TORCH_ARGS))
	$(INSTALL_CHECKED) requirements/build.txt --only-binary :all:
	$(INSTALL_CHECKED) requirements/dev.txt
	$(INSTALL) -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED) requirements/bench.txt
	$(INSTALL_CHECKED) requirements/bench.txt
	$(INSTALL) -c constraints.txt --no-build-isolation -e '.[bench]'
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED) requirements/docs.txt
	$(INSTALL_CHECKED) requirements/docs.txt
	$(INSTALL) -c constraints.txt --no-build-isolation -e '.[docs]'
	@touch $@
