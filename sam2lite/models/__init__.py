"""PyTorch networks and their checkpoints.

The one part of the package that needs torch to be imported at all, so everything else imports it
inside functions.

Raises:
    DependencyError: torch is not installed.
"""

import importlib.util

from sam2lite.errors import DependencyError

if importlib.util.find_spec("torch") is None:
    raise DependencyError("torch", "export", "building a network")
