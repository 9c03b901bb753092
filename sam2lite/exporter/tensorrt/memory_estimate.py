"""Does a bundle fit the memory of its board? An estimate, made before any board has seen it.

Computed from the graphs: weights, activations, inputs and outputs (`graph_memory`). Taken from logs
of others: what CUDA and TensorRT take (`library_memory`). Assumed: the constants below. Nothing was
measured on a board, so what comes near the limit is called tight. A Jetson's GPU and CPU share one
memory; on a PC they do not, and the figures are an upper bound for either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from sam2lite.errors import ArgumentError, VerificationError
from sam2lite.exporter.tensorrt.graph_memory import GraphMemory, graph_memory, input_bytes
from sam2lite.exporter.tensorrt.library_memory import LibraryMemory, library_memory
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.tensorrt.ops import read_version

if TYPE_CHECKING:
    import onnx

FITS, TIGHT, TOO_LARGE = "fits", "tight", "too large"
DEFAULT_WORKSPACE_MB = 256

_MIB = 2**20
# Kernels' scratch memory beside the activations: 0.30 and 0.33 of them in the logs of
# zhiqwang/yolort issue 421 and NVIDIA/TensorRT issue 2460.
_SCRATCH = 1 / 3
# What firmware and carve-outs take: an Orin Nano of 8192 MiB shows 7471.
_RESERVED = 0.09
# Above this share of what is free, an error of the estimate may matter. Inferred.
_TIGHT = 0.85
# JetPack compresses pages into half of the memory (nvzramconfig). A build may lean on that, because
# the builder's libraries are touched once; a frame loop may not.
_SWAP = 0.5


@dataclass(frozen=True)
class RungMemory:
    """One rung.

    Attributes:
        rung: side of its input, px.
        own_mb: its graphs as engines; what it adds to others that are open.
        run_mb: a process that has this rung alone open, with all that is shared.
        build_mb: most that building one of its graphs takes, with the builder.
    """

    rung: int
    own_mb: int
    run_mb: int
    build_mb: int


@dataclass(frozen=True)
class SizeVerdict:
    """How a bundle stands to a board of one memory size: `fits`, `tight` or `too large`.

    Attributes:
        memory_mb: that it is sold with.
        free_mb: left for the process by firmware and system, without a desktop.
        run: of each rung alone.
        build: of each rung; `tight` leans on swap.
        all_rungs: of all rungs open at once, which is what a loop that changes rungs ends with.
        keep: rungs that can be built and then be open together: all, or as many of the smallest.
    """

    memory_mb: int
    free_mb: int
    run: dict[int, str]
    build: dict[int, str]
    all_rungs: str
    keep: tuple[int, ...]


@dataclass(frozen=True)
class MemoryReport:
    """The estimate of a bundle.

    Attributes:
        target: id of the profile.
        tensorrt: version that `libraries` is about.
        workspace_mb: that the builder may use.
        objects: tracked at once, each with a bank and a last mask.
        libraries: what no graph has a part in.
        graphs: by key.
        rungs: ascending.
        all_rungs_mb: a process that has all rungs open.
        sizes: verdicts, by the sizes that the board is sold with; none where it may have any.
    """

    target: str
    tensorrt: str
    workspace_mb: int
    objects: int
    libraries: LibraryMemory
    graphs: dict[str, GraphMemory]
    rungs: tuple[RungMemory, ...]
    all_rungs_mb: int
    sizes: tuple[SizeVerdict, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data, for the manifest."""
        return {
            "estimate": True,
            **{
                name: getattr(self, name)
                for name in ("target", "tensorrt", "workspace_mb", "objects", "all_rungs_mb")
            },
            "libraries": {
                "run_mb": self.libraries.run_mb,
                "build_mb": self.libraries.build_mb,
                "system_mb": self.libraries.system_mb,
                "source": self.libraries.source,
            },
            "graphs_bytes": {key: asdict(graph) for key, graph in self.graphs.items()},
            "rungs": [asdict(rung) for rung in self.rungs],
            "warnings": self.warnings(),
            "sizes": [
                {
                    **asdict(size),
                    "run": {str(rung): verdict for rung, verdict in size.run.items()},
                    "build": {str(rung): verdict for rung, verdict in size.build.items()},
                    "keep": list(size.keep),
                }
                for size in self.sizes
            ],
        }

    def require_fit(self) -> None:
        """Refuse a bundle with a rung that no board of the target can build and run.

        Raises:
            VerificationError: there is one; the message names the rungs that do fit.
        """
        if not self.sizes:
            return
        largest = max(self.sizes, key=lambda size: size.memory_mb)
        lost = [
            rung.rung
            for rung in self.rungs
            if TOO_LARGE in (largest.run[rung.rung], largest.build[rung.rung])
        ]
        if lost:
            rest = [rung.rung for rung in self.rungs if rung.rung not in lost]
            remedy = f"give --rungs {_list(rest)}" if rest else "choose a smaller model"
            raise VerificationError(
                f"rungs {_list(lost)} do not fit {self.target}, which leaves {largest.free_mb} MiB "
                f"of {largest.memory_mb} to a program: {remedy}"
            )

    def warnings(self) -> list[str]:
        """Return what a user should know who has the smaller board."""
        lines = []
        for size in self.sizes:
            name = f"{self.target} with {size.memory_mb} MiB"
            if len(size.keep) < len(self.rungs):
                keep = f"keep --rungs {_list(size.keep)}" if size.keep else "no rung fits"
                lines.append(f"{name}: not all rungs fit at once; {keep}")
            elif size.all_rungs == TIGHT:
                lines.append(f"{name}: tight; run it without a desktop and nothing beside")
            if TIGHT in size.build.values():
                lines.append(f"{name}: building is tight; add swap for it")
        return lines


