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
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import ArgumentError, BundleError, TargetWarning, UnknownNameError
from sam2lite.files.file_hash import file_sha256
from sam2lite.runtimes.backends.adapter import adapter_of
from sam2lite.targets.fit import misfits, usable_threads
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
    """

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
        """
        return os.path.join(self.path, *self.manifest.graphs[key].file.split("/"))

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


def read_manifest(path: str) -> Tuple[Manifest, str]:
    """Read a bundle's manifest without looking at its files.

    Returns:
        the manifest, and the SHA-256 of its file.

    Raises:
        BundleError: there is none, or it cannot be read or understood.
    """
    path = str(path)
    manifest_path = os.path.join(path, schema.MANIFEST_FILE)
    if not os.path.isdir(path):
        raise BundleError(
            "there is no bundle at {}; make one with: sam2lite-export ort -o {}".format(path, path)
        )
    if not os.path.isfile(manifest_path):
        raise BundleError("{} is not a bundle: it has no {}".format(path, schema.MANIFEST_FILE))
    with open(manifest_path, "rb") as stream:
        raw = stream.read()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BundleError("{} is not UTF-8 text; export the bundle again".format(manifest_path))
    return schema.loads(text, manifest_path), hashlib.sha256(raw).hexdigest()


def open_bundle(
    path: str, backend: Optional[str] = None, simulate: Optional[Opener] = None
) -> Bundle:
    """Open and check a bundle; a `TargetWarning` says what fits this machine badly.

    Args:
        path: the directory.
        backend: to run it with; that it was made for, if not given.
        simulate: opens the graphs instead of the backend.

    Raises:
        ArgumentError: the backend does not run it.
        BundleError: it is missing or not a bundle, of another schema version, a file is missing or
            differs from the manifest, a path leaves the directory, a graph's tensors are not those
            of the contract, or it was made for a backend that has no adapter.
    """
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
    _check_files(path, manifest)
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
    try:
        family = get_family(manifest.model.family)
    except UnknownNameError as error:
        raise BundleError("{}: {}; upgrade sam2lite".format(path, error))
    wanted = family.keyed(manifest.rungs)
    missing = sorted(set(wanted) - set(manifest.graphs))
    if missing or not wanted:
        raise BundleError(
            "{} lacks the graphs {}".format(path, ", ".join(missing) or "of any input size")
        )
    _check_loop(path, manifest, family)
    dtype = get_backend(manifest.backend).image_dtype
    graphs = {}
    for key, (graph, size) in wanted.items():
        entry = manifest.graphs[key]
        try:
            spec = graph.with_image(dtype).bind(manifest.dims[str(size)])
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
    names = [graph.name for graph in family.graphs]
    if sorted(manifest.stages) != sorted(names):
        raise BundleError(
            "{}: the manifest's stages are {}, but the graphs of {} are {}; export the bundle "
            "again".format(path, ", ".join(manifest.stages), family.title, ", ".join(names))
        )


def _check_files(path: str, manifest: Manifest) -> None:
    root = os.path.realpath(path)
    for name, entry in sorted(manifest.files.items()):
        full = os.path.realpath(os.path.join(root, *name.split("/")))
        if os.path.isabs(name) or not full.startswith(root + os.sep):
            raise BundleError("{}: the path {!r} leaves the bundle".format(path, name))
        if not os.path.isfile(full):
            raise BundleError(
                "{}: the file {} is missing; copy the bundle again".format(path, name)
            )
        size = os.path.getsize(full)
        if size != entry.bytes:
            raise BundleError(
                "{}: {} has {} bytes, the manifest says {}; copy the bundle again".format(
                    path, name, size, entry.bytes
                )
            )
        if file_sha256(full) != entry.sha256:
            raise BundleError(
                "{}: {} was changed since it was exported (its SHA-256 differs from the "
                "manifest's); copy or export the bundle again".format(path, name)
            )
