"""Build an engine through polygraphy, where TensorRT is 8.5 or newer.

The network, its flags, its pins and its workspace are those of `device.tensorrt_builder`, so that
an engine is the same whoever built it on a machine. Names and arguments are those of polygraphy
0.53.6.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.contracts.build_plan import FP16, INT8
from sam2lite.device.tensorrt.builder import Built, failure, pin_nodes
from sam2lite.device.tensorrt.log import make_logger

if TYPE_CHECKING:
    from sam2lite.device.tensorrt.builder import Request


def build_with_polygraphy(
    trt: Any, request: Request, say: Callable[[str], None] | None = None
) -> Built:
    """Build an engine; arguments and errors are those of `build_engine`."""
    from polygraphy.backend.trt import util
    from polygraphy.logger import G_LOGGER

    logger = _logger_of(trt)
    logger.errors.clear()
    logger.say = say
    util.TRT_LOGGER = logger  # what its loaders give TensorRT; without one they print
    silence = G_LOGGER.verbosity(G_LOGGER.CRITICAL + 1)  # what it logs goes to standard output
    with silence, tempfile.TemporaryDirectory() as scratch:
        try:
            return _build(trt, request, Path(scratch))
        except Exception as error:  # polygraphy's own says no more than that it went wrong
            said = logger.errors or [f"{type(error).__name__}: {error}"]
            raise failure(trt, request, said) from error


@functools.cache
def _logger_of(trt: Any) -> Any:
    """Return the one logger of this process: TensorRT's plugins keep the first that they get."""
    return make_logger(trt, None)


def _build(trt: Any, request: Request, scratch: Path) -> Built:
    from polygraphy.backend.trt import (
        CreateConfig,
        EngineBytesFromNetwork,
        NetworkFromOnnxPath,
        PostprocessNetwork,
    )

    notes: list[str] = []
    flags = () if request.strongly_typed else request.plan.flags
    pinned = bool(request.plan.fp32_nodes) and not request.strongly_typed

    def pin(network: Any) -> None:
        if pinned:
            notes.extend(pin_nodes(trt, network, request))

    # Two files: into one that is there, polygraphy merges what this machine did not measure.
    known, measured = scratch / "known.cache", scratch / "measured.cache"
    if request.timing_cache:
        known.write_bytes(request.timing_cache)
    parsed = NetworkFromOnnxPath(request.onnx_path, strongly_typed=request.strongly_typed)
    config = CreateConfig(
        tf32=False,
        fp16=FP16 in flags,
        int8=INT8 in flags,
        precision_constraints="obey" if pinned else None,
        memory_pool_limits={trt.MemoryPoolType.WORKSPACE: request.workspace_mb << 20},
        load_timing_cache=str(known) if request.timing_cache else None,
        profiling_verbosity=trt.ProfilingVerbosity.LAYER_NAMES_ONLY,  # TensorRT's own default
    )
    network = PostprocessNetwork(parsed, pin)
    engine = EngineBytesFromNetwork(network, config, save_timing_cache=str(measured))()
    return Built(memoryview(engine), measured.read_bytes(), tuple(notes))
