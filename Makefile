# Commands for users and developers: `make help` lists them. They need Python 3.11 or later.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
COMMAND := $(BIN)/store-monitoring

# Packages that only measurements need are in a folder beside the environment.
BENCH := $(VENV)/bench
BENCH_READY := $(BENCH)/.ready
BENCH_PYTHON = PYTHONPATH='$(PYTHONPATH):$(CURDIR)/$(BENCH)' $(BIN)/python

# Settings of `make run` and `make serve`.
DATA ?=
SAMPLE ?=
OUT ?= report.csv
FORMATS ?=
AS_OF ?=
PORT ?= 3000
API_KEY ?=
BUILT ?=
STATE ?=

# Setting of `make build`.
ARCH ?= arm64

# With BUILT=1, `make run` and `make serve` run what is built; so it is built for this machine.
ifneq ($(BUILT),)
run serve: ARCH = $(if $(filter aarch64,$(shell uname -m)),arm64,x86_64)
run serve: build
endif

# Options reach the command line through the environment: the shell does not interpret them, and a
# key does not appear in the list of processes.
run: export STORE_MONITORING_RUN_DATA := $(DATA)
run: export STORE_MONITORING_RUN_SAMPLE := $(SAMPLE)
run: export STORE_MONITORING_RUN_OUT := $(OUT)
run: export STORE_MONITORING_RUN_FORMATS := $(FORMATS)
run: export STORE_MONITORING_RUN_AS_OF := $(AS_OF)
run: export STORE_MONITORING_RUN_BUILT := $(if $(BUILT),true)
serve: export STORE_MONITORING_SERVE_DATA := $(DATA)
serve: export STORE_MONITORING_SERVE_SAMPLE := $(SAMPLE)
serve: export STORE_MONITORING_SERVE_PORT := $(PORT)
serve: export STORE_MONITORING_SERVE_STATE := $(STATE)
serve: export STORE_MONITORING_SERVE_BUILT := $(if $(BUILT),true)
serve: export API_KEY := $(API_KEY)

# The command line shares the library with the functions, which find it in their layer.
export PYTHONPATH := $(CURDIR)/layers/core
export SAM_CLI_TELEMETRY := 0
# Many processes import the same modules; each would compile them again.
unexport PYTHONDONTWRITEBYTECODE
# Validating a template needs a Region, although AWS is not called.
export AWS_DEFAULT_REGION ?= us-east-1

.DEFAULT_GOAL := help

.PHONY: help
help:  ## List all targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(COMMAND)  ## Create the virtual environment, with the command .venv/bin/store-monitoring.

.PHONY: pr
pr: lint validate test-all check-report  ## Run everything that CI runs: about twenty minutes.

.PHONY: run
run: $(READY)  ## Make a report: of sample data, or with DATA=folder OUT=report.html FORMATS=csv,html AS_OF=instant BUILT=1.
	@$(BIN)/python -m local run

.PHONY: serve
serve: $(READY)  ## Keep the local cloud running: PORT=3000 API_KEY=secret, with DATA=folder or SAMPLE=small; STATE=folder keeps the data.
	@$(BIN)/python -m local serve

# Processes share the test files, in the order of tests/conftest.py: tests of a file may share a cloud
# and add to it, and so may files of some folders. Two suit two cores; tests with clouds also wait.
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder
IN_FOUR := -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: test
ifneq ($(BUILT),)
test: $(READY)
	$(BIN)/python -m pytest -m exhaustive tests/built/test_rules.py
else
test: $(READY)  ## Run the tests; BUILT=1 runs golden and property tests of the domain, as built.
	$(BIN)/python -m pytest $(IN_FOUR) --prove-permissions
endif

# Unit tests cover 95 % of the library and all of the domain. They take nearly twice as long to measure.
# All others run together: while those with clouds wait, those that take minutes compute.
.PHONY: test-all
test-all: $(READY)  ## Run the tests, and those that take minutes: every zone, thousands of examples.
	$(BIN)/python -m pytest $(IN_TWO) tests/unit layers/core --cov --cov-report=
	$(BIN)/coverage report --skip-covered
	$(BIN)/coverage report --include '*/domain/*' --fail-under 100
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest $(IN_FOUR) --prove-permissions \
		-m 'not soak and (not unit or hypothesis or exhaustive)'

