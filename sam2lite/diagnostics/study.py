"""One frame seen in several ways: eigenvectors, agreement, norms, likeness and ablation of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sam2lite.diagnostics.ablation import Ablated
from sam2lite.diagnostics.agreement import Agreement, agree, feature_errors
from sam2lite.diagnostics.maps import Floats, TokenMap, View
from sam2lite.diagnostics.ncut import NCut, ncut
from sam2lite.diagnostics.tokens import Norms, likeness, norms
from sam2lite.errors import ArgumentError, UnknownNameError

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class Seen:
    """A map of one view.

    Attributes:
        view: its label.
        map: the map.
        cut: its eigenvectors.
        norms: of its tokens.
        agreement: with the first view that has the map; None for that itself.
        errors_n: of its features to those of the first view, see `feature_errors`.
        likeness_n: of its tokens to the one under the click; None without a click.
    """

    view: str
    map: TokenMap
    cut: NCut
    norms: Norms
    agreement: Agreement | None = None
    errors_n: Floats | None = None
    likeness_n: Floats | None = None

    @property
    def cuts_hwk(self) -> NDArray[np.float64]:
        """Its cuts on the grid, turned so that they can be compared with the first view's."""
        cuts = self.cut.cuts_nk
        if self.agreement is not None:
            turn = self.agreement.turn_kk
            cuts = cuts[:, : len(turn)] @ turn
        return self.map.on_grid(cuts)


@dataclass(frozen=True)
class Study:
    """What was found.

    Attributes:
        frame_bgr: uint8 [height, width, 3].
        point: the click, x and y in px; None without one.
        stages: by name of the map, what each view that has it gave; the first is compared with.
        blocks: norms of the blocks of a network in PyTorch, in order; none without one.
        tables: position tables of it, by the parameter's name.
        ablated: masks of the click, by the view's label; none without a click.
        remarks: what could not be shown, a sentence each.
    """

    frame_bgr: Frame
    point: tuple[float, float] | None
    stages: Mapping[str, Sequence[Seen]]
    blocks: Mapping[str, Norms] = field(default_factory=dict)
    tables: Mapping[str, TokenMap] = field(default_factory=dict)
    ablated: Mapping[str, Sequence[Ablated]] = field(default_factory=dict)
    remarks: Sequence[str] = ()


def chosen_stages(
    names: Sequence[str], views: Sequence[View], elsewhere: Sequence[str] = ()
) -> list[str]:
    """Return the maps to show: those asked for, or all that every view has.

    Args:
        names: asked for; none for all.
        views: what there is.
        elsewhere: where else there are maps, for people.

    Raises:
        UnknownNameError: no view has a map of a name.
        ArgumentError: no map is in every view, and none is asked for.
    """
    known = list(dict.fromkeys(name for view in views for name in view.maps))
    for name in names:
        if name not in known:
            raise UnknownNameError("stage", name, [*known, *elsewhere])
    chosen = list(dict.fromkeys(names)) or [
        name for name in known if all(name in view.maps for view in views)
    ]
    if not chosen:
        raise ArgumentError(
            "these networks have no map of one name; name some with --stage: " + ", ".join(known)
        )
    return chosen


def seen_stages(
    stages: Sequence[str],
    views: Sequence[View],
    frame_bgr: Frame,
    point: tuple[float, float] | None,
    advance: Callable[[], None],
) -> dict[str, list[Seen]]:
    """Look at every stage in every view that has it.

    Args:
        stages: names of maps.
        views: what there is; others are compared with the first one that has the map.
        frame_bgr: that was encoded.
        point: the click, px of the frame.
        advance: called after each map.
    """
    found: dict[str, list[Seen]] = {}
    for stage in stages:
        seen: list[Seen] = []
        for view in views:
            if stage in view.maps:
                seen.append(_seen(view, stage, seen, frame_bgr, point))
                advance()
        found[stage] = seen
    return found


def _seen(
    view: View,
    stage: str,
    before: Sequence[Seen],
    frame_bgr: Frame,
    point: tuple[float, float] | None,
) -> Seen:
    own = view.maps[stage]
    cut = ncut(own)
    height, width = frame_bgr.shape[:2]
    like = None if point is None else likeness(own, own.token_at(*point, width, height))
    agreement = errors = None
    if before:
        first = before[0]
        agreement = agree(first.map, first.cut, own, cut)
        errors = feature_errors(first.map, own)
    return Seen(view.label, own, cut, norms(own), agreement, errors, like)
