"""Core ML packages: convert, compress, save, read again, compare with PyTorch.

Needs torch to be imported at all, as the simulation does that it compares by, and coremltools as
soon as a graph is converted.

Raises:
    DependencyError: torch is not installed.
"""

import importlib.util

from sam2lite.errors import DependencyError

if importlib.util.find_spec("torch") is None:
    raise DependencyError("torch", "coreml", "export to Core ML")
