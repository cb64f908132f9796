# `make` alone prints this help.
SHELL := /bin/bash
T ?= tests
ARGS ?=

.PHONY: help demo test lint fix images bench clean

help:  ## print this
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/\1\t\2/' | expand -t 10

demo:  ## run a whole small challenge here (ARGS=--once ends it, ARGS="--once --volumes DIR" uses real scans)
	@scripts/setup.sh demo $(filter --yes,$(ARGS))
	@.venv/bin/mood demo $(filter-out --yes,$(ARGS))

test:  ## lint, types and all tests on real services (T=tests/evaluator for some of them)
	@scripts/setup.sh test $(filter --yes,$(ARGS))
	@scripts/test.sh $(T)

lint:  ## style and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .

fix:  ## put the style right
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

images:  ## train and build all reference submissions (ARGS="pca dae" some; --weights DIR keeps what is trained)
	@scripts/setup.sh images $(filter --yes,$(ARGS))
	@.venv/bin/mood images $(filter-out --yes,$(ARGS))

bench:  ## ratios, in one run on the same files
	@for script in benchmarks/{overhead,upload,localised,ranking,evaluator}.py; do echo "== $$script"; .venv/bin/python $$script; done

clean:  ## remove what the demo and the tests left in this folder
	rm -rf var build .pytest_cache .mypy_cache .ruff_cache
