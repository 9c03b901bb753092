"""What is said of a run when it is over: facts, and apart from them what the network thinks."""

from typing import Any, Dict, Iterator, List, Optional

from sam2lite.contracts.provenance import provenance_line
from sam2lite.runtimes.measuring.shortfalls import shortfalls
from sam2lite.runtimes.measuring.time_histogram import TimeHistogram
from sam2lite.runtimes.results import FrameResult, ObjectResult
from sam2lite.targets.machine import read_machine

# A mask that grew to so many times its first size, and over so much of the picture, has most likely
# taken in something else; people and cars that come nearer grow less.
_GREW = 8.0
_LARGE_SHARE = 0.25


class _ObjectTally:
    def __init__(self) -> None:
        self.frames = 0
        self.visible = 0
        self.lost = 0
        self.iou = 0.0
        self.first_share: Optional[float] = None
        self.last_share = 0.0
        self.largest_share = 0.0
        self.largest_at = 0

    def add(self, found: ObjectResult, frame_index: int) -> None:
        self.frames += 1
        self.visible += found.visible
        self.lost += found.lost
        share = float(found.mask.mean())
        self.last_share = share
        if not found.visible:
            return
        self.iou += found.iou
        if self.first_share is None:
            self.first_share = share
        if share > self.largest_share:
            self.largest_share, self.largest_at = share, frame_index

    @property
    def spread(self) -> bool:
        grew = self.largest_share > _GREW * (self.first_share or 1.0)
        return grew and self.largest_share > _LARGE_SHARE

    def record(self) -> Dict[str, Any]:
        return {
            "frames": self.frames,
            "visible_share": round(self.visible / self.frames, 4),
            "lost_frames": self.lost,
            "mean_iou_of_network": round(self.iou / self.visible, 4) if self.visible else None,
            "area_share": {
                "first": round(self.first_share or 0.0, 4),
                "last": round(self.last_share, 4),
                "largest": round(self.largest_share, 4),
                "largest_at": self.largest_at,
            },
        }


class RunTally:
    """Counts as a run goes on, in constant memory.

    Attributes:
        frames: that were tracked.
        dropped: frames that a live source dropped.
    """

    def __init__(self, budget_ms: Optional[float], simulated: bool) -> None:
        """Start at 0.

        Args:
            budget_ms: what a frame may take, if that is controlled.
            simulated: whether the loop's times mean nothing.
        """
        self.frames = 0
        self.dropped = 0
        self._budget_ms = budget_ms
        self._over_budget = 0
        self._simulated = simulated
        self._compute, self._latency = TimeHistogram(), TimeHistogram()
        self._objects: Dict[int, _ObjectTally] = {}

    def add(self, result: FrameResult, latency_ms: float, dropped: int) -> None:
        """Count a frame.

        Args:
            result: what was found on it.
            latency_ms: its age when that was found.
            dropped: frames that were dropped just before it.
        """
        self.frames += 1
        self.dropped += dropped
        if not self._simulated:
            compute_ms = result.stage_ms["total"]
            self._compute.add(compute_ms)
            self._latency.add(latency_ms)
            if self._budget_ms is not None:
                self._over_budget += compute_ms > self._budget_ms
        for object_id, found in result.objects.items():
            self._objects.setdefault(object_id, _ObjectTally()).add(found, result.frame_index)

    def summary(self, seconds: float) -> Dict[str, Any]:
        """Return the record of the run.

        Args:
            seconds: that it took.
        """
        budget_ms = self._budget_ms
        return {
            "frames": self.frames,
            "fps": round(self.frames / seconds, 2),
            "compute_ms": self._compute.summary(),
            "latency_ms": self._latency.summary(),
            "budget_ms": budget_ms,
            "over_budget_share": None
            if budget_ms is None
            else round(self._over_budget / self.frames, 4),
            "dropped_frames": self.dropped,
            "objects": {
                str(object_id): tally.record() for object_id, tally in sorted(self._objects.items())
            },
        }

    def warnings(self) -> List[str]:
        """Return what looks wrong."""
        found = []
        for object_id, tally in sorted(self._objects.items()):
            if tally.spread:
                found.append(
                    "the mask of object {} grew from {:.1%} to {:.1%} of the picture (frame {}); "
                    "it has most likely taken in something else, whatever the network thinks: "
                    "correct it there, or prompt with a box".format(
                        object_id, tally.first_share or 0.0, tally.largest_share, tally.largest_at
                    )
                )
        return found


def thread_warnings(threads: Optional[int]) -> List[str]:
    """Return a warning where more threads are asked for than the machine has cores."""
    return [] if threads is None else shortfalls(threads, read_machine().cores)


def summary_lines(summary: Dict[str, Any]) -> Iterator[str]:
    """Give the lines that tell a person what `track_video` returned."""
    for object_id, found in summary["objects"].items():
        area = found["area_share"]
        yield (
            "object {}: on {} frames, its mask {:.1%} of the picture at first, {:.1%} at the last, "
            "{:.1%} at most".format(
                object_id, found["frames"], area["first"], area["last"], area["largest"]
            )
        )
        iou = found["mean_iou_of_network"]
        yield "    by its own account the network kept it in view on {:.1%} of them{}{}".format(
            found["visible_share"],
            "" if iou is None else ", at an IoU of {:.2f}".format(iou),
            ", lost on {}".format(found["lost_frames"]) if found["lost_frames"] else "",
        )
    budget_ms = summary["budget_ms"]
    if budget_ms is not None and summary["compute_ms"] is not None:
        yield "budget of {:g} ms: {:.0%} of the frames took longer".format(
            budget_ms, summary["over_budget_share"]
        )
    yield "weights: {}".format(provenance_line(summary["weights"]))
    yield "{}: {} frames, {} objects, {:.1f} frames/s in all, {}{}".format(
        summary["path"],
        summary["frames"],
        len(summary["objects"]),
        summary["fps"],
        _times(summary),
        ", {} dropped".format(summary["dropped_frames"]) if summary["dropped_frames"] else "",
    )


def _times(summary: Dict[str, Any]) -> str:
    compute, latency = summary["compute_ms"], summary["latency_ms"]
    if compute is None:
        return "simulated"
    text = "{:.1f} ms each in the loop (p95 {:.1f})".format(compute["p50"], compute["p95"])
    if summary["live"]:
        text += ", {:.1f} ms from capture to mask (p95 {:.1f})".format(
            latency["p50"], latency["p95"]
        )
    return text
