"""The engines that were built on this board: where they lie, and whether they may be loaded.

`engines/` is outside the manifest's hashes and has `engines.json` of its own. An engine is loaded
only where its key is the one that building it here and now would give, and where its entry has the
seal of this user on this machine: engines are code, and bundles come from strangers.
"""

import hashlib
import json
import os
from typing import Any, Dict, List, Mapping, NamedTuple

from sam2lite.contracts import build_plan
from sam2lite.contracts.build_plan import ENGINES_FOLDER, MAX_PLAN_BYTES, PLAN_FILE, BuildPlan
from sam2lite.contracts.fields import digits, number, record, table, whole, word
from sam2lite.contracts.keys import graph_key as check_key
from sam2lite.contracts.manifest import GRAPHS_FOLDER, Manifest
from sam2lite.errors import BundleError
from sam2lite.files.atomic import write_atomically
from sam2lite.files.file_hash import file_sha256
from sam2lite.files.json_reading import read_json
from sam2lite.files.names import check_name, inside, is_regular
from sam2lite.files.reading import read_bytes
from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice
from sam2lite.runtimes.backends.tensorrt.machine_secret import is_sealed, read_secret, seal

ENGINES_VERSION = 2
_UNSEALED_VERSION = 1  # from before engines had seals
_MAX_BYTES = 1 << 20  # of engines.json
_MOST_BYTES = 4 << 30  # of an engine
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
        seal: of `sealed`; empty where the entry is older than seals.
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
    seal: str = ""


_ENTRY = {
    "file": word,
    "key": word,
    "sha256": digits(64),
    "bytes": whole(0, _MOST_BYTES),
    "seconds": number,
    "tensorrt": word,
    "device": word,
    "compute_capability": word,
    "built": word,
}
_ENGINES = {
    version: record(
        {
            "engines_version": whole(version, version),
            "engines": table(record(entry), key=check_key, most=1000),
        }
    )
    for version, entry in (
        (_UNSEALED_VERSION, _ENTRY),
        (ENGINES_VERSION, dict(_ENTRY, seal=word)),
    )
}


def read_plan(bundle_path: str) -> BuildPlan:
    """Read the build plan of a bundle.

    Raises:
        BundleError: there is none, or it cannot be read or understood.
    """
    path = inside(str(bundle_path), PLAN_FILE, BundleError)
    remedy = "it says how engines are built; copy the bundle again"
    return build_plan.loads(read_bytes(path, MAX_PLAN_BYTES, BundleError, remedy), path)


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


def engines_folder(bundle_path: str) -> str:
    """Return the folder `engines/` of a bundle, which may not be there yet.

    Raises:
        BundleError: it is a link, so that what is written or removed there would be elsewhere.
    """
    return inside(str(bundle_path), ENGINES_FOLDER, BundleError)


def engine_path(bundle_path: str, name: str) -> str:
    """Return the path of a file in `engines/`.

    Raises:
        BundleError: the name leads out of it, or it or the file is a link.
    """
    return inside(engines_folder(bundle_path), name, BundleError)


def read_engines(bundle_path: str) -> Dict[str, EngineEntry]:
    """Read what is known about the engines of a bundle, by the key of their graph.

    Returns:
        nothing where none was built yet.

    Raises:
        BundleError: `engines.json` cannot be read or understood; the message says what to do.
    """
    path = engine_path(bundle_path, ENGINES_FILE)
    if not os.path.lexists(path):
        return {}
    remedy = "build all engines again with: {} --force".format(BUILD_COMMAND)
    data = read_json(path, BundleError, remedy, max_bytes=_MAX_BYTES)
    try:
        version = data.get("engines_version") if isinstance(data, dict) else None
        _ENGINES[_UNSEALED_VERSION if version == _UNSEALED_VERSION else ENGINES_VERSION](data, "")
        return {key: _entry(key, entry) for key, entry in data["engines"].items()}
    except ValueError as error:
        raise BundleError("{} cannot be used ({}); {}".format(path, error, remedy)) from None


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
            other files, by somebody else, or is damaged; the message says which, and how to build
            it.
        SessionError: it cannot be told who built it; see `read_secret`.
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
    _require_seal(graph_key, entry)
    path = engine_path(bundle_path, entry.file)
    if not os.path.lexists(path):
        raise _unusable(graph_key, "is listed, but {} is missing".format(path))
    if (
        not is_regular(path)
        or os.path.getsize(path) != entry.bytes
        or file_sha256(path) != entry.sha256
    ):
        raise _unusable(graph_key, "is damaged: {} is not what was written".format(path))
    return path


def sealed(graph_key: str, entry: EngineEntry, secret: bytes) -> EngineEntry:
    """Return an entry with the seal of whoever has the secret: over the graph and all fields."""
    return entry._replace(seal=seal(secret, _words(graph_key, entry)))


def _require_seal(graph_key: str, entry: EngineEntry) -> None:
    if not entry.seal:
        raise _unusable(
            graph_key, "was built by an older sam2lite, which did not note who built it"
        )
    secret = read_secret()
    if secret is None or not is_sealed(secret, _words(graph_key, entry), entry.seal):
        raise _unusable(
            graph_key,
            "was not built by this user on this machine, and engines are code: those of others "
            "are not loaded",
        )


def _words(graph_key: str, entry: EngineEntry) -> bytes:
    fields = dict(entry._asdict(), seal="")
    return json.dumps([graph_key, fields], sort_keys=True).encode("utf-8")


def _unusable(graph_key: str, state: str) -> BundleError:
    return BundleError("the engine of {} {}; run: {}".format(graph_key, state, BUILD_COMMAND))


def _entry(key: str, data: Mapping[str, Any]) -> EngineEntry:
    entry = EngineEntry(**data)
    if check_name(entry.file, "engines." + key, BundleError) != engine_file(key):
        raise ValueError("engines.{}.file is {}, not {}".format(key, entry.file, engine_file(key)))
    return entry
