# Two commands are enough: make book, make test. Each sets up .venv first and goes on.
.DEFAULT_GOAL := help
.PHONY: help book pdf test test-processors check faults style lab lock bench clean

# Python compiles what is imported at its first import and keeps it: quicker than compiling all that is installed.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
READY := .venv/.ready

# The first of these that is Python 3.11 or 3.12; PYTHON=... names another.
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
  $$p -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && { echo $$p; break; }; done)

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# uv installs in a fraction of pip's time; where it cannot (a private index that only pip is told of, say), pip does.
$(READY): requirements.lock.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "genbook needs Python 3.11 or 3.12 (with venv); name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@echo "setting up .venv with $(PYTHON) (about 5 GB with CUDA; the README says how to do with 2)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.8,<1"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock.txt \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

book: $(READY)  ## execute what has changed and build the book (FRESH=1: read no table that comes with it)
	@$(if $(FRESH),GENBOOK_FRESH=1 )$(BIN)/genbook build

test: style  ## floors, style, types, unit tests, notebooks, the built book
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

# What import-linter says is kept and shown where it fails: a pipe would hand make the status of its last command instead.
style: $(READY)  ## the floors, the style and the types alone
	@said=$$($(BIN)/lint-imports --no-cache 2>&1) || { printf '%s\n' "$$said" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary

test-processors: $(READY)  ## the tests of all arithmetic, for each way in which this processor does it (minutes)
	@$(BIN)/python -m tests.processors

check: book  ## what a careful reader would do: files, controls, a seed of each study, chapters twice, all pages (an hour)
	@$(BIN)/python -m tests.check

faults: $(READY)  ## provoke every fault (kills, full disks, many writers, senseless parameters, a thousand shards) and keep the figures (hours)
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults

pdf: $(READY)  ## build the book and print it as one PDF, book/_build/book.pdf (needs Chromium)
	@$(BIN)/genbook build --pdf

lab: $(READY)  ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

bench: $(READY)  ## measure every speed promise beside the peers
	@for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

lock: $(READY)  ## write requirements.lock.txt anew from pyproject.toml
	@printf 'torch==2.12.1\ntorchvision==0.27.1\n' > .venv/pins.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --upgrade \
	  --all-extras --constraint .venv/pins.txt pyproject.toml | grep -vE "== ?'(win32|nt)'" > requirements.lock.new
	@mv requirements.lock.new requirements.lock.txt

clean:  ## remove the book and the store (tables and executed notebooks), not .venv
	rm -rf book/_build .genbook
