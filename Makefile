# make demo    installs into .venv and runs the main job offline
# make test    installs into .venv and runs the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?=

.PHONY: install demo test check format lint types coverage soak fuzz golden bench bench-serve bench-evil npm screenshots lock schema docs defences clean

install: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "feedhub needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# So that commands start fast also where Python may not keep what it compiled.
	@$(BIN)/python -m compileall -q src/feedhub
	@touch $@

demo: install
	$(BIN)/feedhub demo

# The soak by itself: it watches the clock, and everything else would be in its way.
test: install
	$(BIN)/pytest -q -n auto --dist loadfile -m "not soak" $(TESTS)
	$(BIN)/pytest -q -m soak $(TESTS) || [ $$? -eq 5 ]

check: lint types coverage

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

# Branch coverage: 90 % of everything, all of rules/.
coverage: install
	$(BIN)/pytest -q -n auto --dist loadfile -m "not soak and not browser" --cov --cov-report= $(TESTS)
	$(BIN)/coverage report --fail-under=90
	$(BIN)/coverage report --include='src/feedhub/rules/*' --fail-under=100

# The long forms of what the suite does briefly: all captured feeds, and twenty minutes of the daemon, killed twenty times.
soak: install
	FEEDHUB_SOAK=1 $(BIN)/pytest -q tests/e2e/test_captured_feeds.py
	FEEDHUB_SOAK_SECONDS=1200 $(BIN)/pytest -q -s tests/e2e/test_soak.py

# What tests use from the npm registry: a reader, and what checks accessibility. Without it those tests are skipped.
npm:
	npm install --silent --no-audit --no-fund --no-save --prefix .npm axe-core@4.14.1 rss-parser@3.13.0

# The pictures of the README, from the demo. Needs chromium and fonts-noto-cjk.
screenshots: install
	$(BIN)/python scripts/screenshots.py
# Serving beside nginx; needs wrk and nginx-light.
bench-serve: install
	$(BIN)/python benchmarks/serve.py

bench: install
	$(BIN)/python benchmarks/poll.py
	$(BIN)/python benchmarks/rounds.py
	$(BIN)/python benchmarks/parts.py
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/pages.py --first 50 100
	$(BIN)/python benchmarks/pages.py
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/idle.py

# One evil source beside 50 good ones.
bench-evil: install
	$(BIN)/python benchmarks/evil.py

# The readers under hostile input, for FEEDHUB_FUZZ_SECONDS (600).
fuzz: install
	PYTHONPATH=tests $(BIN)/python -m fuzz.long_run

# Takes each defence out in a copy, and says which tests notice.
defences: install
	$(BIN)/python tests/defences/take_out.py

# What the captured feeds beside the project give, as digests; only when their items are meant to change.
golden: install
	PYTHONPATH=tests $(BIN)/python -m support.golden_feeds

# Needs uv; UPGRADE=--upgrade takes newer releases. The lock names no package host, so that it works with any index.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url $(UPGRADE) \
		--no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --extra fulltext --generate-hashes --no-emit-index-url \
		--constraint requirements.lock --no-header pyproject.toml -o requirements-run.lock

# What is generated from the configuration models; a test holds it current.
schema: install
	$(BIN)/feedhub schema > config/feedhub.schema.json

docs: install
	$(BIN)/python -m feedhub.config.reference > docs/configuration.md

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov
