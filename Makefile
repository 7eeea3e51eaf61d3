# Every target works in a fresh checkout: it first installs what is missing, and says so.
# ARGS is passed to the tests, the storm or the benchmark: make test ARGS="-k history"

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev start up down lab test test-netbox test-images test-deploy torture check bench lock clean clean-data
ARGS ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: ## Install and build everything for `make start`
	@scripts/setup.sh

setup-dev: ## Install everything for `make test` and `make check`
	@scripts/setup.sh --dev

start: setup ## Serve a copy of the samples on port 8083 (API_PORT=9000 changes the port)
	@exec scripts/serve.sh

up: ## Start the development containers with the samples on port 8083 (needs Docker)
	@docker/secrets.sh
	@docker compose -f docker/compose.dev.yaml up --build --wait
	@printf 'Serving the samples on http://localhost:%s. `make down` stops it.\n' "$${API_PORT:-8083}"

down: ## Remove the development containers and their data
	@docker compose -f docker/compose.dev.yaml down --volumes

lab: setup ## Start a lab on loopback next to `make start`, to provision on without hardware
	@.venv/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[lab]'
	@.venv/bin/runbook lab up

test: setup-dev ## Run all tests
	@scripts/test.sh $(ARGS)

test-netbox: setup-dev ## Test the netbox toolkit on a real NetBox, installed the first time (10 to 20 minutes)
	@TEST_NETBOX=real .venv/bin/python -m pytest -n 0 --timeout=7200 -o cache_dir=.cache/pytest tests/netbox $(ARGS)

test-images: setup-dev ## Build the images on a real Docker Engine and test them (needs root, takes minutes)
	@apt-cache show docker.io mmdebstrap >/dev/null 2>&1 || apt-get update -qq
	@TEST_IMAGES=1 .venv/bin/python -m pytest -n 0 --timeout=1800 -o cache_dir=.cache/pytest tests/docker_engine tests/images $(ARGS)

test-deploy: setup-dev ## Test the files in docker/ with real programs, without containers (5 minutes, as root)
	@scripts/deploy_tools.sh
	@TEST_DEPLOY=1 scripts/test.sh -n 2 --dist loadfile tests/deploy $(ARGS)

torture: setup-dev ## Kill, freeze and damage real servers at work, then check what they recorded
	@PYTHONPATH=tests .venv/bin/python -m torture $(ARGS)

check: setup-dev ## Check format, lint, types and layers, including the web app
	@scripts/check.sh

bench: setup-dev ## Measure speed and memory
	@.venv/bin/python tests/bench/bench.py $(ARGS)
	@.venv/bin/python tests/bench/commands.py $(ARGS)
	@.venv/bin/python tests/bench/web.py $(filter --write,$(ARGS))
	@.venv/bin/python tests/bench/stored.py $(ARGS)

lock: ## Update Pipfile.lock and package-lock.json
	@scripts/setup.sh --tools
	@scripts/pipenv.sh lock
	@.tools/bin/python scripts/strip_lock.py Pipfile.lock
	@scripts/web.sh run --silent lock

clean: ## Remove installed and cached files, but not data or served runbooks
	@rm -rf .venv .tools .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov dist
	@rm -rf src/web/node_modules src/web/src/api/schema.d.ts src/runbook/api/static
	@find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

clean-data: ## Remove the local server's data and runbooks, after confirmation
	@scripts/clean_data.sh
