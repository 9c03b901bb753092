"""Find the layers that break an FP16 engine, by building it with some of them in FP32."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sam2lite.contracts.manifest import GraphEntry
from sam2lite.device.tensorrt.graph_build import request_for
from sam2lite.exporter.onnx.value_types import value_types
from sam2lite.exporter.precision.bisect_fp16 import MOST_BUILDS, Bisection, find_breaking_nodes
from sam2lite.exporter.precision.fp16_convert import to_fp16
from sam2lite.exporter.tensorrt.engine_check import EngineCheck, EngineTest, engine_runner

if TYPE_CHECKING:
    import onnx

    from sam2lite.device.tensorrt.builder import Request
    from sam2lite.device.tensorrt.graph_build import Build, Job


class Subject(NamedTuple):
    """The graph whose FP16 engine misses its bound.

    Attributes:
        key: in the manifest.
        entry: of the manifest.
        rung: input side, px.
        model: the graph in FP32, its weights inside.
        pinned: names of the nodes that are in FP32 already.
    """

    key: str
    entry: GraphEntry
    rung: int
    model: onnx.ModelProto
    pinned: frozenset[str]


def bisect_engine(
    job: Job,
    subject: Subject,
    test: EngineTest,
    build: Build,
    report: Callable[[str], None] = lambda text: None,
    most_builds: int = MOST_BUILDS,
) -> Bisection:
    """Build a graph's engine again and again; the bundle is not changed.

    Args:
        job: the bundle, and what builds.
        subject: the graph.
        test: what engines are compared with.
        build: makes an engine.
        report: told the outcome of every build.
        most_builds: see `find_breaking_nodes`.

    Raises:
        SessionError: an engine cannot be built or run.
    """
    with tempfile.TemporaryDirectory() as scratch:
        trial = _Trial(job, subject, test, build, Path(scratch))
        count = 0

        def passes(extra: frozenset[str]) -> bool:
            nonlocal count
            count += 1
            found = trial.check(extra)
            report(
                f"{subject.key}: build {count}, {len(extra)} more nodes in FP32: {found.describe()}"
            )
            return found.holds

        nodes = fp16_nodes(subject.model, subject.pinned)
        return find_breaking_nodes(nodes, passes, most_builds=most_builds)


def fp16_nodes(model: onnx.ModelProto, pinned: frozenset[str]) -> list[str]:
    """Return the names of the nodes that compute in FP16, in order.

    Args:
        model: the graph in FP32.
        pinned: names of the nodes that do not.
    """
    from onnx import TensorProto

    floats = {name for name, kind in value_types(model).items() if kind == TensorProto.FLOAT}
    return [
        node.name
        for node in model.graph.node
        if node.name not in pinned and not floats.isdisjoint((*node.input, *node.output))
    ]


class _Trial:
    """Builds and tests one graph with some nodes in FP32."""

    def __init__(
        self, job: Job, subject: Subject, test: EngineTest, build: Build, scratch: Path
    ) -> None:
        self._job, self._subject, self._test, self._build = job, subject, test, build
        self._onnx, self._engine = scratch / "graph.onnx", scratch / "graph.engine"

    def check(self, extra: frozenset[str]) -> EngineCheck:
        """Return how far the engine is off with more nodes in FP32."""
        subject = self._subject
        request = self._request(subject.pinned | extra)
        built = self._build(self._job.board.trt, request, None)
        self._engine.write_bytes(built.engine)
        spec, precision = subject.entry.spec, subject.entry.precision
        with engine_runner(spec, str(self._engine)) as run:
            return self._test.check(spec, subject.rung, precision, run, self._onnx)

    def _request(self, pinned: frozenset[str]) -> Request:
        """Return what is asked of TensorRT: by types in the graph, or by names in the plan."""
        import onnx

        request = request_for(self._job, self._subject.key)
        model = self._subject.model
        if request.strongly_typed:
            onnx.save(to_fp16(model, pinned), self._onnx)
            return request._replace(onnx_path=str(self._onnx))
        onnx.save(model, self._onnx)
        plan = request.plan._replace(fp32_nodes=tuple(sorted(pinned)))
        return request._replace(onnx_path=str(self._onnx), plan=plan)
