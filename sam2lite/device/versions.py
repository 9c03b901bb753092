"""Whether the versions on a board fit what the manifest of a bundle says."""

import re
from typing import Optional, Tuple

from sam2lite.contracts.manifest import Manifest
from sam2lite.runtimes.commands.machine_checks import MISSING, OK, WARNING, Check

# The first release of ONNX Runtime that takes an opset. Of these rows only the refusal of opset 17
# by 1.10 was tried; 1.10 with opset 15 is the oldest release that a bundle has run on.
_FIRST_ONNXRUNTIME = {16: (1, 11), 17: (1, 12), 18: (1, 14), 19: (1, 15), 20: (1, 17)}
_FIRST_OF_ALL = (1, 10)


def first_version(text: str) -> Optional[Tuple[int, int]]:
    """Return the first version in a text, such as (1, 20) in "onnxruntime 1.20 or newer"."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def onnxruntime_for(opset: int) -> Tuple[int, int]:
    """Return the first release of ONNX Runtime that runs graphs of an opset."""
    return _FIRST_ONNXRUNTIME.get(opset, _FIRST_OF_ALL)


def judge_onnxruntime(check: Check, manifest: Manifest) -> Check:
    """Return the check of ONNX Runtime, missing where the release cannot load the graphs."""
    found, needed = first_version(check.value), onnxruntime_for(manifest.opset)
    if check.status != OK or found is None or found >= needed:
        return judge_against_target(check, str(manifest.target.get("runtime", "")))
    remedy = "install {}.{} or newer, or export the bundle again with --opset 15".format(*needed)
    value = "{}; opset {} needs {}.{}".format(check.value, manifest.opset, *needed)
    return check._replace(status=MISSING, value=value, remedy=remedy)


def judge_against_target(check: Check, wanted: str) -> Check:
    """Return a check that passed, as a warning where the version is older than the target's.

    Args:
        check: its value begins with a version.
        wanted: what the manifest's target says, such as "3.11 or newer".
    """
    found, least = first_version(check.value), first_version(wanted)
    if check.status != OK or found is None or least is None or found >= least:
        return check
    remedy = "update it, or compare the masks of a clip with those of a PC before you rely on them"
    value = "{}; the bundle's target says {}".format(check.value, wanted)
    return check._replace(status=WARNING, value=value, remedy=remedy)
