"""The engines that were built on this board: where they lie, and whether they may be loaded.

`engines/` is outside the manifest's hashes and has `engines.json` of its own. An engine is loaded
only where its key is the one that building it here and now would give.
"""

import hashlib
import json
import os
from typing import Any, Dict, List, Mapping, NamedTuple

from sam2lite.contracts import build_plan
from sam2lite.contracts.build_plan import ENGINES_FOLDER, PLAN_FILE, BuildPlan
from sam2lite.contracts.manifest import GRAPHS_FOLDER, Manifest
from sam2lite.errors import BundleError
from sam2lite.files.atomic import write_atomically
from sam2lite.files.file_hash import file_sha256
from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice

ENGINES_VERSION = 1
ENGINES_FILE = "engines.json"
VERIFICATION_FILE = "verification.json"  # how far the engines are off, where that was measured
BUILD_COMMAND = "python3 device.pyz build"


class EngineEntry(NamedTuple):
    """What is known about one engine.

    Attributes:
        file: its name in `engines/`.
        key: of `engine_key` when it was built.
        sha256: of the file.
        bytes: of the file.
        seconds: that building took.
        tensorrt: the full version that built it, and that alone may load it.
        device: the GPU's name.
        compute_capability: of the GPU, such as "5.3".
        built: when, as ISO 8601 in UTC.
    """

    file: str
    key: str
    sha256: str
    bytes: int
    seconds: float
    tensorrt: str
    device: str
    compute_capability: str
    built: str


def read_plan(bundle_path: str) -> BuildPlan:
    """Read the build plan of a bundle.

    Raises:
        BundleError: there is none, or it cannot be read or understood.
    """
    path = os.path.join(str(bundle_path), PLAN_FILE)
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except (OSError, ValueError) as error:
        raise BundleError(
            "cannot read {} ({}), which says how engines are built; copy the bundle again".format(
                path, error
            )
        )
    return build_plan.loads(text, path)


def input_files(manifest: Manifest, plan: BuildPlan, graph_key: str) -> List[str]:
    """Return the files that an engine is made of: its graph, weights and calibration cache.

    Args:
        manifest: lists them; beside the graphs lie the weights that they share.
        plan: names the graph's file.
        graph_key: of the graph.

    Raises:
        BundleError: the plan has no such graph, or names a file that the manifest does not list.
    """
    graph = plan.graphs.get(graph_key)
    if graph is None:
        raise BundleError(
            "{} has no graph {!r}; export the bundle again".format(PLAN_FILE, graph_key)
        )
    shared = [
        name
        for name in sorted(manifest.files)
        if name.startswith(GRAPHS_FOLDER + "/") and not name.endswith(".onnx")
    ]
    found = [graph.onnx, *shared]
    if graph.calibration_cache is not None and graph.calibration_cache not in found:
        found.append(graph.calibration_cache)
    for name in found:
        if name not in manifest.files:
            raise BundleError(
                "{} names {}, which the manifest does not list; export the bundle again".format(
                    PLAN_FILE, name
                )
            )
    return found


def engine_key(
    manifest: Manifest,
    plan: BuildPlan,
    graph_key: str,
    tensorrt_version: str,
    device: CudaDevice,
) -> str:
    """Return the SHA-256 of everything that decides what an engine is.

    The workspace is the plan's: `build --workspace-mb` changes how kernels are tried out, and what
    it gives is as good an engine of the same graph.

    Args:
        manifest: has the hashes of the files.
        plan: of the bundle.
        graph_key: of the graph.
        tensorrt_version: `tensorrt.__version__`.
        device: the GPU here.

    Raises:
        BundleError: see `input_files`.
    """
    made_of = {
        "files": {
            name: manifest.files[name].sha256 for name in input_files(manifest, plan, graph_key)
        },
        "plan": dict(plan.graphs[graph_key]._asdict()),
        "strongly_typed": plan.strongly_typed,
        "workspace_mb": plan.workspace_mb,
        "tensorrt": tensorrt_version,
        "device": device.name,
        "compute_capability": device.compute_capability,
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode("utf-8")).hexdigest()


