"""Whether the releases of ONNX Runtime on a board can load the graphs of a bundle.

The manifest's target says what the package needs that exports. A board has `device.pyz`, which
needs less: Python 3.6, and the ONNX Runtime that takes the opset.
"""

import re
from typing import Optional, Tuple

from sam2lite.contracts.manifest import Manifest
from sam2lite.runtimes.commands.machine_checks import MISSING, OK, Check

# The first release of ONNX Runtime that takes an opset. Of these rows only the refusal of opset 17
# by 1.10 was tried; 1.10 with opset 15 is the oldest release that a bundle has run on.
_FIRST_ONNXRUNTIME = {13: (1, 10), 16: (1, 11), 17: (1, 12), 18: (1, 14), 19: (1, 15), 20: (1, 17)}


def first_version(text: str) -> Optional[Tuple[int, int]]:
    """Return the first version in a text, such as (1, 20) in "onnxruntime 1.20 or newer"."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def onnxruntime_for(opset: int) -> Tuple[int, int]:
    """Return the first release of ONNX Runtime that runs graphs of an opset, 13 or newer."""
    return max(first for known, first in _FIRST_ONNXRUNTIME.items() if known <= max(opset, 13))


def judge_onnxruntime(check: Check, manifest: Manifest) -> Check:
    """Return the check of ONNX Runtime, missing where the release cannot load the graphs."""
    found, needed = first_version(check.value), onnxruntime_for(manifest.opset)
    if check.status != OK or found is None or found >= needed:
        return check
    remedy = "install {}.{} or newer".format(*needed)
    taken = [opset for opset in range(13, manifest.opset) if onnxruntime_for(opset) <= found]
    if taken:
        remedy += ", or export the bundle again with --opset {}".format(taken[-1])
    value = "{}; opset {} needs {}.{}".format(check.value, manifest.opset, *needed)
    return check._replace(status=MISSING, value=value, remedy=remedy)
