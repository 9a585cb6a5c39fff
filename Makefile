# What a person calls. Each target does its own set-up first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Most tests wait for real parts: two at a time use two cores well.
JOBS   ?= 2

.PHONY: setup dev demo test soak lint bench lock packages clean

# pip compiles what it installs; a checkout is else compiled at each start where PYTHONDONTWRITEBYTECODE is set.
COMPILE = @$(BIN)/python -m compileall -q agent alerts config replicator sensors

setup: $(VENV)/.product
	$(COMPILE)

dev: $(VENV)/.dev
	$(COMPILE)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "bongsu needs Python 3.11 or newer: on Debian 12, apt-get install python3 python3-venv; then make again (PYTHON=/path/to/python3 chooses another)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "no virtual environment could be made: apt-get install python3-venv, then make again" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.product: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.product
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

packages:
	@bash tests/packages.sh

demo: setup
	$(BIN)/bongsu demo $(DEMO)

test: dev packages
	@bash tests/run.sh $(BIN)/python -m pytest -p "no:cacheprovider" -n $(JOBS) --dist loadfile $(TESTS)

lint: dev
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests bench
	$(BIN)/lint-imports

# An hour by default; SOAK="--seconds 600 --seed 7 --report soak.json" says otherwise, and --only line, disk or huge what else.
soak: dev
	@bash tests/packages.sh soak $(SOAK)
	$(BIN)/python -m tests.soak $(SOAK)

# BENCH="durable burst --rounds 1 --report bench.json" says otherwise.
bench: dev
	@bash tests/packages.sh bench
	$(BIN)/python -m bench $(BENCH)

# Pins and hashes only: no address of any registry gets into the lock files.
lock: dev
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 requirements.in -o requirements.lock
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 requirements-dev.in -o requirements-dev.lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .import_linter_cache
