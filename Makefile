# The two commands to know: `make demo` and `make test`. Both set up .venv on first use.

PYTHON ?= python3
# PyTorch's CPU wheels instead of the CUDA ones that the public index gives on Linux:
#   make demo TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
TORCH_INDEX_URL ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup lock sbom fuzz crash lower-cases soak drift swift-test arm64-check demo test test-slow trt-api lint parity scores figures bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt requirements.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("SAM2-Lite needs Python 3.11 or newer, and $(PYTHON) is %d.%d; name a newer one: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL)) -c constraints.txt torch
	$(BIN)/pip install --quiet --no-build-isolation --no-deps -e .
	$(BIN)/pip check --quiet
	touch $(STAMP)

# The lock: what constraints.txt names, with the hashes of its files on the index. PyTorch is apart:
# its CPU build comes from another index than its CUDA build, under the same version.
lock:
	@command -v uv > /dev/null || { echo "make lock needs uv: python3 -m pip install uv"; exit 1; }
	grep -v -e '^#' -e '^torch==' constraints.txt | uv pip compile --quiet --universal \
		--generate-hashes --no-deps --no-annotate --custom-compile-command 'make lock' \
		--python-version 3.11 --output-file requirements.lock -

# Bills of materials of the wheel and of device.pyz, in dist/.
sbom: setup
	$(BIN)/python checks/sbom.py

# With a video, a click on its first frame and a checkpoint of your own:
#   make demo VIDEO=in.mp4 POINT=300,200 MODEL=sam2.1_hiera_tiny.pt
demo: setup
	$(BIN)/sam2lite demo --force -o demo $(if $(VIDEO),--video '$(VIDEO)') \
		$(if $(POINT),--point '$(POINT)') $(if $(MODEL),--model '$(MODEL)')

# A file stays with one worker, because its fixtures are its own.
# One thread a process: two processes of two threads each wait for one another on two cores, and the
# tests take two thirds more.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: setup
	$(BIN)/python -m pytest -m slow

# The builder's calls against the real bindings of TensorRT 8.6, 10.3 and 11.4; wants gcc, no GPU.
trt-api: setup
	$(BIN)/python checks/trt_api.py

# Bundles of four families on an emulated ARM64 machine (QEMU, no root), against this machine; the
# short form: make arm64-check SHORT=1
arm64-check: setup
	$(BIN)/python checks/arm64/run.py $(if $(SHORT),--short)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Scores of the shipped weights on eval-v1, written into docs and the model card.
scores: setup
	$(BIN)/python benchmarks/scores.py

# Every size, rung and opset against PyTorch, and against what each TensorRT's parser takes.
parity: setup
	$(BIN)/python benchmarks/graph_parity.py
	$(BIN)/python benchmarks/tensorrt_graphs.py

# Measures what docs/performance.md and the ADRs quote, and writes it there. Wants a quiet machine.
figures: setup
	$(BIN)/python benchmarks/figures.py

# Broken manifests, graphs, plans, states, checkpoints, JSON and ONNX files: refused in a sentence,
# or right.
fuzz: setup
	$(BIN)/python checks/fuzz/run.py

# 100 kills at random instants of export, track, train and build; full disk, read-only, two at once.
crash: setup
	$(BIN)/python checks/crash.py

# `lower` over ONNX's own backend tests, for three TensorRTs; a quarter of an hour.
lower-cases: setup
	$(BIN)/python checks/lower_onnx_cases.py

# 9,000 frames with corrections and changes of size: slopes of memory, files and threads.
soak: setup
	$(BIN)/python benchmarks/soak.py --json benchmarks/results/soak.json

# ONNX Runtime beside PyTorch over 1,000 frames; a run that was stopped goes on.
drift: setup
	$(BIN)/python checks/drift.py --output runs/drift

# The Swift package built and tested on Linux, against doubles of Core ML, and with planted faults.
# Fetches Debian's Swift on first use (550 MB); 3.5 GB in .cache/swift.
swift-test: setup
	$(BIN)/python checks/swift/run.py

bench: setup
	$(BIN)/sam2lite-bench --frames 200
	$(BIN)/sam2lite-bench --frames 60 --rungs --objects 4

clean:
	rm -rf $(VENV) build dist demo .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
