# The verbs of this project. Nothing but a Python from 3.11 on has to be on the machine.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

SCALE ?= 0.01
KEEP ?=
SEED ?= 1
VENV := .venv
BIN := $(VENV)/bin
# what an install compiles
COMPILED := infra/c_extensions.py $(wildcard */_*.c */*/_*.[ch])
UNIT := not servers and not faults and not long and not one_python
# what reads Redis, what writes it, and a projector that does both from its start to its end
REDIS_TESTS := tests/services/api tests/services/projector/test_redis.py tests/services/projector/test_ending.py
# of pytest, for the tests that need servers
WORKERS ?= 4
BESIDE := var/ci/3.12.log var/ci/3.13.log var/ci/redis.log
LOGS := $(BESIDE) var/ci/servers.log var/ci/servers.code
REDIS_SERVER ?= $(shell command -v redis-server 2>/dev/null)

# Downloaded jars are shared by every stack of this checkout, those of the tests included.
export HITOTSU_CACHE ?= $(CURDIR)/var/stack/cache
# uv goes where pip goes on this machine.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_EXTRA_INDEX_URL
export UV_INDEX ?= $(PIP_EXTRA_INDEX_URL)
endif
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif
export UV_LINK_MODE ?= copy
# Dozens of short processes start on the way: without compiled files each reads 500 modules' sources
# again, seconds of work every time.
unexport PYTHONDONTWRITEBYTECODE
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /etc/pki/tls/certs/ca-bundle.crt),)
export UV_SYSTEM_CERTS ?= true
endif

.PHONY: help install demo class-archive test test-servers test-unit test-3.12 test-3.13 test-redis \
	lint lint-types lint-rest format bench faults up down requirements clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

install: $(VENV)/dev.stamp ## Everything for development into .venv, by hash

demo: $(VENV)/demo.stamp ## A retailer's sales through the whole road, every answer compared (SCALE=0.1, KEEP=1)
	@$(BIN)/hitotsu demo --scale $(SCALE) $(if $(filter-out 0,$(KEEP)),--keep)

up: $(VENV)/demo.stamp ## Servers and services on this machine; `hitotsu status` says where
	@$(BIN)/hitotsu up

down: $(VENV)/demo.stamp ## Stops them; the data stays
	@$(BIN)/hitotsu down

# Saves each of the tests' brokers half of the CPU time of its start; without it they start as well.
class-archive: $(VENV)/dev.stamp
	@$(BIN)/python -m infra.native.make_class_archive >/dev/null || echo "── going on without it"

# Tests wait for servers about as long as they compute, so there are two workers more than cores. What
# runs on other Pythons comes first: beside the servers it would make tests run into their limits.
test: $(VENV)/dev.stamp class-archive ## Everything but the long faults: real servers, Python 3.11; the pure part on 3.12, 3.13
	@mkdir -p var/ci; rm -f $(LOGS); \
	$(MAKE) -k -j3 QUIET=1 test-3.12 test-3.13 test-redis; code=$$?; \
	$(MAKE) QUIET=1 test-servers || code=$$?; \
	cat $(BESIDE); tail -n 1 var/ci/servers.log; exit $$code

test-servers: $(VENV)/dev.stamp class-archive
	@mkdir -p var/ci; { \
	echo "── real servers, on $$($(BIN)/python -V)"; \
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not long"; \
	echo $$? >var/ci/servers.code; \
	} 2>&1 | tee -i var/ci/servers.log; exit $$(cat var/ci/servers.code)

# What runs side by side prints into a file, which `test` shows at its end.
SHOW = code=$$?; $(if $(QUIET),,cat $(1);) exit $$code

test-unit: test-3.12 test-3.13 ## The tests that need no server, on the other Pythons of this machine

test-3.12 test-3.13: test-%: $(VENV)/dev.stamp
	@mkdir -p var/ci; .ci/unit $* "$(UNIT)" >var/ci/$*.log 2>&1; $(call SHOW,var/ci/$*.log)

test-redis: $(VENV)/dev.stamp ## What concerns Redis, against the redis-server 7 on PATH, where there is one
	@mkdir -p var/ci; { if [ -n "$(REDIS_SERVER)" ]; then \
	    echo "── Redis: $$($(REDIS_SERVER) --version)"; \
	    HITOTSU_REDIS_SERVER="$(REDIS_SERVER)" $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "servers and not faults and not long" $(REDIS_TESTS); \
	else \
	    echo "── Redis: no redis-server on PATH, so Redis is tested as Valkey only"; \
	fi; } >var/ci/redis.log 2>&1; $(call SHOW,var/ci/redis.log)

faults: $(VENV)/dev.stamp ## Kills, freezes, planted bugs at full size; a table of verdicts (SEED=7)
	@$(BIN)/python -m pytest -q -m "long and not faults"; long=$$?; \
	$(BIN)/python -m tests.faults --seed $(SEED); exit $$(($$? + long))

lint: lint-rest lint-types ## Style, types, layers, generated files, schemas, house rules

lint-types: $(VENV)/dev.stamp
	@$(BIN)/mypy --strict schemas projections services infra

lint-rest: $(VENV)/dev.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m schemas.tools.generate --check
	@$(BIN)/hitotsu schema check
	@$(BIN)/python -m services.cli.reference --check
	@$(BIN)/python -m pytest -q tests/test_house.py

format: $(VENV)/dev.stamp ## Applies the style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/dev.stamp ## Beside Faust, a hand-written loop and Bytewax, same events; about 20 minutes
	@$(BIN)/python -m tests.benchmarks

requirements: $(VENV)/bootstrap.stamp ## Resolves pyproject.toml into requirements/*.txt, with hashes
	@for kind in demo dev; do \
	    extras="--extra native --extra demo"; \
	    [ $$kind = demo ] || extras="$$extras --extra docker --extra test --extra lint --extra bench"; \
	    $(COMPILE) $$extras --output-file requirements/$$kind.txt pyproject.toml requirements/build.in || exit 1; \
	done
	@$(COMPILE) --output-file requirements/bootstrap.txt requirements/bootstrap.in

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--override requirements/unused.in \
	--no-annotate --no-header --no-emit-index-url --no-emit-find-links

clean: ## Removes environments and caches; a stack's data stays
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Two that start at once in a fresh checkout take turns, and the second uses what the first made.
# Without `flock` (macOS) start them in turn.
LOCK := $(if $(LOCKED),,$(if $(shell command -v flock 2>/dev/null),mkdir -p var && flock var/make.lock))
MADE = test -e $@ && test -z "$$(find $^ -newer $@)"

$(VENV)/bootstrap.stamp: requirements/bootstrap.txt
	@$(LOCK) sh -c 'set -e; if $(MADE); then exit 0; fi; \
	python=$$(.ci/python); echo "── .venv: $$python"; "$$python" -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt; \
	touch $@'

# What `dev` holds is all that `demo` needs, so a developer's environment is never taken down to the demo's.
$(VENV)/demo.stamp: requirements/demo.txt pyproject.toml $(COMPILED) $(VENV)/bootstrap.stamp
	@$(LOCK) sh -c 'set -e; if $(MADE); then exit 0; fi; \
	if [ -e $(VENV)/dev.stamp ]; then $(MAKE) LOCKED=1 $(VENV)/dev.stamp; else .ci/sync demo $(VENV); fi; \
	touch $@'

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml $(COMPILED) $(VENV)/bootstrap.stamp
	@$(LOCK) sh -c 'set -e; if $(MADE); then exit 0; fi; \
	.ci/sync dev $(VENV); \
	touch $(VENV)/demo.stamp $@'
