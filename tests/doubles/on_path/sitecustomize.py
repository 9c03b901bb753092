"""Python imports this when it starts with this folder on PYTHONPATH: a board with a double's GPU.

The environment variable CUDA_DOUBLE holds name, compute capability and bytes, or what is wrong.
"""

import json
import os
import sys
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def probe() -> object:
    from collections import namedtuple

    from sam2lite.errors import SessionError

    fields = json.loads(os.environ["CUDA_DOUBLE"])
    if isinstance(fields, str):
        raise SessionError(fields)
    return namedtuple("CudaDevice", "name compute_capability memory_bytes")(*fields)


class _Cuda(types.ModuleType):
    """Has `probe`; what else modules import of it is never called, for nothing runs on this GPU."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return object()


if "CUDA_DOUBLE" in os.environ:
    module = _Cuda("sam2lite.runtimes.backends.tensorrt.cuda")
    module.__dict__["probe"] = probe
    sys.modules[module.__name__] = module
