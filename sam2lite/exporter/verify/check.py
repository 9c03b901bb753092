"""A bundle checked again, here and now, as a call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sam2lite.contracts.backends import get_backend
from sam2lite.errors import BundleError, install_extra
from sam2lite.runtimes.backends.simulated import opened
from sam2lite.runtimes.bundle import Bundle


def verify(
    bundle: Bundle | str | Path,
    model: str | Path | None = None,
    backend: str | None = None,
) -> dict[str, Any]:
    """Check a bundle: its files, that every graph opens and runs, and parity with PyTorch.

    A bundle for Core ML is simulated where there is none.

    Args:
        bundle: a bundle, or its folder. One that is open had its files checked when it was opened.
        model: the network it was made from, by name or path, to compare with PyTorch; the published
            size of the manifest's name if not given.
        backend: that runs it; that it was made for if not given.

    Returns:
        plain data: `path`, `bundle_sha256`, in words what holds of `files` and `graphs`, what fits
        this `machine` badly, a sentence each, `loop`: how far the loop over a clip is
        from PyTorch's, or why that was `skipped`; and `agreement`, which was measured at export on
        footage that is not in the bundle, or None.

    Raises:
        ArgumentError: the backend does not run the bundle.
        BundleError: it is damaged, a graph gives no finite numbers, or `model` is another network.
        VerificationError: the loop of a bundle in FP32 is further from PyTorch than allowed, where
            it runs in what exports are checked with.
    """
    checked = opened(bundle, backend)
    return {
        "path": checked.path,
        "bundle_sha256": checked.sha256,
        "files": f"{len(checked.manifest.files)} match their SHA-256",
        "graphs": f"{_run_every_graph(checked)} open and run by {_runner(checked)}",
        "machine": checked.misfits(),
        "loop": _loop(checked, None if model is None else str(model)),
        "agreement": checked.manifest.verification.get("agreement"),
    }


def _runner(bundle: Bundle) -> str:
    return bundle.backend if bundle.simulate is None else "a simulation of Core ML"


def _run_every_graph(bundle: Bundle) -> int:
    """Run each graph once on zeros; return how many there are."""
    import numpy as np

    for key, entry in bundle.manifest.graphs.items():
        zeros = {
            spec.name: np.zeros([int(dim) for dim in spec.shape], spec.dtype)
            for spec in entry.spec.inputs
        }
        with bundle.open_session(key) as session:
            for name, handle in session.run(zeros).items():
                if not np.isfinite(session.numpy(handle)).all():
                    raise BundleError(f"{key}: output {name} is not finite for an empty input")
    return len(bundle.manifest.graphs)


def _loop(bundle: Bundle, model: str | None) -> dict[str, Any]:
    """Compare the frame loop with PyTorch's, or say why not."""
    from importlib.util import find_spec

    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        return {"skipped": f"{', '.join(missing)} not installed ({install_extra('export')})"}
    from sam2lite.exporter.verify.loop_parity import loop_parity
    from sam2lite.models.registry import host_of, load_model, published_names

    wanted = bundle.manifest.model
    if model is None and wanted.name not in published_names():
        return {"skipped": f"give the checkpoint of {wanted.name!r} with --model"}
    # A bundle has the name of the variant that it was made from.
    family = bundle.family
    named = wanted.name if family.host and host_of(family.name).has_variants else None
    checkpoint = load_model(model or wanted.name, variant=named)
    if checkpoint.sha256 != wanted.checkpoint_sha256:
        if model is None:
            return {"skipped": "the bundle has other weights; give their checkpoint with --model"}
        raise BundleError(
            f"{model} is not what {bundle.path} was made from: its weights have SHA-256 "
            f"{checkpoint.sha256[:12]}..., the manifest says {wanted.checkpoint_sha256[:12]}..."
        )
    # Other precisions have an accuracy, not parity; and the bounds are of what export checks with.
    bounded = bundle.backend in get_backend(bundle.manifest.backend).checkers
    exact = bundle.manifest.precision == "fp32" and bounded and not bundle.simulate
    report = loop_parity(bundle, checkpoint.with_aspect(bundle.manifest.aspect), exact=exact)
    if exact:
        report.check()
    return report.to_json()
