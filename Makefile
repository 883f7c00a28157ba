# make demo: from a bare machine to a page served by a local Kubernetes cluster.
# Everything is installed in this directory (.venv), except what `make tools` names and asks about.

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# In an example, the project, its directory, its namespace and the page's Service have the same name.
PROJECT ?= examples/hello
NAME = $(notdir $(abspath $(PROJECT)))

# The newest supported Python: on PATH, or else one of pyenv's.
PYTHON ?= $(shell \
	for v in 3.14 3.13 3.12 3.11; do \
	  for p in "$$(command -v python$$v)" "$$HOME"/.pyenv/versions/$$v.*/bin/python$$v; do \
	    if [ -x "$$p" ] && "$$p" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$$v')" 2>/dev/null; \
	    then echo "$$p"; exit; fi; \
	  done; \
	done)

# The minor version of Kubernetes that `make test-kubernetes` tries.
VERSION ?= 1.37

.PHONY: help venv tools demo test test-fast test-kubernetes real-world lint bench bench-relay bench-build \
	bench-gate bench-load bench-fingerprint docs gate-report dist down

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20

venv: $(VENV)/.installed ## localloop and what it needs, in .venv

$(VENV)/.installed: pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
	  echo "localloop needs Python 3.11 to 3.14, and none was found."; \
	  echo "On Debian: apt-get install python3 python3-venv"; exit 1; fi
	@echo "venv: $(PYTHON)"
	@if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && $(call agreed,Install python3-venv with apt-get?); then \
	    apt-get update -q && apt-get install -q -y --no-install-recommends python3-venv; \
	  else echo "Python's venv is missing. On Debian: apt-get install python3-venv"; exit 1; fi; fi
	@[ -x $(BIN)/python ] || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@$(COMPILE)
	@touch $@

# pip does this for a wheel but not for an editable install: without byte code each run compiles again.
COMPILE = $(BIN)/python -m compileall -q src/localloop

# Ask, unless YES=1 or CI is set.
agreed = { [ "$(YES)" = 1 ] || [ "$${CI:-0}" != 0 -a "$${CI:-}" != false ] || \
	{ printf '%s [y/N] ' "$(1)"; read -r answer && [ "$$answer" = y ]; }; }

PLAYBOOK = ANSIBLE_CONFIG=ansible.cfg ANSIBLE_INVENTORY_ENABLED=host_list $(BIN)/ansible-playbook -i localhost,

# What the playbook has said of the machine.
ABOUT = sed -n -e '/Nothing was installed, as asked/d' \
	-e '/^ *\(About this machine\|This machine lacks\):$$/,/^ *[^ -]\|^$$/s/^ *//p' $(VENV)/tools.log

tools: venv ## install Docker, kind, Helm and kubectl if they are missing (asks first)
	@if $(PLAYBOOK) playbooks/host.yml -e host_install=false > $(VENV)/tools.log 2>&1; then $(ABOUT); exit; fi; \
	grep -q 'This machine lacks' $(VENV)/tools.log || { cat $(VENV)/tools.log; exit 1; }; \
	$(ABOUT); \
	grep -q 'Nothing was installed, as asked' $(VENV)/tools.log || exit 1; \
	if $(call agreed,Install and set up these here?); then $(PLAYBOOK) playbooks/host.yml; \
	else echo "Nothing was changed. \`make YES=1 $(or $(MAKECMDGOALS),tools)\` does not ask."; exit 1; fi

demo: venv tools ## deploy an example (PROJECT=examples/hello) and fetch its page through the cluster
	@$(BIN)/localloop deploy --project $(PROJECT)
	@kubeconfig="$${XDG_STATE_HOME:-$$HOME/.local/state}/localloop/clusters/$${CLUSTER_NAME:-$(NAME)}/kubeconfig"; \
	kubectl --kubeconfig "$$kubeconfig" get --raw \
	  /api/v1/namespaces/$(NAME)/services/$(NAME):http/proxy/

down: venv ## remove the demo's cluster (images are kept)
	@$(BIN)/localloop down --cluster --project $(PROJECT)

# One more than cores, because many tests wait for what they have started.
WORKERS = $$($(BIN)/python -c 'import os; print(1 + (os.cpu_count() or 1))')

test-fast: venv ## unit and module tests, no Docker
	@$(BIN)/python -m pytest tests/unit tests/modules -q -n $(WORKERS) --dist loadfile -m "not cluster and not docker and not slow"

test: venv tools lint ## everything, on two clusters side by side
	@$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder --durations=15

real-world: venv tools ## what people's projects did to us: the inputs of public bug reports, and a table
	@$(BIN)/python -m pytest tests/real_world

test-kubernetes: venv tools ## build the node image of VERSION=1.35 and try it under a plain kind
	@image=$$(PYTHONPATH=tests $(BIN)/python -m harness.nodeimage $(VERSION)) && \
	  NODE_IMAGE=$$image $(BIN)/python -m pytest tests/nodeimage -v -s

lint: venv ## ruff, mypy, ansible-lint, yamllint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/yamllint --strict .
	@LOCALLOOP_PROJECT=$(PROJECT) $(BIN)/ansible-lint

bench: venv ## measure the loop
	@$(COMPILE)
	@$(BIN)/python -m benchmarks.loop

bench-relay: venv ## measure the edits of examples/relay, and the compiler's share of them
	@$(COMPILE)
	@$(BIN)/python -m benchmarks.relay

bench-build: venv ## measure one bake of three against the three one after another
	@$(BIN)/python -m benchmarks.build

bench-gate: venv ## measure the delay of the gate's verdict
	@$(BIN)/python -m benchmarks.gate

bench-load: venv ## measure an edit in a large image: pulled by the node, or loaded into it
	@$(COMPILE)
	@$(BIN)/python -m benchmarks.load

bench-fingerprint: venv ## measure fingerprints of many files (no Docker)
	@$(COMPILE)
	@$(BIN)/python -m benchmarks.fingerprint

docs: venv ## write the tables of docs/troubleshooting.md
	@$(BIN)/python docs/tables.py

gate-report: venv ## how often the gate's verdict is wrong, for states whose verdict is known
	@PYTHONPATH=tests/unit $(BIN)/python -m golden

dist: venv ## build the wheel, in dist
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --wheel-dir dist .
