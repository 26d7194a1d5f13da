# Everything that is done with this repository, on a plain Debian with python3 and make. Each target can be
# interrupted and repeated. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kamaji-sandbox
PACKAGES := $(CACHE)/debian/installed
# The last one would change what every tenant gets: it is installed where it is tested.
PLUGINS := $(filter-out %/kamaji-hooks-demo,$(patsubst %/pyproject.toml,%,$(wildcard \
	plugins/*/pyproject.toml examples/plugins/*/pyproject.toml)))
NO_TESTS := 5
WORKERS := 4
DATASTORE := etcd
LEFTOVERS := $(VENV) tenant.conf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist

.PHONY: help venv programs demo sandbox-up sandbox-down test explore explore-pods lint clean distclean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(INSTALLED) ## Make the Python environment in .venv

programs: $(INSTALLED) ## Install what is missing and build the real programs once (about 18 minutes, then reused)
	@$(BIN)/python -m sandbox setup

demo: programs ## Show the life of a tenant on a real cluster; DATASTORE=postgres: of one on PostgreSQL
	@$(BIN)/python -m sandbox.demo --datastore $(DATASTORE)

sandbox-up: programs ## Bring up a real management cluster on this machine; DATASTORE=postgres: with PostgreSQL
	@$(BIN)/python -m sandbox up --datastore $(DATASTORE)

sandbox-down: $(INSTALLED) ## Take it down; nothing of it stays but the cache
	@$(BIN)/python -m sandbox down

# Most tests wait for servers, so there are more workers than cores. Those that need the whole sandbox come last and one by one: there is one on a machine.
test: programs ## Run all tests, those with real programs too
	@export KAMAJI_PROGRAMS="$$($(BIN)/python -m sandbox programs --path)"; \
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not root" $(PYTEST_ARGS) \
		|| [ $$? = $(NO_TESTS) ]; \
	$(BIN)/python -m pytest -m root $(PYTEST_ARGS) || [ $$? = $(NO_TESTS) ]

explore: programs ## Stop the operator after each of its writes, lose each one's answer, and more (an hour)
	@KAMAJI_EXPLORE=1 KAMAJI_PROGRAMS="$$($(BIN)/python -m sandbox programs --path)" \
		$(BIN)/python -m pytest -s tests/cluster/operator/test_crashes.py \
		tests/cluster/operator/test_store_falls_silent.py tests/e2e/test_renewal.py \
		plugins/datastore_etcd/tests/test_etcd_isolation_names.py \
		plugins/datastore_postgres/tests/test_postgres_isolation_names.py \
		plugins/datastore_postgres/tests/test_contract.py $(PYTEST_ARGS)

explore-pods: sandbox-up ## Stop the operator after each of its writes over real pods in the sandbox (half an hour)
	@$(BIN)/python -m sandbox exec -- env KAMAJI_EXPLORE=1 KAMAJI_EXPLORE_PODS=1 \
		$(BIN)/python -m pytest -s tests/cluster/operator/test_crashes.py $(PYTEST_ARGS)

lint: $(INSTALLED) ## Check style, types and the layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## Take the sandbox down and remove what was made in this tree
	@if [ -e /run/kamaji-sandbox ] || [ -e /var/lib/kamaji-sandbox ]; then $(MAKE) --no-print-directory sandbox-down; fi
	rm -rf $(LEFTOVERS)
	find . -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +
	find . -path ./.git -prune -o -name '*.egg-info' -type d -exec rm -rf {} +
	@if [ -s "$(PACKAGES)" ]; then \
		echo "These Debian packages were installed and stay; to remove them: apt-get remove $$(sort -u "$(PACKAGES)" | xargs)"; \
	fi

distclean: clean ## Remove the cache of programs and images too (the next build takes its 18 minutes again)
	@if [ -d "$(CACHE)" ]; then chmod -R u+w "$(CACHE)"; fi
	rm -rf "$(CACHE)"

$(INSTALLED): pyproject.toml constraints.txt $(addsuffix /pyproject.toml,$(PLUGINS))
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: install it as python3"; exit 1; }
	@if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then \
		[ "$$(id -u)" = 0 ] || { echo "The package python3-venv is missing: install it, or run this as root"; exit 1; }; \
		echo "Installing the Debian package python3-venv"; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get install -qq --yes --no-install-recommends python3-venv >/dev/null \
			|| { apt-get update -qq; apt-get install -qq --yes --no-install-recommends python3-venv >/dev/null; }; \
		mkdir -p "$(dir $(PACKAGES))"; echo python3-venv >>"$(PACKAGES)"; \
	fi
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then python3 -m venv --clear $(VENV); fi
	@echo "Installing the Python packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e '.[dev]' $(addprefix -e ./,$(PLUGINS))
	@touch $@
