"""The adapter in a process of its own, that ends without closing anything.

It runs with this interpreter, and with the one that SAM2LITE_BOARD_PYTHON names.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BOARD = os.environ.get("SAM2LITE_BOARD_PYTHON")

SCRIPT = """
import atexit, os, sys
import numpy as np
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt import runtime as trt_runtime
from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice
from sam2lite.runtimes.backends.tensorrt.session import TrtSession
from tests.doubles.cuda import FakeCuda
from tests.doubles.tensorrt_runtime import FakeTensorrt, Graph, Tensor

path, version = sys.argv[1:]
cuda = FakeCuda()
atexit.register(lambda: print("left", not cuda.nothing_left()))
tensorrt = FakeTensorrt(cuda, version)
tensors = (Tensor("x_b", True, "FLOAT", (3,)), Tensor("y_b", False, "FLOAT", (3,)))
with open(path, "wb") as stream:
    stream.write(tensorrt._register("toy", Graph(tensors, lambda x: {"y_b": x["x_b"] + 1})))
sys.modules["tensorrt"] = tensorrt
trt_runtime.probe = lambda: CudaDevice("NVIDIA Tegra X1", "5.3", 4 << 30)
trt_runtime.open_cuda = lambda: cuda

spec = GraphSpec(
    "toy", (TensorSpec("x_b", "float32", (3,)),), (TensorSpec("y_b", "float32", (3,)),)
)
session = TrtSession(spec, path)
x_b = np.zeros(3, np.float32)
for _ in range(50):
    x_b = session.run({"x_b": x_b})["y_b"]
print(session.numpy(x_b)[0], cuda.launches > 0, len(cuda.memory))

if not os.fork():
    try:
        session.run({"x_b": x_b})
    except SessionError as error:
        print("refused", flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("version", ["8.2.1", "10.3.0"])
@pytest.mark.parametrize("python", [sys.executable, *([BOARD] if BOARD else [])])
def test_it_runs_forks_and_ends_in_order(python: str, version: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, "-c", SCRIPT, str(tmp_path / "toy.engine"), version],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT), PYTHONUNBUFFERED="1"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    # Two buffers take turns as output, and there is one for the array.
    assert done.stdout.splitlines() == ["50.0 True 3", "refused", "left False"]
