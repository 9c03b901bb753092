"""Precisions as data: what each is made from, what it costs to find, which recipe fields it uses.

A backend's exporter names its own. Others are registered beside them, and exported with in the
same way: `register_scheme`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sam2lite.exporter.progress import SILENT, Progress

if TYPE_CHECKING:
    from sam2lite.calibration.assignment import PrecisionAssignment
    from sam2lite.calibration.quant.settings import Quantization
    from sam2lite.calibration.ranges import ActivationRanges, Provenance
    from sam2lite.calibration.recorder import Recording
    from sam2lite.models.loaded import LoadedModel
    from sam2lite.targets.profile import TargetProfile

# What a scheme must have seen of the network at work.
NOTHING, CALLS, RANGES = "nothing", "calls", "ranges"
# Recipe fields, by what they serve.
FOOTAGE_FIELDS = frozenset({"calib", "calib_frames", "calib_seed"})
RANGE_FIELDS = FOOTAGE_FIELDS | {"observer", "ranges"}
_OBSERVING = {NOTHING: frozenset[str](), CALLS: FOOTAGE_FIELDS, RANGES: RANGE_FIELDS}
BOUND_FIELDS = frozenset({"max_drop", "accept_drop"})
LAYER_FIELDS = frozenset({"keep_float"})
QUANT_FIELDS = frozenset({"quant"})

Pins = Mapping[str, Mapping[str, str]]


def _usual() -> Quantization:
    from sam2lite.calibration.quant.settings import USUAL

    return USUAL


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
        transforms: what the manifest says about transforms of the weights, in order.
        also_pinned: nodes that compute in FP32 beside what rules and ranges say, with the reason,
            by the key of their graph.
        assignment: which layers are in the lower precision, where the scheme chooses among them.
        quantization: how weights are quantized, where the recipe says it.
        progress: told how far what is found late is.
    """

    loaded: LoadedModel
    target: TargetProfile
    recording: Recording | None = None
    provenance: Provenance | None = None
    ranges: ActivationRanges | None = None
    keep_float: Sequence[str] = ()
    transforms: Sequence[Mapping[str, Any]] = ()
    also_pinned: Pins = field(default_factory=lambda: MappingProxyType({}))
    assignment: PrecisionAssignment | None = None
    quantization: Quantization = field(default_factory=_usual)
    progress: Progress = SILENT

    @property
    def footage(self) -> tuple[Recording, Provenance]:
        """The recording and where it comes from, of a scheme that observes."""
        assert self.recording is not None
        assert self.provenance is not None
        return self.recording, self.provenance


class WeightTransform(Protocol):
    """A step that changes a network's weights before its graphs are traced and rendered."""

    @property
    def name(self) -> str:
        """As in the manifest's `calibration.transforms`."""

    def apply(
        self, loaded: LoadedModel, recording: Recording | None
    ) -> tuple[LoadedModel, dict[str, Any]]:
        """Return another network, and how its weights were made.

        Args:
            loaded: the network; it stays as it is.
            recording: of the network; None where the scheme observes nothing.

        Returns:
            the network, whose graphs are compared with it and no longer with `loaded`, and plain
            data for the manifest.
        """


class LayerChoice(NamedTuple):
    """How a scheme chooses the layers that it lowers.

    Attributes:
        first: all that may be lowered.
        ranked: the layers by what they lose at an input size in px, the most sensitive first.
    """

    first: Callable[[Making], PrecisionAssignment]
    ranked: Callable[[Making, int], Sequence[str]]


@dataclass(frozen=True)
class Scheme:
    """One precision of a backend.

    Attributes:
        name: as in a recipe's `precision`.
        make: what the backend's writer renders graphs with; where they are ONNX, a
            `precision.scheme.PrecisionScheme`.
        observes: what it must have seen: `NOTHING`, `CALLS` of every graph, or `RANGES` of every
            tensor, too.
        trial: the same in a form that a CPU computes as the target would, for measuring what it
            costs; `make` if None.
        as_written: whether a CPU computes what `make` gives as the target would. If not, loops are
            compared in the form of `trial`.
        exact: whether it computes what FP32 does, so that masks need no comparing over footage.
        layers: how it chooses layers; None where it does not.
        max_drop: most points of J&F, and of the first frame's J, that a bundle may lose against
            FP32 unless the recipe says otherwise; None where that is not measured. Where it chooses
            layers, they go back to float until the bound holds.
        transforms: of the weights, in order.
        block_size: how many weights share a scale; None where no blocks are made.
        takes_quant: whether it follows a recipe's `quant`.
    """

    name: str
    make: Callable[[Making], Any]
    observes: str = NOTHING
    trial: Callable[[Making], Any] | None = None
    layers: LayerChoice | None = None
    max_drop: float | None = None
    as_written: bool = True
    exact: bool = False
    transforms: tuple[WeightTransform, ...] = ()
    block_size: int | None = None
    takes_quant: bool = False

    @property
    def fields(self) -> frozenset[str]:
        """The recipe fields that it uses."""
        used = _OBSERVING[self.observes]
        used |= frozenset() if self.exact else FOOTAGE_FIELDS  # masks are compared on it
        used |= QUANT_FIELDS if self.takes_quant else frozenset()
        used |= LAYER_FIELDS if self.layers is not None else frozenset()
        return used | (BOUND_FIELDS if self.max_drop is not None else frozenset())

    def calibration(self, making: Making, own: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return what the manifest says of how the precision was found.

        Args:
            making: what the scheme was made from.
            own: what the scheme says of itself.
        """
        more: dict[str, Any] = {}
        if making.transforms:
            more["transforms"] = [dict(entry) for entry in making.transforms]
        if self.block_size is not None:
            more["block_size"] = self.block_size
        return {**(own or {}), **more} or None


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
