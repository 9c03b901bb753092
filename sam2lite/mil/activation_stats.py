"""Calibrate coremltools' INT8 activations by simulation, where it would call Apple's runtime.

`linear_quantize_activations` asks the private `_get_activation_calibration_stats` for the range of
every tensor, which runs the model on macOS. That name is replaced while it works, in the module
that imported it. (As shipped in 9.0 it would also keep the range of the last sample alone:
`_update_tensor_range` overwrites what it then compares with. The ranges here are over all samples.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from sam2lite.mil.coremltools_import import import_coremltools
from sam2lite.mil.exact_passes import exact_passes
from sam2lite.mil.package import load_package
from sam2lite.mil.ranges import activation_ranges
from sam2lite.mil.steps import Ref, Step

Sample = dict[str, np.ndarray]


def collect_activation_stats(mlmodel: Any, samples: Sequence[Sample]) -> dict[str, dict[str, Any]]:
    """Return the range of every float tensor of a model as coremltools' passes take it.

    Tensors that a concatenation joins, and its result, share one range, as coremltools wants it.

    Args:
        mlmodel: `coremltools.models.MLModel` with one function, as converted or loaded.
        samples: inputs by name; images are uint8 RGB, see `SimulatedFunction.run`.

    Returns:
        `rmin` and `rmax` by tensor.

    Raises:
        BundleError, DependencyError, SessionError: as of `load_package`.
    """
    import_coremltools()
    from coremltools.optimize.coreml.experimental._post_training_quantization import (
        _adjust_concat_surrounding_activation_stats,
    )

    function = load_package(Path(mlmodel.package_path)).function()
    ranges = activation_ranges(function, samples)
    stats = {name: {"rmin": span.low, "rmax": span.high} for name, span in ranges.items()}
    groups = [_joined(step) for step in function.program.steps if step.op == "concat"]
    _adjust_concat_surrounding_activation_stats(
        [group for group in groups if not stats.keys().isdisjoint(group)], stats
    )
    return stats


def _joined(concat: Step) -> list[str]:
    values = concat.arguments["values"]
    assert isinstance(values, list)  # a tuple in MIL
    return [item.name for item in values if isinstance(item, Ref)] + [concat.outputs[0].name]


def quantize_activations(mlmodel: Any, config: Any, samples: Sequence[Sample]) -> Any:
    """Return a copy of a model with INT8 activations, calibrated by simulation.

    Weights are another pass, `coremltools.optimize.coreml.linear_quantize_weights`.

    Args:
        mlmodel: as for `collect_activation_stats`, for iOS 17 or later.
        config: `coremltools.optimize.coreml.OptimizationConfig` for `linear_quantize_activations`.
        samples: at least one.

    Raises:
        BundleError, DependencyError, SessionError: as of `load_package`.
    """
    import_coremltools()
    from coremltools.optimize import coreml
    from coremltools.optimize.coreml import _post_training_quantization as passes

    def stats(model: Any, samples: Sequence[Sample], group_size: int) -> dict[str, dict[str, Any]]:
        return collect_activation_stats(model, samples)

    with exact_passes(), patch.object(passes, "_get_activation_calibration_stats", stats):
        return coreml.linear_quantize_activations(mlmodel, config, list(samples))
