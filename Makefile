# SPDX-License-Identifier: GPL-3.0-or-later
# The two commands: make demo, make test. Another interpreter: make test PYTHON=python3.13
PYTHON ?= python3
VENV ?= .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(CURDIR)/$(VENV)/bin
RUN := env PATH="$(BIN):$$PATH" ANSIBLE_CONFIG="$(CURDIR)/ansible.cfg"
ARGS ?=
# Processes that run tests, a file of tests each at a time: playbooks wait as much as they work.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help venv venv-dev demo test test-long lint sanity faults reference operator-policy local-up local-down clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

venv: ## the virtual environment, with what the playbooks and the local AWS need
	@scripts/venv "$(PYTHON)" "$(VENV)" requirements-local.txt

venv-dev:
	@scripts/venv "$(PYTHON)" "$(VENV)" requirements-dev.txt

demo: venv ## two tables in two partitions, in sync before your eyes (KEEP=1 leaves the sides up)
	@$(RUN) scripts/demo

test: venv-dev ## everything CI needs, the linters among it (ARGS="-m 'not integration'" for the quick part)
	@$(RUN) python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: venv-dev ## the tests that take many minutes: 10,000 random histories, every fault for five seconds
	@$(RUN) python -m pytest --long -m long $(ARGS)

faults: venv-dev ## everything that can go wrong, under load, one after the other; a table of results (ARGS="--seconds 10")
	@$(RUN) PYTHONPATH="module_utils:." python -m tests.faults $(ARGS)

sanity: venv-dev ## ansible-test sanity on a copy that is laid out as a collection; a few minutes (ARGS="--test validate-modules")
	@$(RUN) scripts/sanity $(ARGS)

lint: venv-dev ## ansible-lint (production), yamllint, ruff, mypy, shellcheck, codespell
	@$(RUN) scripts/lint

reference: venv-dev ## write docs/reference anew from playbooks, roles and modules
	@$(RUN) python -m tools.reference

operator-policy: venv-dev ## write docs/operator-policy anew from what every verb calls: a quarter of an hour
	@$(RUN) PYTHONPATH="module_utils:." python -m tools.operator_policy record

local-up: venv ## start the local AWS: two partitions on this machine
	@$(RUN) ansible-playbook local_aws.yml

local-down: venv ## stop it and remove what it left
	@$(RUN) ansible-playbook local_aws.yml -e local_aws_state=stopped

clean: ## stop the local AWS; remove virtual environments, caches and build products
	@scripts/clean
