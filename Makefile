# Two commands carry the project: `make compare` and `make test`. Each sets up .venv by itself.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
UV     := uv==0.13.9

UNFETCHED := echo "packages could not be installed (see above): the first set-up needs a package index; once it can be reached, run make again" >&2; exit 2

.DEFAULT_GOAL := help
.PHONY: help compare faults test tests-alone lint lock clean differential differential-port preflight cutover-drill cutover-cost drain-proof schedules-proof schedules-handover shadow-proof moved conformance conformance-5.7 conformance-5.6 kit kit-on-celery-5.6 kit-on-prefect-3.8 airflow docs pages

help:  ## Show this list
	@grep -hE '^[a-z][a-z0-9.-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9.-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-18s %s\n", $$1, $$2}'

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

compare: $(VENV)/.ready  ## Run the voter rolls on Celery, Prefect and Temporal (--engines: and Airflow), compare
	@$(PY) -m comparisons timing $(ARGS)

faults: $(VENV)/.ready  ## Inject faults into runs on seven profiles; needs PostgreSQL and RabbitMQ
	@$(PY) -m comparisons faults $(ARGS)

# One after the other, or side by side with --jobs.
test: lint tests-alone  ## Run every check and test (ARGS="-k word", ARGS=tests/shared: some)

# Compiled once: the tests start some thousand processes, which would do it anew each where Python is
# told to write no bytecode, as containers often tell it.
tests-alone: $(VENV)/.ready
	@$(PY) -m compileall -q -j 0 offcanvas shared *_impl comparisons benchmarks docs tests
	@$(PY) -m tests $(ARGS)

lint: $(VENV)/.ready  ## ruff, mypy and the import contracts
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache > /dev/null || $(VENV)/bin/lint-imports --no-cache

docs: $(VENV)/.ready  ## Build the documentation as a site into site/, and check its links
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --clean
	@echo "site/index.html"

pages: $(VENV)/.ready  ## Write what comes from the code anew: pages, tables, the dashboard
	@$(PY) -m offcanvas.engines.support_page > docs/.support.md && mv docs/.support.md docs/support.md
	@$(PY) -m offcanvas.audit.reference > docs/.audit-rules.md && mv docs/.audit-rules.md docs/audit-rules.md
	@$(PY) -m docs.tools.monitoring docs/monitoring.md > /dev/null
	@$(PY) -m docs.tools.cutover docs/cutover.md docs/drain.md docs/schedules.md > /dev/null
	@$(PY) -m docs.tools.wide docs/canvas.md > /dev/null
	@$(PY) -m comparisons.lab.docs > docs/.faults.md && mv docs/.faults.md docs/faults.md
	@$(PY) -m docs.tools.dashboard > deploy/grafana/.dashboard.json && mv deploy/grafana/.dashboard.json deploy/grafana/dashboard.json

cutover-drill: $(VENV)/.ready  ## Kill producers of a cut-over 200 times at six points, and move it under load
	@$(PY) -W ignore -m tests.cutover $(ARGS)

cutover-cost: $(VENV)/.ready  ## What the router of the cut-over costs a caller, in runs that take turns
	@$(PY) -W ignore -m tests.cutover.cost $(ARGS)

drain-proof: $(VENV)/.ready  ## Plant each state in which an app is not drained, on Redis and RabbitMQ
	@$(PY) -W ignore -m tests.drain.proof $(ARGS)

schedules-proof: $(VENV)/.ready  ## Compare 500 random crontabs on Celery, Temporal and Prefect over 800 days
	@$(PY) -W ignore -m tests.schedules.proof $(ARGS)

moved: $(VENV)/.ready  ## Move a stream of voter rolls from Celery to each engine and back, live
	@for engine in temporal prefect; do $(PY) -W ignore -m comparisons.moved --to $$engine --out benchmarks/moved.json $(ARGS) || exit 1; done

schedules-handover: $(VENV)/.ready  ## Hand entries over to a schedule while a real beat fires beside it
	@$(PY) -W ignore -m tests.schedules.handover $(ARGS)

shadow-proof: $(VENV)/.ready  ## Plant twelve faults in a port, replay 1,000 clean roots, measure recording
	@$(PY) -W ignore -m tests.shadow.proof $(ARGS)

differential: $(VENV)/.ready  ## Run 5,000 random canvases on Celery and on all engines (ON="memory temporal": some; BATCH=3: in batches), and compare
	@OFFCANVAS_BATCH="$(BATCH)" $(PY) -m tests.differential $(ON)

