"""How masks agree with those of FP32 over real clips, in words: all of it is in the manifest."""

from collections.abc import Mapping
from typing import Any

from sam2lite.cli.reports.shown import choices, first, holds

_NEEDED = ("frames", "decisions", "presence_differs", "masks", "mean_iou", "lowest_iou")


def agreement_lines(verification: Mapping[str, Any]) -> list[str]:
    """Return a line of all clips and one of each; none where no footage was given.

    Args:
        verification: of a manifest.
    """
    found = verification.get("agreement")
    if found is None or not holds(found, *_NEEDED, "source", "split", "clips"):
        return []
    clips = (f"  {clip.get('name')}: {_figures(clip)}" for clip in found["clips"])
    where = f"{found['source']}, {found['split']}"
    return [f"{_figures(found)} ({where})", *first(clips)]


def _figures(found: Mapping[str, Any]) -> str:
    if not holds(found, *_NEEDED):
        return "not measured"
    masks = "no mask in either"
    if found["mean_iou"] is not None and found["lowest_iou"] is not None:
        masks = f"mean IoU {found['mean_iou']:.4f}, lowest {found['lowest_iou']:.4f}"
    return (
        f"{masks} over {found['frames']} frames, presence differs at {found['presence_differs']} "
        f"of {found['decisions']}; {choices(found)}"
    )
