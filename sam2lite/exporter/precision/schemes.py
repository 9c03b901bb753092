"""Precisions as data: what each is made from, what it costs to find, which recipe fields it uses.

A backend's exporter names its own. Others are registered beside them, and exported with in the
same way: `register_scheme`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sam2lite.calibration.plan import PrecisionPlan
    from sam2lite.calibration.ranges import ActivationRanges, Provenance
    from sam2lite.calibration.recorder import Recording
    from sam2lite.exporter.precision.scheme import PrecisionScheme
    from sam2lite.models.checkpoint import LoadedModel
    from sam2lite.targets.profile import TargetProfile

# What a scheme must have seen of the network at work.
NOTHING, CALLS, RANGES = "nothing", "calls", "ranges"
# Recipe fields, by what they serve.
FOOTAGE_FIELDS = frozenset({"calib", "calib_frames", "calib_seed"})
RANGE_FIELDS = FOOTAGE_FIELDS | {"observer", "ranges"}
_OBSERVING = {NOTHING: frozenset[str](), CALLS: FOOTAGE_FIELDS, RANGES: RANGE_FIELDS}
BOUND_FIELDS = frozenset({"max_drop", "accept_drop"})
LAYER_FIELDS = frozenset({"keep_float"})

Pins = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Making:
    """What a scheme is made from.

    Attributes:
        loaded: the network, its weights transformed where the scheme does that.
        target: the device.
        recording: calls of the network at the sizes of the bundle; None if not asked for.
        provenance: of the recording.
        ranges: observed on it; None if not asked for.
        keep_float: patterns of layers that stay in float.
        also_pinned: nodes that compute in FP32 beside what rules and ranges say, with the reason,
            by the key of their graph.
        assignment: which layers are in the lower precision, where the scheme chooses among them.
    """

    loaded: LoadedModel
    target: TargetProfile
    recording: Recording | None = None
    provenance: Provenance | None = None
    ranges: ActivationRanges | None = None
    keep_float: Sequence[str] = ()
    also_pinned: Pins = field(default_factory=lambda: MappingProxyType({}))
    assignment: PrecisionPlan | None = None


class WeightTransform(Protocol):
    """A step that changes a network's weights before its graphs are traced and rendered."""

    @property
    def name(self) -> str:
        """As in the manifest's `calibration.transforms`."""

    def apply(
        self, loaded: LoadedModel, recording: Recording | None
    ) -> tuple[LoadedModel, dict[str, Any]]:
        """Return another network, and where its weights come from.

        Args:
            loaded: the network; it stays as it is.
            recording: of the network; None where the scheme observes nothing.

        Returns:
            the network, whose graphs are compared with it and no longer with `loaded`, and plain
            data for the manifest.
        """


@dataclass(frozen=True)
class Scheme:
    """One precision of a backend.

    Attributes:
        name: as in a recipe's `precision`.
        make: renders the graphs of a bundle.
        observes: what it must have seen: `NOTHING`, `CALLS` of every graph, or `RANGES` of every
            tensor, too.
        trial: the same in a form that a CPU computes as the target would, for measuring what it
            costs; `make`'s if None.
        layers: its first assignment of layers; None where it does not choose among them.
        max_drop: most points of J&F, and of the first frame's J, that a bundle may lose against
            FP32 unless the recipe says otherwise; None where that is not measured. Where it chooses
            among layers, they go back to float until the bound holds.
        transforms: of the weights, in order.
        block_size: how many weights share a scale; None where no blocks are made.
    """

    name: str
    make: Callable[[Making], PrecisionScheme]
    observes: str = NOTHING
    trial: Callable[[Making], PrecisionScheme] | None = None
    layers: Callable[[Making], PrecisionPlan] | None = None
    max_drop: float | None = None
    transforms: tuple[WeightTransform, ...] = ()
    block_size: int | None = None

    @property
    def fields(self) -> frozenset[str]:
        """The recipe fields that it uses."""
        used = _OBSERVING[self.observes]
        used |= LAYER_FIELDS if self.layers is not None else frozenset()
        return used | (BOUND_FIELDS if self.max_drop is not None else frozenset())


_registered: dict[str, dict[str, Scheme]] = {}


def register_scheme(scheme: Scheme, *backends: str) -> None:
    """Make a precision known that does not come with the package.

    Args:
        scheme: the precision.
        backends: that bundles can be made for in it, by name.
    """
    for backend in backends:
        _registered.setdefault(backend, {})[scheme.name] = scheme


def registered_schemes(backend: str) -> tuple[Scheme, ...]:
    """Return what was registered for a backend."""
    return tuple(_registered.get(backend, {}).values())
