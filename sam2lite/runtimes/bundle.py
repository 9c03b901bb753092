"""Open a bundle: read its manifest, check every file, give its sessions.

Nothing here needs NumPy before a session is opened, so that a board without it can be told so.
"""

import hashlib
import os
import warnings
from typing import TYPE_CHECKING, Callable, List, Optional, Tuple

from sam2lite.contracts import manifest as schema
from sam2lite.contracts.backends import backend_names, get_backend
from sam2lite.contracts.family import Family, get_family
from sam2lite.contracts.manifest import Manifest
from sam2lite.contracts.manifest_fields import MAX_BYTES
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import ArgumentError, BundleError, TargetWarning, UnknownNameError
from sam2lite.files.names import inside
from sam2lite.files.reading import read_bytes
from sam2lite.runtimes.backends.adapter import adapter_of
from sam2lite.runtimes.bundle_files import check_files, check_folder
from sam2lite.targets.advice.fit import misfits, usable_threads
from sam2lite.targets.machine import read_machine

if TYPE_CHECKING:
    from sam2lite.runtimes.session import Session

# Opens a graph, given its spec, the path of its file or package, and the name of its function or
# None.
Opener = Callable[[GraphSpec, str, Optional[str]], "Session"]


class Bundle:
    """A checked bundle.

    Attributes:
        path: the directory.
        manifest: its parsed manifest.
        sha256: of `manifest.json`, which holds the hashes of all other files.
        backend: that its sessions are of; one that runs what the manifest's backend does.
        simulate: what opens graphs where the backend itself is not there; see `open_bundle`.
        is_kept: whether it will be opened again, so that what is compiled of it may be kept; not
            so while an export tries what it writes.
    """

    is_kept = True

    def __init__(
        self,
        path: str,
        manifest: Manifest,
        sha256: str,
        backend: str,
        simulate: Optional[Opener] = None,
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.sha256 = sha256
        self.backend = backend
        self.simulate = simulate

    @property
    def family(self) -> Family:
        """The family of its network."""
        return get_family(self.manifest.model.family)

    def check_rung(self, rung: int) -> None:
        """Raise UnknownNameError unless the bundle holds the rung."""
        if rung not in self.manifest.rungs:
            raise UnknownNameError("rung", rung, self.manifest.rungs)

    def default_threads(self) -> int:
        """Return the thread count of the target, and no more than this process may use."""
        return usable_threads(self.manifest.target.get("threads"), read_machine())

    def misfits(self) -> List[str]:
        """Return what makes it less accurate or slower here, a sentence each.

        Nothing is said of a bundle that something else runs than what it was made for.
        """
        if self.simulate is not None or self.backend != self.manifest.backend:
            return []
        return misfits(self.manifest.target, self.manifest.precision, read_machine())

    def share_threads(self, threads: Optional[int] = None) -> None:
        """Let all sessions of this process share one thread pool, where the backend has one.

        Args:
            threads: of the pool; the target's default if not given.

        Raises:
            SessionError: the backend is not available, or the pool has another size already.
        """
        adapter = adapter_of(self.backend)
        if hasattr(adapter, "share_threads"):
            adapter.share_threads(threads or self.default_threads())

    def graph_path(self, key: str) -> str:
        """Return the path of a graph's file or, for Core ML, of its package.

        Args:
            key: of the graph in the manifest.

        Raises:
            BundleError: it is reached over a link.
        """
        return inside(self.path, self.manifest.graphs[key].file, BundleError)

    def open_session(
        self, key: str, threads: Optional[int] = None, provider: Optional[str] = None
    ) -> "Session":
        """Open one graph by its key, such as `mask_decoder@480` or `memory_select`.

        Args:
            key: of the graph in the manifest.
            threads: of the shared pool, or of the session's own if there is none; if not given,
                what the shared pool has, or else the target's default.
            provider: what the backend is to run it with, such as an execution provider of ONNX
                Runtime; its own choice if not given.

        Raises:
            BundleError: what is built on the device, such as an engine, is not there or not usable.
            SessionError: the backend is not available or cannot load the graph.
        """
        if self.simulate is not None:
            entry = self.manifest.graphs[key]
            return self.simulate(entry.spec, self.graph_path(key), entry.function)
        session: Session = adapter_of(self.backend).open_session(self, key, threads, provider)
        return session

    def check_graph(self, key: str) -> None:
        """Refuse a graph that `open_session` would refuse for what lies on the disk.

        Graphs that are opened late are checked early. Hashes were compared when the bundle was
        opened; what is left is what an adapter itself asks of a file.

        Args:
            key: of the graph in the manifest.

        Raises:
            BundleError: see `open_session`.
            SessionError: the backend is not available.
        """
        if self.simulate is not None:
            return
        adapter = adapter_of(self.backend)
        if hasattr(adapter, "check_graph"):
            adapter.check_graph(self, key)


def folder_of(path: str) -> str:
    """Return the folder of a bundle that is named by it, or by the manifest in it."""
    folder, name = os.path.split(str(path))
    return (folder or os.curdir) if name == schema.MANIFEST_FILE else str(path)


def read_manifest(path: str) -> Tuple[Manifest, str]:
    """Read a bundle's manifest without looking at its files.

    Returns:
        the manifest, and the SHA-256 of its file.

    Raises:
        BundleError: there is none, or it cannot be read or understood.
    """
    path = folder_of(path)
    if os.path.isfile(path):
        raise BundleError(
            "{} is a file; a bundle is the folder that holds {}".format(path, schema.MANIFEST_FILE)
        )
    if not os.path.isdir(path):
        raise BundleError(
            "there is no bundle at {}; make one with: sam2lite-export ort -o {}".format(path, path)
        )
    manifest_path = inside(path, schema.MANIFEST_FILE, BundleError)
    if not os.path.lexists(manifest_path):
        raise BundleError("{} is not a bundle: it has no {}".format(path, schema.MANIFEST_FILE))
    raw = read_bytes(manifest_path, MAX_BYTES, BundleError, "copy or export the bundle again")
    return schema.loads(raw, manifest_path), hashlib.sha256(raw).hexdigest()


def family_of(path: str, manifest: Manifest) -> Family:
    """Return the family of a bundle, whose graphs it holds: all of them, and no other.

    Raises:
        BundleError: the family is not known, or a graph is missing or is none of its own.
    """
    try:
        family = get_family(manifest.model.family)
    except UnknownNameError as error:
        raise BundleError("{}: {}; upgrade sam2lite".format(path, error))
    wanted = family.keyed(manifest.rungs)
    missing = sorted(set(wanted) - set(manifest.graphs))
    if missing:
        raise BundleError("{} lacks the graphs {}".format(path, ", ".join(missing)))
    # Those of sizes that are not listed are never opened.
    known = {graph.name for graph in family.graphs}
    others = sorted(key for key in manifest.graphs if key.partition("@")[0] not in known)
    if others:
        raise BundleError(
            "{} holds graphs that {} does not have: {}; it was not made by sam2lite".format(
                path, family.title, ", ".join(others[:5])
            )
        )
    return family


def open_bundle(
    path: str, backend: Optional[str] = None, simulate: Optional[Opener] = None
) -> Bundle:
    """Open and check a bundle; a `TargetWarning` says what fits this machine badly.

    Args:
        path: the directory, or its manifest.
        backend: to run it with; that it was made for, if not given.
        simulate: opens the graphs instead of the backend.

    Raises:
        ArgumentError: the backend does not run it.
        BundleError: it is missing or not a bundle, of another schema version, a file is missing or
            differs from the manifest, a path leaves the directory, a graph's tensors are not those
            of the contract, or it was made for a backend that has no adapter.
    """
    path = folder_of(path)
    manifest, sha256 = read_manifest(path)
    if manifest.backend not in backend_names():
        raise BundleError(
            "{} was made for backend {!r}; this version runs {}".format(
                path, manifest.backend, " and ".join(sorted(backend_names()))
            )
        )
    run_by = get_backend(manifest.backend).run_by
    if backend is not None and backend not in run_by:
        raise ArgumentError(
            "--backend is {!r}, but {} was made for {!r} and can be run by {}; leave the option "
            "out, or export for it".format(backend, path, manifest.backend, " or ".join(run_by))
        )
    manifest = _checked_graphs(path, manifest)
    check_files(path, manifest)
    for entry in manifest.graphs.values():
        if entry.file not in manifest.files:  # a package of Core ML is a folder
            check_folder(path, manifest, entry.file)
    bundle = Bundle(str(path), manifest, sha256, backend or manifest.backend, simulate)
    for misfit in bundle.misfits():
        warnings.warn("{}: {}".format(path, misfit), TargetWarning, stacklevel=2)
    return bundle


def _checked_graphs(path: str, manifest: Manifest) -> Manifest:
    """Compare the graphs with the family's; return the manifest with what the family says of them.

    Raises:
        BundleError: the family is not known, a graph is missing or unlisted, or its tensors are
            others.
    """
    family = family_of(path, manifest)
    _check_loop(path, manifest, family)
    dtype = get_backend(manifest.backend).image_dtype
    graphs = {}
    for key, (graph, size) in family.keyed(manifest.rungs).items():
        entry = manifest.graphs[key]
        try:
            sides = family.sides(size, manifest.aspect)
            spec = graph.with_image(dtype).bind(dict(sides, **manifest.dims[str(size)]))
        except KeyError as error:
            raise BundleError(
                "{}: the manifest does not say how large {} is at {} px; export the bundle "
                "again".format(path, error, size)
            )
        if not entry.spec.same_tensors(spec):
            raise BundleError(
                "{}: the tensors of {} are not those of the contract of this version; export the "
                "bundle again".format(path, key)
            )
        # A package of Core ML is a folder.
        if entry.file not in manifest.files and not any(
            name.startswith(entry.file + "/") for name in manifest.files
        ):
            raise BundleError("{}: {} names the unlisted file {}".format(path, key, entry.file))
        graphs[key] = entry._replace(spec=spec)
    return manifest._replace(graphs=graphs)


def _check_loop(path: str, manifest: Manifest, family: Family) -> None:
    """Compare what the frame loop reads with the family's; raise BundleError where it differs."""
    stride = manifest.postprocess.mask_stride
    if stride != family.mask_stride:
        raise BundleError(
            "{}: the manifest's mask_stride is {} px, but masks of {} have {} px; export the "
            "bundle again".format(path, stride, family.title, family.mask_stride)
        )
    for size in manifest.rungs:
        said = manifest.dims.get(str(size), {})
        try:
            height = manifest.aspect.height_at(size)
            sides = family.sides(size, manifest.aspect)
        except ArgumentError as error:
            raise BundleError("{}: {}; export the bundle again".format(path, error))
        strides = dict(family.strides, **family.widths)
        for symbol, side in sides.items():
            whole = size if symbol in family.widths else height
            if said.get(symbol, side) != side or whole % strides[symbol]:
                raise BundleError(
                    "{}: {} does not take {} px, or the manifest's {} is not {}; export the bundle "
                    "again".format(
                        path, family.title, manifest.aspect.sides_text(size), symbol, side
                    )
                )
    names = [graph.name for graph in family.graphs]
    if sorted(manifest.stages) != sorted(names):
        raise BundleError(
            "{}: the manifest's stages are {}, but the graphs of {} are {}; export the bundle "
            "again".format(path, ", ".join(manifest.stages), family.title, ", ".join(names))
        )
