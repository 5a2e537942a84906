# Driver CRM. `make` alone prints what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
UV := VIRTUAL_ENV=$(VENV) $(BIN)/uv --system-certs
BUILT := drivercrm/ui/static/built/manifest.json
SOURCES := $(shell find drivercrm/ui/assets -type f 2>/dev/null) package.json vite.config.js
export DJANGO_SETTINGS_MODULE := drivercrm.config.settings

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(VENV)/ready $(BUILT) ## Installs the locked packages and builds the pages' assets; safe to run again

$(VENV)/ready: requirements.lock pyproject.toml scripts/check_python
	@scripts/check_python $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(UV) pip sync --quiet --require-hashes requirements.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(BUILT): $(SOURCES) | $(VENV)/ready
	@scripts/build_assets

demo: setup ## Fills an empty database of its own with a synthetic history and serves it
	@DRIVERCRM_DATA_DIR=demo-data $(BIN)/drivercrm demo

dev: setup ## Server and worker on your own data, reloading when code changes
	@DRIVERCRM_DEBUG=yes $(BIN)/drivercrm serve --reload

check: setup ## Format, lint, types, import contracts, missing migrations, fresh docs
	$(BIN)/ruff format --check drivercrm tests benchmarks scripts
	$(BIN)/ruff check drivercrm tests benchmarks scripts
	$(BIN)/mypy drivercrm
	$(BIN)/lint-imports --no-cache
	@scripts/with_empty_data $(BIN)/python -m django makemigrations --check --dry-run
	@scripts/with_empty_data $(BIN)/python scripts/draw_docs.py --check

test: check browser ## Everything CI does: the checks, then the tests on SQLite and on PostgreSQL
	scripts/run_tests $(if $(T),-k "$(T)")

browser: ## Installs what the browser tests need (Debian's Chromium, when root)
	@scripts/install_chromium

fix: setup ## Formats and mends what can be mended by itself
	$(BIN)/ruff format drivercrm tests benchmarks scripts
	$(BIN)/ruff check --fix drivercrm tests benchmarks scripts

docs: setup ## Draws the generated parts of docs/ from the code
	@scripts/with_empty_data $(BIN)/python scripts/draw_docs.py

lock: $(VENV)/ready ## Resolves the locked packages again
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --upgrade pyproject.toml -o requirements.lock

shell: setup ## A Python shell with the application loaded
	@$(BIN)/python -m django shell

.PHONY: help setup demo dev check test browser fix docs lock shell
