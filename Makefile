# Two commands: make up, make test.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := portal workers tickets reviews deployments tests manage.py

.PHONY: env env-dev up test test-fast cli-test pictures lint style types layers templates deployable fmt lock manifests clean

env: $(VENV)/.installed
env-dev: $(VENV)/.installed-dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "shiproom: PYTHON: $(PYTHON) is missing or older than 3.11; set PYTHON=/path/to/python3.11 or later." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "shiproom: PYTHON: $(PYTHON) cannot make an environment (on Debian: apt-get install python3-venv)." >&2; exit 2; }

$(VENV)/.installed: requirements.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# What is given beside it is a setting, such as PORT=8100 or DEMO=1.
up: env
	@exec $(BIN)/python manage.py up

test: env-dev
	@$(BIN)/python -m tests.run $(ARGS)

test-fast: env-dev
	@$(BIN)/python -m tests.run --engine sqlite -m "not slow and not browser and not processes" $(ARGS)

# Real coding agents through the whole portal, against a model's API of the suite's own. They come from npm's registry.
CLIS := node@22.23.3 @anthropic-ai/claude-code@2.1.329 @openai/codex@0.169.0 @aaif/goose-binary-linux-x64@1.52.0

build/clis/.installed: Makefile
	@command -v npm >/dev/null || \
		{ echo "shiproom: npm is missing (on Debian: apt-get install npm); it fetches the agents and a Node for them." >&2; exit 2; }
	@mkdir -p build/clis
	npm install --prefix build/clis --no-save --no-package-lock --no-fund --no-audit --loglevel error $(CLIS)
	@touch $@

cli-test: env-dev build/clis/.installed
	@$(BIN)/python -m pytest -q --part clis tests/clis $(ARGS)

# The tour of README, walked; its pictures are then those of the docs.
pictures: env-dev
	UPDATE_PICTURES=1 $(BIN)/python -m tests.run --engine sqlite tests/browser/test_tour.py

# What a production start would read; DATA_DIR is thrown away, nothing connects.
CHECKED := DATA_DIR=build/lint BASE_URL=https://shiproom.example PORT=8000 DATABASE_URL= REDIS_URL= DEBUG=0

lint: style types layers templates deployable

style: env-dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: env-dev
	$(CHECKED) $(BIN)/mypy

layers: env-dev
	$(BIN)/lint-imports --no-cache --no-logo

templates: env-dev
	find $(SOURCES) -name '*.html' -path '*/templates/*' -exec $(BIN)/djade --check --target-version 5.2 {} +

deployable: env-dev
	$(CHECKED) $(BIN)/python manage.py makemigrations --check --dry-run
	$(CHECKED) $(BIN)/python manage.py check --deploy --fail-level WARNING

fmt: env-dev
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
	@find $(SOURCES) -name '*.html' -path '*/templates/*' -exec $(BIN)/djade --target-version 5.2 {} +

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

manifests: env-dev
	@$(BIN)/python -m tests.manifests

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build staticfiles test-results
