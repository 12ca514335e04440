# Every target sets up what it needs; `make` alone prints this list.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PEERS := .venv-peers
REPORT ?=
JSON ?=
QUICK ?=
ONLY ?=
SEEDS ?= 1000
SEED ?= 1
RUNS ?= 6
# Half of the time tests wait for Kafka and for processes: twice as many as a runner's two cores.
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup demo test check chaos fuzz bench bench-observer bench-budget bench-detectors bench-quality bench-label-gaps peers equal-to-river simulate up down lock clean

help:  ## print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

setup: $(STAMP)  ## build .venv from the hashed lock and install driftloop into it

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "driftloop needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": install one and say make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@# A type checker cannot see through the editable import hook: it reads the sources through these links.
	@rm -rf $(VENV)/typing && mkdir -p $(VENV)/typing/driftloop
	@for f in schemas detectors streams artefacts retrainer client console; do ln -s ../../../$$f $(VENV)/typing/driftloop/$$f; done
	@touch $@

demo: setup  ## the whole loop on a year of flights (REPORT=file.json writes the figures)
	$(BIN)/driftloop demo $(if $(REPORT),--report $(REPORT))

test: setup  ## all tests, on a real broker that the run starts itself
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

check: setup  ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p driftloop
	$(BIN)/python -m pytest tests/test_tidy.py

chaos: setup  ## kill, freeze and cut off real workers and brokers, count what is lost (RUNS=n SEED=s JSON=file)
	$(BIN)/python -m tests.chaos --runs $(RUNS) --seed $(SEED) $(if $(JSON),--json $(JSON))

fuzz: setup  ## broken records through the readers and a real observer, against an oracle (RECORDS=1000000 SEED=1 JSON=file)
	$(BIN)/python -m tests.fuzz --records $(or $(RECORDS),1000000) --seed $(or $(SEED),1) $(if $(JSON),--json $(JSON))

bench: bench-observer bench-budget bench-detectors bench-quality bench-label-gaps  ## every benchmark

bench-observer: setup  ## what the observer costs, beside a stock Faust agent (JSON=file; QUICK=1: smaller)
	$(BIN)/python benchmarks/observer.py $(if $(QUICK),--quick) $(if $(JSON),--json $(JSON))

bench-budget: setup  ## false incidents and power on simulated years, beside the targets (JSON=file goes on where it was; QUICK=1; ONLY=a,b)
	$(BIN)/python benchmarks/budget.py $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

peers: $(PEERS)/.ready  ## other libraries in an environment of their own, for bench-detectors (2.3 GB)

$(PEERS)/.ready: benchmarks/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r benchmarks/peers/requirements.txt
	@touch $@

bench-detectors: setup  ## found drifts, delays, false alarms of every detector (JSON=file goes on where it was; QUICK=1; DETECTOR=module:function STREAM=file.csv)
	@# Peers are optional: without a network the table has no lines of theirs, and says so.
	@$(if $(QUICK),,$(MAKE) --no-print-directory peers || echo "  no peers: their environment could not be built")
	$(BIN)/python benchmarks/detectors.py $(if $(QUICK),--quick) $(if $(JSON),--json $(JSON)) $(if $(DETECTOR),--detector $(DETECTOR)) $(if $(STREAM),--stream $(STREAM))

equal-to-river: setup  ## our ADWIN, DDM, … against river's own on hundreds of streams, index for index (TIMES=20)
	TIMES=$(or $(TIMES),20) $(BIN)/python -m pytest tests/detectors/test_equal_to_river.py --timeout 7200

bench-quality: setup  ## how seldom the rules of data quality are wrong, and what they find (JSON=file)
	$(BIN)/python benchmarks/quality.py $(if $(JSON),--json $(JSON))
	$(BIN)/python benchmarks/ranges.py $(if $(JSON),--json $(JSON:.json=.ranges.json))

bench-label-gaps: setup  ## how seldom labels are said to have stopped, and how soon it is seen (JSON=file)
	$(BIN)/python benchmarks/label_gaps.py $(if $(JSON),--json $(JSON))

simulate: setup  ## seeded worlds through core and protocol, against an oracle (SEEDS=5000 SEED=1; JSON=file goes on where it was)
	$(BIN)/python -m tests.simulation.simulate --seeds $(SEEDS) --seed $(SEED) $(if $(JSON),--json $(JSON))

up: setup  ## start a broker, create the topics, start observer, judge and retrainer in the background
	$(BIN)/driftloop up

down: setup  ## stop what `make up` has started
	$(BIN)/driftloop down

lock:  ## resolve the requirements anew (needs uv)
	uv pip compile pyproject.toml --extra demo --extra registry --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -o requirements.lock

clean:  ## remove the virtual environment and build leftovers
	rm -rf $(VENV) $(PEERS) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
