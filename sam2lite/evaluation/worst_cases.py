"""Contact sheets of the objects that were followed worst: truth above, prediction below."""

import cv2
import numpy as np

from sam2lite.evaluation.clip import EvaluationClip
from sam2lite.evaluation.evaluate import follow
from sam2lite.evaluation.object_score import ObjectScore
from sam2lite.evaluation.trackers import Frame, Masks, Tracker
from sam2lite.runtimes.video.overlay import contact_sheet, draw_overlay

_COLUMNS = 8
_CELL_PX = 250
_CAPTION_PX = 24


def worst_case_sheet(
    tracker: Tracker, clip: EvaluationClip, score: ObjectScore, prompt: str
) -> Frame:
    """Track a clip again and draw one object on frames spread evenly over it.

    Args:
        tracker: the one that was scored.
        clip: the one it was scored on.
        score: of the object.
        prompt: `click`, `box` or `mask`.

    Returns:
        uint8 [height, width, 3], BGR. Where a frame is not annotated, its truth is left out.
    """
    last = len(clip.frames_rgb_thwc) - 1
    shown = sorted({round(t) for t in np.linspace(0, last, _COLUMNS)})
    j_by_frame = {
        0: score.first_frame_j,
        **dict(zip(score.frames.tolist(), score.j_t, strict=True)),
    }
    truths, predictions = [], []
    for t, masks in enumerate(follow(tracker, clip, prompt)):
        if t not in shown:
            continue
        known = {score.object_id: clip.truth(t, score.object_id)} if clip.annotated_t[t] else {}
        truths.append(_drawn(clip, t, known, f"frame {t}, truth"))
        caption = f"J {100 * j_by_frame[t]:.0f}" if t in j_by_frame else "not scored"
        found = {score.object_id: masks[score.object_id]}
        predictions.append(_drawn(clip, t, found, f"frame {t}, {caption}"))
    return contact_sheet(truths + predictions, len(shown), _CELL_PX * len(shown))


def _drawn(clip: EvaluationClip, t: int, masks: Masks, caption: str) -> Frame:
    frame_bgr = cv2.cvtColor(clip.frames_rgb_thwc[t], cv2.COLOR_RGB2BGR)
    drawn_bgr = draw_overlay(frame_bgr, masks, dict.fromkeys(masks, ""))
    height = round(_CELL_PX * frame_bgr.shape[0] / frame_bgr.shape[1])
    cell = np.full((_CAPTION_PX + height, _CELL_PX, 3), 255, np.uint8)
    cv2.resize(drawn_bgr, (_CELL_PX, height), dst=cell[_CAPTION_PX:], interpolation=cv2.INTER_AREA)
    cv2.putText(cell, caption, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return cell
