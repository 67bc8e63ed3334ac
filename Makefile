.DEFAULT_GOAL := help
.PHONY: help setup serve test bench lint clean

PYTHON ?= python3
STACK  ?= auto
ARGS   ?=
BIN    := .venv/bin

# Quick when nothing changed: it compares a stamp in .venv with the locks and calls no pip.
INSTALL = $(PYTHON) requirements/install.py --stack $(STACK)

help:  ## this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## */\t/' | expand -t 10
	@echo "options   ARGS='…' for serve and bench · STACK=cpu|gpu · PYTHON=python3.12"

setup:  ## install the server and the test tools into .venv
	@$(INSTALL) --dev

serve:  ## install what is missing, then start the server
	@$(INSTALL)
	@exec $(BIN)/bide serve $(ARGS)

bench:  ## load a running server and report
	@$(INSTALL)
	@exec $(BIN)/bide bench $(ARGS)

lint: setup  ## style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## lint, then every test
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadgroup $(ARGS)

clean:  ## remove .venv and the caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
