"""What `doctor` says of a machine that a bundle for ONNX Runtime lies on."""

from typing import List

from sam2lite.contracts.manifest import Manifest
from sam2lite.device.versions import judge_onnxruntime
from sam2lite.runtimes.commands.installs import Installs
from sam2lite.runtimes.commands.machine_checks import MISSING, OK, WARNING, Check, check_onnxruntime
from sam2lite.targets.advice.fit import misfits
from sam2lite.targets.machine import read_machine


def check_target(manifest: Manifest) -> Check:
    """Say which target the bundle is for, and warn where it is worse off on this machine."""
    value = "{} in {} at opset {}, for {}".format(
        manifest.model.name,
        manifest.precision,
        manifest.opset,
        manifest.target.get("title", manifest.target.get("id")),
    )
    found = misfits(manifest.target, manifest.precision, read_machine())
    return Check("Bundle", WARNING if found else OK, value, "; ".join(found), required=True)


def check_runtime(
    bundle: str, manifest: Manifest, has_numpy: bool, installs: Installs
) -> List[Check]:
    """Check ONNX Runtime, and whether it takes the graphs of a bundle.

    Args:
        bundle: its folder.
        manifest: of the bundle.
        has_numpy: whether NumPy can be imported.
        installs: how packages are installed here.
    """
    return [judge_onnxruntime(check, manifest) for check in check_installed(has_numpy, installs)]


def check_installed(has_numpy: bool, installs: Installs) -> List[Check]:
    """Look for ONNX Runtime, which ends in a traceback of its own where NumPy is missing."""
    if not has_numpy:
        return [Check("ONNX Runtime", MISSING, "not tried without NumPy", required=True)]
    return [check_onnxruntime(installs)]


def is_unbuilt(checks: List[Check]) -> bool:
    """Say that nothing of a bundle is built on the device."""
    return False
