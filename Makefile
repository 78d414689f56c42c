# Two commands on a fresh machine: `make run` starts the server, `make test` tests it. Both get what they need first
# (a free-threaded Python, a virtual environment, packages), once.

PYTHON ?= python3
ARGS ?=
VENV := .venv/bin
TOOLS := .venv-tools/bin
CPUS := $(shell nproc 2>/dev/null || echo 2)
CHECKED := nogil_df tests bench stress tools setup.py

# C extensions that say nothing about free threading turn the GIL on when imported, unless told otherwise; the
# variable also reaches what the tests start. It is not exported: an ordinary Python refuses to start with it.
FREE_THREADED := PYTHON_GIL=0 $(VENV)/python

.DEFAULT_GOAL := help
.PHONY: help run test lint style types imports check bench scaling stress clean

help:  ## This list
	@sed -n 's/^\([a-z]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run:  ## Start the server on port 6379; flags through ARGS="--port 7000 ..."
	@$(PYTHON) tools/environment.py run
	@exec env $(FREE_THREADED) -m nogil_df $(ARGS)

test:  ## Style, types, imports' direction, then the tests; arguments for pytest through ARGS
	@$(PYTHON) tools/environment.py test
	@status=0; \
	$(MAKE) --no-print-directory --keep-going check || status=1; \
	$(FREE_THREADED) -m pytest -n $(CPUS) --maxfail 100 $(ARGS) || status=1; \
	exit $$status

lint:  ## Style, types and imports' direction alone
	@$(PYTHON) tools/environment.py lint
	@$(MAKE) --no-print-directory --keep-going check

check: style types imports

style:
	$(TOOLS)/ruff check $(wildcard $(CHECKED))
	$(TOOLS)/ruff format --check $(wildcard $(CHECKED))

types:
	$(TOOLS)/mypy --python-executable $(VENV)/python

imports:
	$(TOOLS)/lint-imports

bench:  ## Compare with redis-server: CPU time per request, requests/s, latencies; arguments through ARGS
	@$(PYTHON) tools/environment.py bench
	$(FREE_THREADED) -m bench $(ARGS)

scaling:  ## Throughput over threads, latencies, memory; measured here, projected for bigger machines
	@$(PYTHON) tools/environment.py bench
	$(FREE_THREADED) -m stress.scaling $(ARGS)

stress:  ## The concurrency stress suites, minutes long
	@$(PYTHON) tools/environment.py test
	$(FREE_THREADED) -m pytest stress --timeout 900 $(ARGS)

clean:  ## Remove what make made in this directory; interpreters stay in ~/.cache/nogil-df
	rm -rf .venv .venv-tools .venv*.log .venv.lock build dist *.egg-info
	find nogil_df -name '*.so' -delete; rm -f nogil_df/compiled.txt
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