# The main job as a user runs it, from source and then as built: both reports have the same bytes.
.PHONY: check-report
check-report: $(READY)  ## Check the small sample's report with nothing but awk.
	@mkdir -p .data
	$(MAKE) run SAMPLE=small OUT=.data/report.csv
	LC_ALL=C awk -f tests/check_report.awk .data/report.csv
	$(MAKE) run SAMPLE=small BUILT=1 OUT=.data/report-built.csv
	cmp .data/report.csv .data/report-built.csv

SEEDS ?= 10000

.PHONY: simulate
simulate: $(READY)  ## Simulate schedules of the whole system: SEEDS=10000, or SEEDS=20-29 for some.
	@$(BIN)/python -m tests.simulation.simulate $(SEEDS)

# The key stays out of the list of processes.
conformance: export CONFORMANCE_URL := $(URL)
conformance: export CONFORMANCE_KEY := $(KEY)
conformance: export CONFORMANCE_STACK := $(STACK)

.PHONY: conformance
conformance: $(READY)  ## Test a deployment from outside: URL=https://… KEY=secret, with STACK=name to take back what it uploads.
	@$(BIN)/python -m pytest tests/e2e/guarded/conformance

.PHONY: soak
soak: $(READY)  ## Try every kind of fault at every step, and 200 mixtures of them: about half an hour.
	$(BIN)/python -m pytest -m soak

OF ?= domain

.PHONY: mutants
mutants: $(READY)  ## Change OF=domain, reports or ingest in every small way (mutants); list what no test detects.
	rm -rf .mutants && mkdir .mutants
	cp -r layers/core/store_monitoring docs events functions local testing tests .mutants
	cat pyproject.toml tests/mutants/$(OF).toml > .mutants/pyproject.toml
	cd .mutants && export PYTHONPATH= HYPOTHESIS_PROFILE=ci && \
		'$(CURDIR)/$(BIN)/python' -m tests.for_mutmut store_monitoring && \
		'$(CURDIR)/$(BIN)/mutmut' run && '$(CURDIR)/$(BIN)/mutmut' results

.PHONY: build
build: $(READY)  ## Build functions and layers, without a container: ARCH=arm64 or x86_64.
	BUILD_PYTHON='$(CURDIR)/$(BIN)/python' $(BIN)/sam build --parallel \
		--parameter-overrides Architecture=$(ARCH)

.PHONY: screenshots
screenshots: $(READY)  ## Make the pictures in docs/images, of sample data; needs Chromium.
	@$(BIN)/python -m tests.browser.screenshots

.PHONY: bench
bench: $(READY)  ## Measure the computation and the local run.
	$(BIN)/python -m bench

.PHONY: bench-timeline
bench-timeline: $(READY)  ## Measure how much one store's timeline reads.
	@$(BIN)/python -m bench.one_store

.PHONY: bench-stores
bench-stores: $(READY)  ## Measure pages of the stores of a report of a million.
	@$(BIN)/python -m bench.find_stores

.PHONY: load
load: $(READY)  ## Load the local API for 30 seconds, and check that nothing is lost.
	@$(BIN)/python -m bench.load

.PHONY: bench-cold-start
bench-cold-start: $(READY)  ## Measure the import of each function, as built for this machine.
	@$(BIN)/python -m bench.cold_start

.PHONY: bench-peers
bench-peers: $(BENCH_READY)  ## Measure a report against DuckDB, Polars and a pandas loop (minutes).
	@$(BENCH_PYTHON) -m bench.peers --loop
	@$(BENCH_PYTHON) -m bench.peers --buckets 8
	@$(BENCH_PYTHON) -m bench.peers --scale 10

