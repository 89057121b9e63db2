# Everything from a bare machine: `make demo`, `make test`. Nothing is installed outside .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= 2

comma := ,

.PHONY: demo test test-slow test-extras test-bounds docs figures lint types check clean need

demo: $(VENV)/.demo
	$(BIN)/xorweave demo -o demo-out

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

# What takes a minute each, faults that are hard to refute and wide engines: `make test` skips it, and says so.
test-slow: $(VENV)/.dev
	XORWEAVE_SLOW=1 $(BIN)/python -m pytest -n $(JOBS) tests/synth/proof/test_reference.py \
	    tests/xorweave/commands/test_infer.py -k "faults_are_refuted or two_digits_of_each"

# The tests that are skipped without an extra, with every extra that can be had here: MKL is for x86 only, and PyTorch is
# left out by `make test-extras EXTRAS=baselines,cluster,docs,gguf,oracles,pnr,soc`.
EXTRAS ?= baselines,cluster,docs,gguf,oracles,pnr,runtimes,soc,train$(if $(filter x86_64,$(shell uname -m)),$(comma)mkl)
EXTRA_TESTS := tests/benchmarks tests/golden/codecs tests/golden/spmv tests/golden/network tests/golden/weightless \
    tests/golden/files/test_gguf_file.py tests/synth/flow/test_place_route.py tests/docs/test_site.py \
    tests/xorweave/library/test_workers.py tests/examples/test_axi_stream.py tests/examples/test_litex.py \
    tests/examples/test_torch_linear.py tests/xorweave/commands/test_prune_by_images.py

test-extras: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,$(EXTRAS)]'
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(EXTRA_TESTS)

# Compiled code does not look whether an index is inside its array: here it does. Kernels so compiled are kept apart.
test-bounds: $(VENV)/.dev
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(CURDIR)/build/bounds $(BIN)/python -m pytest -n $(JOBS) --dist loadfile \
	    tests/golden/encoders tests/golden/code tests/golden/tensor tests/golden/mask

# The site; a warning is an error.
docs: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs build/site
	@echo build/site/index.html

# Makes the figures of docs again and says which changed: the cheap ones; `python benchmarks/check_figures.py WORD` others.
figures: $(VENV)/.dev
	$(BIN)/python benchmarks/check_figures.py

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/python -m mypy -p xorweave

check: lint types test

# What the base system must bring, named with the Debian package that brings it.
need:
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: install the package python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "python3 must be 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv is missing: install the package python3-venv" >&2; exit 1; }
	@command -v g++ >/dev/null || { echo "g++ is missing: install the package g++" >&2; exit 1; }
	@command -v perl >/dev/null || { echo "perl is missing: install the package perl" >&2; exit 1; }

# constraints.txt pins what the pinned packages themselves ask for.
$(VENV)/.base: pyproject.toml constraints.txt | need
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[hw]'
	touch $@

$(VENV)/.demo: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[hw,demo]'
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build demo-out *.egg-info
