# One door to everything. `make` alone lists the targets.
# Each environment is built by tools/environment.py, and again only when pyproject.toml changes.

PYTHON ?= python3
# More than two processors: many tests wait for a real kernel.
JOBS ?= 3
LAB_ARGS ?=
PYTEST_ARGS ?=
CELL_TIMEOUT ?= 60
MUTANTS ?= 400
SEED ?= 1
NAME ?=
FILES ?=

# Tests start hundreds of Pythons; where nothing is kept, each would compile the library anew.
unexport PYTHONDONTWRITEBYTECODE

LAB := .venv-lab/bin/python
TEST := .venv-test/bin/python
BROWSER := .venv-browser/bin/python
BINDER := .venv-binder/bin/python

# Cells depend on each other, so a notebook stays with one worker: loadfile.
PYTEST := $(TEST) -m pytest -n $(JOBS) --dist loadfile --durations=15 --durations-min=1
# xdist would begin with the files of most tests; tests/conftest.py begins with the longest.
UNIT := $(PYTEST) --no-loadscope-reorder
NBVAL := --nbval-current-env --nbval-cell-timeout=$(CELL_TIMEOUT)

.DEFAULT_GOAL := help
.PHONY: help lab test check format unit lessons notebooks lesson bench mutate browser verify binder \
        clean \
        python env-lab env-test env-browser env-binder

help:  ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | \
	  while IFS='|' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

lab: env-lab  ## opens the course in JupyterLab (LAB_ARGS="--no-browser …")
	@PATH="$(CURDIR)/.venv-lab/bin:$$PATH" $(LAB) -m jupyterlab \
	  --ServerApp.root_dir="$(CURDIR)" $(LAB_ARGS) notebooks/00_start_here.ipynb

test: check unit lessons  ## everything that must hold: check, tests, lessons

check: env-test  ## format, lint and types
	$(TEST) -m ruff format --check .
	$(TEST) -m ruff check .
	$(TEST) -m mypy

format: env-test  ## formats the code and mends what ruff can mend
	$(TEST) -m ruff check --fix --exit-zero .
	$(TEST) -m ruff format .

unit: env-test env-binder  ## pytest over tests/ (PYTEST_ARGS="-k wire")
	$(UNIT) tests $(PYTEST_ARGS)

lessons: env-test  ## runs every lesson and compares every output with the stored one
	$(PYTEST) --nbval $(NBVAL) notebooks $(PYTEST_ARGS)

notebooks: env-test  ## executes the lessons in place and stores their outputs
	$(TEST) tools/notebooks.py notebooks

lesson:  ## lays out a new lesson with its exercise (NAME=14_network_policy)
	@"$(PYTHON)" tools/lesson.py "$(NAME)"

bench: env-test env-browser  ## measures; prints medians and ratios
	@for script in $(filter-out %/bench_widgets.py,$(wildcard benchmarks/bench_*.py)); do \
	  echo "== $$script"; $(TEST) "$$script" || exit 1; done
	@echo "== benchmarks/bench_widgets.py"; $(BROWSER) benchmarks/bench_widgets.py

mutate: env-test  ## plants faults in linux/: which do the tests miss? (MUTANTS=400 SEED=1 FILES="bridge.py")
	$(TEST) tools/mutate.py --mutants $(MUTANTS) --seed $(SEED) --files $(FILES)

browser: env-browser  ## the course in a real browser (needs Debian's chromium)
	$(BROWSER) -m pytest -p no:nbval -m browser tests/browser $(PYTEST_ARGS)

verify: env-test  ## the model against this machine's kernel, in namespaces (root)
	K8SNET_EVERY_FAILURE=1 $(PYTEST) tests/kernel -q $(PYTEST_ARGS)
	@for backend in udp vxlan host-gw; do \
	  echo "== k8snet verify --backend $$backend"; \
	  .venv-test/bin/k8snet verify --backend $$backend || exit 1; done

binder: env-binder  ## replays what mybinder.org would build, without Docker (minutes)
	$(BINDER) tools/binder.py replay

clean:  ## removes environments, caches and builds, never your progress (.k8snet)
	rm -rf .venv-lab .venv-test .venv-browser .venv-binder build dist
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "There is no '$(PYTHON)' here. Install Python 3.11 or newer, or name one: make PYTHON=python3.12 …" >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "The course needs Python 3.11 or newer; '$(PYTHON)' is older. Name a newer one: make PYTHON=python3.12 …" >&2; \
	  exit 1; }

env-lab: python
	@"$(PYTHON)" tools/environment.py .venv-lab -e '.[lab]'

env-test: python
	@"$(PYTHON)" tools/environment.py .venv-test -e '.[test]'

env-browser: python
	@"$(PYTHON)" tools/environment.py .venv-browser -e '.[browser]'

env-binder: python
	@"$(PYTHON)" tools/environment.py .venv-binder -e '.[binder]'
