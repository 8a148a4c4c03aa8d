# make demo    installs into .venv and runs the main job offline
# make test    installs into .venv and runs the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?=
# More workers than cores, since most tests wait; the README's test command says the same.
PYTEST := $(BIN)/pytest -q -n 6 --dist worksteal
NIGHTLY := costly captured configurations properties coverage defences fuzz soak

.PHONY: install compiled-tests demo test check format lint types coverage-rules nightly $(NIGHTLY) golden bench bench-serve bench-evil bench-stories \
	npm screenshots lock schema docs clean

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

# Once for all workers of pytest, each of which would compile every test by itself, and for all commands that they run.
compiled-tests: $(VENV)/.compiled-tests
	@$(BIN)/python -m compileall -q src/feedhub

$(VENV)/.compiled-tests: $(VENV)/.installed $(wildcard tests/*.py tests/*/*.py)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q --collect-only >/dev/null || true
	@touch $@

demo: install
	$(BIN)/feedhub demo

test: compiled-tests
	$(PYTEST) $(TESTS)

check: lint types test

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

# All branches of rules/, reached by its own tests alone; these compute, so that more workers than cores only cost.
coverage-rules: install
	$(BIN)/pytest -q -n 2 tests/rules --cov=feedhub.rules --cov-report=term-missing --cov-fail-under=100

# What is long by nature: less than an hour in all. Run it before an issue is called resolved.
nightly:
	@for part in $(NIGHTLY); do \
		began=$$(date +%s); $(MAKE) --no-print-directory $$part || exit 1; \
		echo "make $$part: $$(($$(date +%s) - began)) s"; \
	done

# Documents made to be slow, at full size, and what else takes long because of its size.
costly: install
	$(PYTEST) -m nightly --timeout 300 --ignore tests/e2e/test_captured_feeds.py \
		--ignore tests/e2e/test_saved_configurations.py --ignore tests/fuzz

# All captured feeds, and twenty kills.
captured: install
	$(PYTEST) -m nightly --timeout 900 tests/e2e/test_captured_feeds.py

# Five thousand broken configurations, others every day, and hundreds saved under a daemon whose polls may not be late.
configurations: install
	FEEDHUB_FUZZ_SEED=$${FEEDHUB_FUZZ_SEED-$$(date -u +%Y%m%d)} $(BIN)/pytest -q -s -m nightly tests/fuzz/test_fuzz_configurations.py tests/e2e/test_saved_configurations.py

# Twenty times as many examples of every property, and of every reader of hostile input.
properties: install
	$(PYTEST) -m hypothesis --timeout 1200 --hypothesis-profile nightly

# Branch coverage of everything: 90 %. What promises bounds of time is not measured while its lines are counted.
coverage: install
	$(PYTEST) -m "not nightly and not soak and not browser" --timeout 300 \
		--ignore tests/sources/test_costly_documents.py --cov --cov-report=
	$(BIN)/coverage report --fail-under=90

# Takes each defence out in a copy, and says which tests notice.
defences: install
	$(BIN)/python tests/defences/take_out.py

# The readers under hostile input, for FEEDHUB_FUZZ_SECONDS (300).
fuzz: install
	PYTHONPATH=tests $(BIN)/python -m fuzz.long_run

# A quarter of an hour of the daemon among 300 sources, killed and stopped twenty times.
soak: install
	FEEDHUB_SOAK_SECONDS=900 $(BIN)/pytest -q -s tests/e2e/test_soak.py

# What tests use from the npm registry: a reader, and what checks accessibility. Without it those tests are skipped.
npm:
	npm install --silent --no-audit --no-fund --no-save --prefix .npm axe-core@4.14.1 rss-parser@3.13.0

# The pictures of the README, from the demo. Needs chromium and fonts-noto-cjk.
screenshots: install
	$(BIN)/python scripts/screenshots.py
# Serving beside nginx; needs wrk and nginx-light.
bench-serve: install
	$(BIN)/python benchmarks/serve.py

# The figures that feedhub is held to; with OTHER=/path/to/.venv/bin/python also those of another checkout, in pairs.
bench: install
	$(BIN)/python benchmarks/table.py $(OTHER)
	$(BIN)/python benchmarks/poll.py
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/parts.py
	$(BIN)/python benchmarks/pages.py
	$(BIN)/python benchmarks/idle.py

# How well reprints and stories are recognised in the labelled sets beside the project.
bench-stories: install
	$(BIN)/python benchmarks/stories.py

# One evil source beside 50 good ones.
bench-evil: install
	$(BIN)/python benchmarks/evil.py

# What the captured feeds beside the project give, as digests; only when their items are meant to change.
golden: install
	PYTHONPATH=tests $(BIN)/python -m support.golden_feeds

# Needs uv; UPGRADE=--upgrade takes newer releases. The lock names no package host, so that it works with any index.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url $(UPGRADE) \
		--no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --extra fulltext --extra notify --extra cluster --generate-hashes --no-emit-index-url \
		--constraint requirements.lock --no-header pyproject.toml -o requirements-run.lock

# What is generated from the configuration models; a test holds it current.
schema: install
	$(BIN)/feedhub schema > config/feedhub.schema.json

docs: install
	$(BIN)/python -c 'from feedhub.config.reference import configuration_reference as text; \
		from feedhub.publish.formats import FORMATS; from feedhub.sources.kinds import KINDS; \
		print(text(KINDS, FORMATS), end="")' > docs/configuration.md

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov
