"""What to feed a network, what to observe in it, and which graphs of low precision follow from it.

`footage` gives frames and prompts, `recorder` runs the float loop over them and keeps what every
graph was fed, `observe` runs the graphs on that and reduces each tensor to a range (`observers`),
`ranges` stores the ranges with where they come from, and `qdq` renders them for a target.

Needs torch to be imported at all, like `sam2lite.models`.

Raises:
    DependencyError: torch is not installed.
"""

import importlib.util

from sam2lite.errors import DependencyError

if importlib.util.find_spec("torch") is None:
    raise DependencyError("torch", "export", "calibration")