preflight: $(VENV)/.ready  ## Hold what preflight says of 60 random canvases against real runs (ON=prefect: there)
	@$(PY) -m benchmarks.preflight $(or $(ON),temporal)

differential-port: $(VENV)/.ready  ## Port 2,000 random builders, run them on Temporal and Prefect beside Celery, and compare
	@$(PY) -m tests.port.made_up 2000

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

# Celery's own tests of the release that is installed, from its source distribution.
SOURCE := .venv-conformance-source
$(SOURCE)/.ready: $(VENV)/.ready
	@mkdir -p $(SOURCE)
	@grep -A2 '^celery==' requirements.lock > $(SOURCE)/source.txt
	@$(PY) -m pip download --quiet --disable-pip-version-check --no-binary celery --no-deps --require-hashes -r $(SOURCE)/source.txt -d $(SOURCE)
	@tar -xzf $(SOURCE)/celery-*.tar.gz -C $(SOURCE) --strip-components=1
	@rm -rf $(SOURCE)/celery
	@touch $@

conformance: conformance-5.7 conformance-5.6  ## Run Celery's own tests, unedited, on Temporal (ON=prefect, memory or celery: there)

conformance-5.7: $(SOURCE)/.ready  ## Those of Celery 5.7 alone
	@ARGS='$(ARGS)' $(PY) -m tests.conformance $(SOURCE) $(or $(ON),temporal)

conformance-5.6: $(OLDER)/.ready  ## Those of Celery 5.6 alone
	@ARGS='$(ARGS)' $(OLDER)/bin/python -m tests.conformance $(OLDER)/source $(or $(ON),temporal)

KIT := tests/canvas tests/differential tests/engines

kit: $(VENV)/.ready  ## Run the kit's own tests
	@$(PY) -m pytest $(KIT) $(ARGS)

kit-on-celery-5.6: $(OLDER)/.ready  ## Run the kit's own tests on Celery 5.6
	@$(OLDER)/bin/python -m pytest $(KIT) $(ARGS)

# The minor release before the last one.
OLDER_PREFECT := .venv-prefect-3.8
$(OLDER_PREFECT)/.ready: $(VENV)/.ready tests/engines/prefect/prefect-3.8.txt
	@echo "Setting up $(OLDER_PREFECT) ..."
	@$(PYTHON) -m venv $(OLDER_PREFECT)
	@$(VENV)/bin/uv pip install --quiet --python $(OLDER_PREFECT)/bin/python --require-hashes -r requirements.lock
	@$(VENV)/bin/uv pip install --quiet --python $(OLDER_PREFECT)/bin/python --no-deps --require-hashes -r tests/engines/prefect/prefect-3.8.txt
	@$(VENV)/bin/uv pip install --quiet --python $(OLDER_PREFECT)/bin/python --no-deps -e .
	@touch $@

kit-on-prefect-3.8: $(OLDER_PREFECT)/.ready  ## Run the kit's Prefect tests on Prefect 3.8
	@$(OLDER_PREFECT)/bin/python -m pytest tests/engines/prefect tests/servers $(ARGS)

# Airflow and Prefect want different releases of fastapi: no environment can have both.
AIRFLOW := .venv-airflow
AIRFLOW_LOCK := airflow_impl/requirements.lock
airflow: $(AIRFLOW)/.ready  ## Set up Airflow in an environment of its own; everything else works without

$(AIRFLOW)/.ready: $(AIRFLOW_LOCK) | $(VENV)/.ready
	@echo "Setting up $(AIRFLOW) ..."
	@$(PYTHON) -m venv --clear $(AIRFLOW)
	@$(VENV)/bin/uv pip install $$([ -t 2 ] || echo --quiet) --compile-bytecode --python $(AIRFLOW)/bin/python --require-hashes -r $(AIRFLOW_LOCK) || { $(UNFETCHED); }
	@touch $@

LOCKED := --quiet --universal --python-version 3.11 --no-emit-index-url --generate-hashes --no-annotate --no-header

lock: $(VENV)/.ready  ## Resolve the dependencies anew into requirements.lock, and Airflow's into its own
	@$(VENV)/bin/uv pip compile $(LOCKED) --all-extras pyproject.toml -o requirements.lock
	@$(VENV)/bin/uv pip compile $(LOCKED) airflow_impl/requirements.in -o $(AIRFLOW_LOCK)

clean:  ## Remove what the commands above have made
	rm -rf $(VENV) $(OLDER) $(OLDER_PREFECT) $(AIRFLOW) comparisons-out site .mypy_cache .ruff_cache .pytest_cache .hypothesis
