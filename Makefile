# A fresh machine needs Python 3.11 or newer and make; everything else is set up in .venv, from the hashed lock.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
PREFIX ?= /opt/legislative-monitor
PYTEST_ARGS ?= -n auto --dist worksteal

# The first interpreter that is new enough and can make a virtual environment (Debian splits that off).
SUITABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
FIND_PYTHON = for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c '$(SUITABLE)' >/dev/null 2>&1 && echo "$$python" && break; done
PYTHON ?= $(shell $(FIND_PYTHON))

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench lock wheel install clean check-python

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## replay the real 2025 session through the service, without leaving this machine
	@$(BIN)/monitor demo

test: $(VENV)/.installed ## all tests; what this machine lacks is skipped and said (PYTEST_ARGS="-k word" for some)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed ## speed and size, side by side with what we are compared to
	@$(BIN)/python benchmarks/run.py

# Pins stay as they are unless asked: make lock UPGRADE=--upgrade, or UPGRADE='--upgrade-package requests'.
COMPILE := $(BIN)/uv pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock'
lock: $(VENV)/.installed ## write the hashed requirements anew from pyproject.toml
	$(COMPILE) $(UPGRADE) pyproject.toml --extra dev --group build --output-file requirements-dev.lock
	$(COMPILE) $(UPGRADE) pyproject.toml --constraint requirements-dev.lock --no-annotate --output-file requirements.lock
	$(COMPILE) $(UPGRADE) --group build --constraint requirements-dev.lock --no-annotate --output-file requirements-build.lock

wheel: $(VENV)/.installed ## build dist/*.whl with the locked build backend
	rm -rf dist
	$(PIP) wheel --no-deps --no-build-isolation --no-index --wheel-dir dist .

install: wheel ## install on a server: PREFIX=/opt/legislative-monitor, from the wheel and requirements.lock
	$(PYTHON) -m venv --clear $(PREFIX)
	$(PREFIX)/bin/python -m pip --disable-pip-version-check --no-input install --require-hashes --only-binary :all: -r requirements.lock
	$(PREFIX)/bin/python -m pip --disable-pip-version-check --no-input install --no-deps --no-index dist/*.whl

clean: ## remove what was built; databases and demo-data stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

check-python:
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
		|| ! "$(PYTHON)" -c 'import venv, ensurepip' >/dev/null 2>&1; then \
		echo "No usable Python found$(if $(PYTHON), in PYTHON=$(PYTHON))." >&2; \
		echo "Needed: Python 3.11 or newer with venv and ensurepip." >&2; \
		echo "  Debian, Ubuntu: sudo apt install python3 python3-venv" >&2; \
		echo "  Fedora:         sudo dnf install python3" >&2; \
		echo "  elsewhere:      make $(or $(MAKECMDGOALS),test) PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi

# Order-only: the check runs first and never makes the environment look out of date.
$(VENV)/.locked: requirements-build.lock requirements-dev.lock | check-python
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) from the locked requirements: once, for a minute or two."
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements-build.lock
	$(PIP) install --require-hashes --no-build-isolation -r requirements-dev.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	@echo "Installing the command .venv/bin/monitor"
	$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@
