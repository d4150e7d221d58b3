# Two commands carry the project: `make compare` and `make test`. Each sets up .venv by itself.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
UV     := uv==0.13.9

UNFETCHED := echo "packages could not be installed (see above): the first set-up needs a package index; once it can be reached, run make again" >&2; exit 2

.DEFAULT_GOAL := help
.PHONY: help compare faults test lint lock clean differential conformance kit-on-celery-5.6

help:  ## Show this list
	@grep -hE '^[a-z][a-z0-9.-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9.-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-17s %s\n", $$1, $$2}'

# On a terminal uv shows how far it is.
$(VENV)/.ready: requirements.lock pyproject.toml
	@command -v $(PYTHON) > /dev/null || { echo "offcanvas needs Python 3.11 or newer; there is no $(PYTHON). Install it, or name yours: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "offcanvas needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12" >&2; exit 2; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "$(VENV) could not be made (see above); on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@$(PY) -m pip install -qq --retries 2 --disable-pip-version-check "$(UV)" || { $(UNFETCHED); }
	@$(VENV)/bin/uv pip install $$([ -t 2 ] || echo --quiet) --compile-bytecode --python $(PY) --require-hashes -r requirements.lock || { $(UNFETCHED); }
	@$(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(PY) --no-deps -e . || { $(UNFETCHED); }
	@touch $@

compare: $(VENV)/.ready  ## Run the voter rolls on Celery, Prefect and Temporal and compare them
	@$(PY) -m comparisons timing $(ARGS)

faults: $(VENV)/.ready  ## Inject faults into runs on five profiles; needs PostgreSQL and RabbitMQ
	@$(PY) -m comparisons faults $(ARGS)

test: $(VENV)/.ready lint  ## Run every check and test (ARGS="-k word", ARGS=tests/shared: some)
	@$(PY) -m tests $(ARGS)

lint: $(VENV)/.ready  ## ruff, mypy and the import contracts
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache > /dev/null || $(VENV)/bin/lint-imports --no-cache

differential: $(VENV)/.ready  ## Run 5,000 random canvases on Celery and on all engines (ON="memory temporal": some), and compare
	@$(PY) -m tests.differential $(ON)

# The last but one release of Celery, with the kombu and redis-py of its day, and its test files.
OLDER := .venv-conformance
$(OLDER)/.ready: $(VENV)/.ready tests/conformance/celery-5.6.txt
	@echo "Setting up $(OLDER) ..."
	@$(PYTHON) -m venv $(OLDER)
	@$(VENV)/bin/uv pip install --quiet --python $(OLDER)/bin/python --require-hashes -r requirements.lock
	@$(VENV)/bin/uv pip install --quiet --python $(OLDER)/bin/python --no-deps --require-hashes -r tests/conformance/celery-5.6.txt
	@$(VENV)/bin/uv pip install --quiet --python $(OLDER)/bin/python --no-deps -e .
	@grep -A2 ^celery== tests/conformance/celery-5.6.txt > $(OLDER)/source.txt
	@$(OLDER)/bin/python -m pip download --quiet --disable-pip-version-check --no-binary celery --no-deps --require-hashes -r $(OLDER)/source.txt -d $(OLDER)/source
	@tar -xzf $(OLDER)/source/celery-*.tar.gz -C $(OLDER)/source --strip-components=1
	@rm -rf $(OLDER)/source/celery
	@touch $@

conformance: $(OLDER)/.ready  ## Run Celery's own canvas tests, unedited, on Temporal (ON=prefect, memory or celery: there)
	@ARGS='$(ARGS)' $(OLDER)/bin/python -m tests.conformance $(OLDER)/source $(or $(ON),temporal)

kit-on-celery-5.6: $(OLDER)/.ready  ## Run the kit's own tests on Celery 5.6
	@$(OLDER)/bin/python -m pytest tests/canvas tests/differential tests/engines $(ARGS)

lock: $(VENV)/.ready  ## Resolve the dependencies anew into requirements.lock
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --generate-hashes --all-extras --no-annotate --no-header pyproject.toml -o requirements.lock

clean:  ## Remove what the commands above have made
	rm -rf $(VENV) $(OLDER) comparisons-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
