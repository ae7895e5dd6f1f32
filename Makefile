VENV   ?= .venv
PYTHON ?= python3
TORCH  := $(shell sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.txt)
# Linux without an NVIDIA driver: look at PyTorch's CPU builds too, they spare 2.5 GB of CUDA.
CPU    := $(shell [ "$$(uname)" = Linux ] && ! command -v nvidia-smi >/dev/null && echo --retries 1 --extra-index-url https://download.pytorch.org/whl/cpu)
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: repro test test-slow test-all bench lint table lock docs

repro: $(VENV)/.ready  ## rebuild everything, print the result table
	dvc repro
	@python -m asd results

test: $(VENV)/.ready  ## the test suite: what takes at most three seconds each
	python -m pytest -n 2 --dist worksteal -m "not slow and not minutes"

test-slow: $(VENV)/.ready  ## what takes longer
	python -m pytest -n 2 --dist worksteal -m "slow and not minutes"

test-all: $(VENV)/.ready  ## all, with what takes minutes each
	python -m pytest

bench: $(VENV)/.ready  ## performance ratios: data/bench.md and .json
	python -m bench

lint: $(VENV)/.ready  ## linters and type checker
	ruff check .
	ruff format --check .
	mypy
	lint-imports

table: $(VENV)/.ready  ## one line an experiment, official scores only
	dvc exp show --drop '.*' --keep 'Experiment|.*\.official$$|.*\.score_one_domain$$'

docs: $(VENV)/.ready $(VENV)/docs/.ready  ## the documentation as a site, links checked: site/index.html
	python docs/params.py
	NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs build

lock:  ## pin anew what requirements*.txt ask for, torch left out; needs uv
	echo "torch; python_version < '3'" > $(VENV)/no_torch.txt
	grep -hv -e '^torch==' -e '^#' requirements.txt requirements-dev.txt | uv pip compile --quiet --universal \
		--python-version 3.11 --generate-hashes --no-header --no-annotate --override $(VENV)/no_torch.txt \
		--output-file requirements.lock -

# A torch that is already there is left alone; torch is not in the lock, since a hash would pick one build of it.
$(VENV)/.ready: requirements.lock pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "asd: Python 3.11 or newer is needed: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	pip install -q --no-deps --require-hashes -r requirements.lock
	python -c 'import torch' 2>/dev/null || pip install -q $(CPU) $(TORCH)
	pip install -q --no-deps --no-build-isolation --editable .
	@touch $@

# The site's generator has an environment of its own: nothing of the project needs it.
$(VENV)/docs/.ready: docs/requirements.txt
	$(PYTHON) -m venv $(VENV)/docs
	$(VENV)/docs/bin/pip install -q -r $<
	@touch $@