.PHONY: bench-scale
bench-scale: $(BENCH_READY)  ## Measure data sets of 1, 10 and 100 times the sample, and a large merge (minutes).
	@$(BENCH_PYTHON) -m bench.scale
	@$(BENCH_PYTHON) -m bench.merge
	@$(BENCH_PYTHON) -m bench.merge --shards 1000

.PHONY: bench-sizes
bench-sizes: $(READY)  ## Measure what shards cost, and estimate what a report of any size does (minutes).
	@$(BIN)/python -m bench.sizes
	@$(BIN)/python -m bench.sizes.local_cloud

.PHONY: bench-ingest
bench-ingest: $(READY)  ## Measure ingest: the sample's polls, 18 copies of them, gzipped, and with bad lines.
	@$(BIN)/python -m bench.ingest
	@for bad in short unquoted binary blank valueless undated; do $(BIN)/python -m bench.ingest --bad $$bad; done
	@$(BIN)/python -m bench.ingest --copies 18
	@$(BIN)/python -m bench.ingest --copies 4 --gzip

.PHONY: bench-small-files
bench-small-files: $(READY)  ## Measure a report after 336 hourly ingests, before and after compaction.
	@$(BIN)/python -m bench.small_files

.PHONY: bench-history
bench-history: $(READY)  ## Measure a report with ten years of stored polls, and reports on periods.
	@$(BIN)/python -m bench.history

.PHONY: bench-million
bench-million: $(READY)  ## Make a report of a million stores in the local cloud (20 minutes, 10 GB).
	@$(BIN)/python -m bench.sizes.million

$(BENCH_READY): bench/requirements.txt $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade \
		--target $(BENCH) -r bench/requirements.txt
	@touch $@

.PHONY: lint
lint: $(READY)  ## Check style and types.
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

.PHONY: validate
validate: $(READY)  ## Check the template.
	$(BIN)/sam validate --lint

.PHONY: openapi
openapi: $(READY)  ## Write functions/pages/openapi.json from the handlers and their models.
	@$(BIN)/python -m local.openapi

.PHONY: audit
audit: $(READY)  ## Check the locked packages for known vulnerabilities; needs the internet.
	$(BIN)/uv tool run pip-audit@2.10.1 --strict --disable-pip --require-hashes \
		$(patsubst %,-r %,requirements.txt $(wildcard bench/requirements.txt layers/*/requirements.txt local/*/*requirements.txt))

.PHONY: lock
lock: $(READY)  ## Update the pinned requirements and their hashes.
	$(LOCK) --upgrade --universal --fork-strategy fewest --python-version 3.11 \
		requirements.in -o requirements.txt
	for layer in core data html tables; do \
		$(LOCK) --python-platform aarch64-manylinux_2_28 --python-version 3.13 \
			-c requirements.txt layers/$$layer/requirements.in \
			-o layers/$$layer/requirements.txt || exit; \
	done
	$(LOCK) --upgrade --universal --fork-strategy fewest --python-version 3.11 \
		-c requirements.txt bench/requirements.in -o bench/requirements.txt
	$(LOCK) --python-platform aarch64-manylinux_2_28 --python-version 3.13 \
		-c requirements.txt local/emulator/runtime_requirements.in -o local/emulator/runtime_requirements.txt

LOCK = $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate

# A PYTHON that is given replaces an environment of another version; make's own default does not.
ifneq ($(origin PYTHON),file)
ifneq ($(shell $(PYTHON) -V 2>&1),$(shell $(BIN)/python -V 2>&1))
.PHONY: $(READY)
endif
endif

# The lock names every package with its hash, so nothing is left for pip to resolve. Behind a
# symbolic link is an environment that may be in use elsewhere; it is not ours to clear.
$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or later is needed; say which with PYTHON=" >&2; exit 1; }
	@! test -L $(VENV) || { echo "error: $(VENV) is a symbolic link and its environment is out of" \
		"date. Remove the link (rm $(VENV)) and run make again" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		-r requirements.txt
	@touch $@

# The command runs what is in this folder. `make run` and `make serve` are the same program, but do
# not need it: they also work in an environment that is in use elsewhere.
$(COMMAND): $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation -e .
