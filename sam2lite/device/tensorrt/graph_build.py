"""Build the engine of one graph in this process, and write it beside what is known about it."""

import os
import time
from typing import Any, Callable, NamedTuple, Optional

from sam2lite.contracts.build_plan import ENGINES_FOLDER, BuildPlan
from sam2lite.contracts.manifest import Manifest
from sam2lite.device.opening import warn
from sam2lite.device.tensorrt.board import Board
from sam2lite.device.tensorrt.builder import Built, Request, build_engine
from sam2lite.device.tensorrt.timing_cache import maker, read_timing_cache, write_timing_cache
from sam2lite.errors import BundleError, OutputError
from sam2lite.files.atomic import write_atomically
from sam2lite.files.file_hash import file_sha256
from sam2lite.files.names import inside
from sam2lite.files.reading import read_bytes
from sam2lite.runtimes.backends.onnx_external import check_external
from sam2lite.runtimes.backends.tensorrt.engines import (
    EngineEntry,
    engine_file,
    engine_key,
    engine_path,
    find_engine,
    input_files,
    read_engines,
    sealed,
    write_engines,
)
from sam2lite.runtimes.backends.tensorrt.machine_secret import make_secret
from sam2lite.runtimes.bundle_files import check_files

_MAX_CACHE_BYTES = 16 << 20  # of a calibration cache: a line a tensor

# Builds an engine; arguments and errors are those of `build_engine`.
Build = Callable[[Any, Request, Optional[Callable[[str], None]]], Built]


class Job(NamedTuple):
    """What `build` works on.

    Attributes:
        bundle: its folder.
        manifest: of the bundle.
        plan: of the bundle.
        board: what builds.
        workspace_mb: memory to try kernels in, MiB.
        verbose: whether warnings of TensorRT are shown.
    """

    bundle: str
    manifest: Manifest
    plan: BuildPlan
    board: Board
    workspace_mb: int
    verbose: bool


def is_built(job: Job, key: str) -> bool:
    """Return whether a graph has an engine that may be loaded here.

    Raises:
        BundleError: `engines.json` cannot be read.
    """
    read_engines(job.bundle)  # damaged, it does not say that an engine is missing
    try:
        find_engine(job.bundle, job.manifest, job.plan, key, job.board.version, job.board.device)
    except BundleError:
        return False
    return True


def build_graph(job: Job, key: str, build: Build = build_engine) -> EngineEntry:
    """Build a graph and write its engine, `engines.json` and the timing cache.

    Args:
        job: the bundle, and what builds.
        key: of the graph.
        build: makes the engine.

    Raises:
        BundleError: a file of the graph is not what the manifest says, or it has weights in one
            that the manifest does not list.
        SessionError: see `build_engine`.
        OutputError: `engines/` cannot be written.
    """
    names = input_files(job.manifest, job.plan, key)
    check_files(job.bundle, job.manifest, names)
    onnx = job.plan.graphs[key].onnx
    check_external(_path(job.bundle, onnx), onnx, job.manifest.files)
    # Whatever hinders writing is told before the minutes that building takes.
    path, secret = engine_path(job.bundle, engine_file(key)), make_secret()
    started = time.perf_counter()
    here = maker(job.board.version, job.board.device)
    request = request_for(job, key)
    built = build(job.board.trt, request, warn if job.verbose else None)
    for note in built.notes:
        warn(note)
    try:
        write_atomically(path, built.engine)
        entry = EngineEntry(
            file=engine_file(key),
            key=engine_key(job.manifest, job.plan, key, job.board.version, job.board.device),
            sha256=file_sha256(path),
            bytes=os.path.getsize(path),
            seconds=round(time.perf_counter() - started, 1),
            tensorrt=job.board.version,
            device=job.board.device.name,
            compute_capability=job.board.device.compute_capability,
            built=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
        entry = sealed(key, entry, secret)
        entries = read_engines(job.bundle)
        entries[key] = entry
        write_engines(job.bundle, entries)
        write_timing_cache(job.bundle, here, built.timing_cache, secret)
    except OSError as error:
        raise OutputError(
            "{}: cannot write {}/{}: {}; free some space, and make the folder yours".format(
                key, job.bundle, ENGINES_FOLDER, error.strerror
            )
        )
    return entry


def request_for(job: Job, key: str) -> Request:
    """Return what is asked of TensorRT for a graph."""
    graph = job.plan.graphs[key]
    return Request(
        key,
        graph,
        os.path.abspath(_path(job.bundle, graph.onnx)),
        _read(job.bundle, graph.calibration_cache) if graph.calibration_cache else None,
        job.plan.strongly_typed,
        job.workspace_mb,
        _timing_cache(job, key),
    )


def _timing_cache(job: Job, key: str) -> bytes:
    try:
        found = read_timing_cache(
            job.bundle, maker(job.board.version, job.board.device), make_secret()
        )
    except BundleError as error:
        warn("{}: {}".format(key, error))
        return b""
    return found or b""


def _path(bundle: str, name: str) -> str:
    return inside(bundle, name, BundleError)


def _read(bundle: str, name: str) -> bytes:
    remedy = "copy or export the bundle again"
    return read_bytes(_path(bundle, name), _MAX_CACHE_BYTES, BundleError, remedy)