def estimate_memory(
    models: Sequence[tuple[str, onnx.ModelProto]],
    precisions: Mapping[str, str],
    profile: TargetProfile,
    workspace_mb: int = DEFAULT_WORKSPACE_MB,
    objects: int = 1,
    kept: Collection[str] = (),
) -> MemoryReport:
    """Estimate what a bundle for TensorRT takes, and how that stands to its target's memory.

    Args:
        models: the graphs of all rungs by key; weights may be in another
            file.
        precisions: `fp32`, `fp16` or `int8`, by the same keys; see `graph_memory`.
        profile: a target with TensorRT, under the JetPack that the bundle is for.
        workspace_mb: that the builder may use.
        objects: tracked at once.
        kept: names of inputs that the loop keeps for every object; see `TensorInfo.kept`.

    Raises:
        ArgumentError: the target has no TensorRT.
        ExportError: the shape of a tensor is not known.
    """
    if profile.tensorrt is None:
        raise ArgumentError(
            f"the memory estimate is for TensorRT, and target '{profile.id}' has none"
        )
    libraries = library_memory(read_version(profile.tensorrt.version))
    graphs = {key: graph_memory(model, precisions[key]) for key, model in models}
    shared = libraries.run_mb + _mb(
        [_run_bytes(graph) for key, graph in graphs.items() if "@" not in key]
        + [objects * max(_object_bytes(model, kept) for _, model in models)]
    )
    build_mb = libraries.build_mb + workspace_mb
    by_rung: dict[int, list[GraphMemory]] = {}
    for key, graph in graphs.items():
        if "@" in key:
            by_rung.setdefault(int(key.partition("@")[2]), []).append(graph)
    own = {rung: _mb(map(_run_bytes, group)) for rung, group in sorted(by_rung.items())}
    rungs = tuple(
        RungMemory(
            rung, mb, shared + mb, build_mb + max(_mb([_build_bytes(g)]) for g in by_rung[rung])
        )
        for rung, mb in own.items()
    )
    return MemoryReport(
        profile.id,
        profile.tensorrt.version,
        workspace_mb,
        objects,
        libraries,
        graphs,
        rungs,
        shared + sum(own.values()),
        tuple(_verdict(size, libraries, rungs) for size in profile.memory_mb),
    )


def _run_bytes(graph: GraphMemory) -> float:
    return graph.weights + graph.activations * (1 + _SCRATCH) + graph.border


def _build_bytes(graph: GraphMemory) -> float:
    # The file and the parsed network, the engine and its serialised copy.
    return 2 * graph.stored + 2 * graph.weights + graph.activations + graph.border


def _object_bytes(model: onnx.ModelProto, kept: Collection[str]) -> int:
    """Return what of a graph's inputs is kept between frames: an object's bank, its last mask."""
    return sum(size for name, size in input_bytes(model).items() if name in kept)


def _verdict(memory_mb: int, libraries: LibraryMemory, rungs: Sequence[RungMemory]) -> SizeVerdict:
    free = int(memory_mb * (1 - _RESERVED)) - libraries.system_mb
    build = {
        rung.rung: _judge(rung.build_mb, free, free + int(memory_mb * _SWAP)) for rung in rungs
    }
    keep: list[int] = []
    open_mb = 0
    for rung in rungs:
        open_mb = open_mb + rung.own_mb if keep else rung.run_mb
        if build[rung.rung] == TOO_LARGE or open_mb > free:
            break
        keep.append(rung.rung)
    total = rungs[0].run_mb + sum(rung.own_mb for rung in rungs[1:])
    return SizeVerdict(
        memory_mb,
        free,
        {rung.rung: _judge(rung.run_mb, free, free) for rung in rungs},
        build,
        _judge(total, free, free),
        tuple(keep),
    )


def _judge(need_mb: int, free_mb: int, limit_mb: int) -> str:
    if need_mb > limit_mb:
        return TOO_LARGE
    return FITS if need_mb <= _TIGHT * free_mb else TIGHT


def _mb(sizes: Iterable[float]) -> int:
    return ceil(sum(sizes) / _MIB)


def _list(rungs: Iterable[int]) -> str:
    return ",".join(map(str, rungs))
