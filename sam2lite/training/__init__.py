"""Training of the SAM2-Lite family: samples, losses, the batched frame loop, stages.

Needs torch to be imported at all, like `sam2lite.models`.

Raises:
    DependencyError: torch is not installed.
"""

import importlib.util

from sam2lite.errors import DependencyError

if importlib.util.find_spec("torch") is None:
    raise DependencyError("torch", "train", "training")
