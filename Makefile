# Everything a person or a machine runs on this checkout. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help demo test lint unit sanity integration lab lab-down bench docs molecule soak clean-room lock

NAME ?= dev
PYTHON ?= python3
# Runs a command in the project's virtualenv, which is made on first use in the cache outside the checkout.
IN := $(PYTHON) tests/in_venv.py
LAB := $(PYTHON) tests/lab

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20
	@echo
	@echo 'NAME=... names another lab than dev; ARGS=... goes to pytest: make unit ARGS="-k client_id"'

demo: ## install, build, start a lab, provision client C42 on it and ask its public address
	$(IN) python tests/demo.py

test: ## THE gate: lint, types, sanity, unit tests, and all tests on a lab of their own
	$(IN) python tests/gate.py

lint: ## ruff, mypy, yamllint, ansible-lint, shellcheck
	$(IN) python tests/lint.py $(ARGS)

unit: ## tests that need no cluster
	$(IN) pytest tests/unit $(ARGS)

sanity: ## ansible-test sanity, with no ignore files
	$(IN) python tests/sanity.py $(ARGS)

integration: ## tests on a lab, started when the first of them needs it
	$(IN) pytest tests/integration $(ARGS)

lab: ## start (or check) a lab: a whole cluster with databases
	$(LAB) up --name $(NAME)

lab-down: ## take that lab away
	$(LAB) down --name $(NAME)

bench: ## measure, print the table and write tests/bench/latest.json
	$(IN) python tests/bench $(ARGS)

docs: ## show the documentation of every entry point and check that it renders
	$(IN) python tests/docs.py $(ARGS)

molecule: ## the scenarios of extensions/molecule on a lab of their own
	$(LAB) up --name molecule
	$(IN) $(LAB) exec --name molecule -- molecule test --all $(ARGS)
	$(LAB) down --name molecule

soak: ## the long tests: hundreds of kills, all combinations, Molecule's scenarios
	$(IN) pytest tests/integration -m soak $(ARGS)
	$(MAKE) molecule

clean-room: ## make demo, twice, from a fresh clone in a bare Debian 12 (root)
	$(PYTHON) tests/clean_room.py $(ARGS)

lock: ## pin the newest versions that fit requirements/*.in
	$(IN) python tests/lock.py
