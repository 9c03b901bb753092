"""Evaluate Core ML packages where there is no macOS: a MIL interpreter, for accuracy only.

`package` reads a *saved* package, weights file included, `function` evaluates one function of it
with torch, in FP32 or with every FP16 tensor rounded after its operator, and `ops` holds one
handler per operator. `ranges` and `activation_stats` watch the tensors on the way, `inventory` and
`neural_engine` say what a package is made of.

All of it is a *simulation*: what MIL operators mean by their documentation, computed by torch. It
shows that conversion, graph passes, compression and storage kept the network. It says nothing about
what Apple's compiler accepts, where an operator runs, in which order sums are taken, or how long
anything takes.

Needs torch to be imported at all, and coremltools as soon as a package is loaded.

Raises:
    DependencyError: torch is not installed.
"""

import importlib.util

from sam2lite.errors import DependencyError

if importlib.util.find_spec("torch") is None:
    raise DependencyError("torch", "coreml", "the simulation of Core ML")
