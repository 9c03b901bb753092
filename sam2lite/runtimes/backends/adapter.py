"""Adapters: what runs a backend's graphs, and how the one of a backend is found.

An adapter is a module that `contracts.backends` names, with these functions:

`is_available() -> Tuple[bool, str]`
    Whether the backend can be used here, and which version of it, or why not and what to do.
`open_session(bundle, key, threads, provider) -> Session`
    Open one graph of a checked `Bundle` by its key. `threads` is a number or None for the default;
    `provider` names one of several ways to run a graph, where a backend has such, or is None.
    Bundles come from strangers: no runtime sees an ONNX graph before `onnx_external.check_external`
    has, and what it found in there is compared with the spec (`session.check_claim`).
    Raises SessionError where the backend cannot be used or cannot load the graph, and BundleError
    where the graph must not be loaded.
`check_graph(bundle, key)`, only where a file must be more than what its hash says
    Raise what `open_session` would because of what lies on the disk, without loading it: graphs
    that few videos need are opened when one does, and must not be refused only then.
`share_threads(threads) -> None`, only where the backend has a pool that sessions can share
    Let all sessions of this process share one pool of that many threads. Raises SessionError where
    the pool has another size already.

Adapters import nothing heavy before one of these is called, and never one another.
"""

import importlib
from typing import Any

from sam2lite.contracts.backends import get_backend
from sam2lite.errors import SessionError


def adapter_of(backend: str) -> Any:
    """Import the adapter of a backend.

    Args:
        backend: its name.

    Raises:
        UnknownNameError: there is no such backend.
        SessionError: it makes graphs alone, which another runtime has to run.
    """
    module = get_backend(backend).adapter
    if module is None:
        raise SessionError(
            "nothing here runs bundles of the backend {!r}; export for another".format(backend)
        )
    return importlib.import_module(module)