def is_current(manifest: Manifest, plan: BuildPlan, graph_key: str, entry: EngineEntry) -> bool:
    """Return whether an engine was made of the graph, weights and plan that the bundle has now.

    Whether it may be loaded on some machine is another question: see `find_engine`.
    """
    device = CudaDevice(entry.device, entry.compute_capability, 0)
    return entry.key == engine_key(manifest, plan, graph_key, entry.tensorrt, device)


def engine_file(graph_key: str) -> str:
    """Return the name of a graph's engine in `engines/`."""
    return graph_key + ".engine"


def engine_path(bundle_path: str, name: str) -> str:
    """Return the path of a file in `engines/`."""
    return os.path.join(str(bundle_path), ENGINES_FOLDER, name)


def read_engines(bundle_path: str) -> Dict[str, EngineEntry]:
    """Read what is known about the engines of a bundle, by the key of their graph.

    Returns:
        nothing where none was built yet.

    Raises:
        BundleError: `engines.json` cannot be read or understood; the message says what to do.
    """
    path = engine_path(bundle_path, ENGINES_FILE)
    if not os.path.exists(path):
        return {}
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        return _entries(data)
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            "{} cannot be used ({}: {}); build all engines again with: {} --force".format(
                path, type(error).__name__, error, BUILD_COMMAND
            )
        ) from None


def write_engines(bundle_path: str, entries: Mapping[str, EngineEntry]) -> None:
    """Write `engines.json` in one step.

    Raises:
        OSError: `engines/` cannot be written.
    """
    data = {
        "engines_version": ENGINES_VERSION,
        "engines": {key: dict(entry._asdict()) for key, entry in sorted(entries.items())},
    }
    text = json.dumps(data, indent=1) + "\n"
    write_atomically(engine_path(bundle_path, ENGINES_FILE), text.encode("utf-8"))


def find_engine(
    bundle_path: str,
    manifest: Manifest,
    plan: BuildPlan,
    graph_key: str,
    tensorrt_version: str,
    device: CudaDevice,
) -> str:
    """Return the path of a graph's engine, if that may be loaded here.

    Args:
        bundle_path: the bundle.
        manifest: of the bundle.
        plan: of the bundle.
        graph_key: of the graph.
        tensorrt_version: `tensorrt.__version__`.
        device: the GPU here.

    Raises:
        BundleError: it is not built yet, was built by another TensorRT, on another device or from
            other files, or is damaged; the message says which, and how to build it.
    """
    entry = read_engines(bundle_path).get(graph_key)
    if entry is None:
        raise _unusable(graph_key, "is not built yet")
    if entry.tensorrt != tensorrt_version:
        raise _unusable(
            graph_key,
            "was built by TensorRT {}, and here is {}".format(entry.tensorrt, tensorrt_version),
        )
    if (entry.device, entry.compute_capability) != (device.name, device.compute_capability):
        raise _unusable(
            graph_key,
            "was built on {} (compute capability {}), and here is {} ({})".format(
                entry.device, entry.compute_capability, device.name, device.compute_capability
            ),
        )
    if entry.key != engine_key(manifest, plan, graph_key, tensorrt_version, device):
        raise _unusable(graph_key, "is stale: its graph, weights or plan changed since")
    path = engine_path(bundle_path, entry.file)
    if not os.path.isfile(path):
        raise _unusable(graph_key, "is listed, but {} is missing".format(path))
    if os.path.getsize(path) != entry.bytes or file_sha256(path) != entry.sha256:
        raise _unusable(graph_key, "is damaged: {} is not what was written".format(path))
    return path


def _unusable(graph_key: str, state: str) -> BundleError:
    return BundleError("the engine of {} {}; run: {}".format(graph_key, state, BUILD_COMMAND))


def _entries(data: Mapping[str, Any]) -> Dict[str, EngineEntry]:
    if data["engines_version"] != ENGINES_VERSION:
        raise ValueError("version {!r}".format(data["engines_version"]))
    return {str(key): _entry(entry) for key, entry in data["engines"].items()}


def _entry(data: Mapping[str, Any]) -> EngineEntry:
    entry = EngineEntry(**data)
    # The file is outside the manifest's hashes, so it must not lead out of its folder.
    if os.path.basename(entry.file) != entry.file:
        raise ValueError("the file {!r} is not in {}/".format(entry.file, ENGINES_FOLDER))
    return entry
