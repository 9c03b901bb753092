"""Drawing masks on frames, for people to look at."""

from typing import Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.video.colours import PALETTE_BGR, Colour

_OPACITY = 0.5
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_REFERENCE_HEIGHT_PX = 480  # lines and letters are sized for this and scaled to the frame


def draw_overlay(
    frame_bgr: np.ndarray,
    masks_by_object: Mapping[int, np.ndarray],
    captions: Optional[Mapping[int, str]] = None,
    colours: Optional[Mapping[int, Colour]] = None,
) -> np.ndarray:
    """Return a copy of the frame with every object tinted, outlined and labelled.

    Args:
        frame_bgr: uint8 [height, width, 3].
        masks_by_object: bool or uint8 [height, width] by object id; later ones lie on top.
        captions: ASCII text by object id; the id where there is none.
        colours: by object id, as `ObjectColours` chooses them; the palette's in turn where there
            is none.

    Raises:
        ArgumentError: a mask has not the frame's size.
    """
    image_bgr = frame_bgr.copy()
    corners, chosen = {}, colours or {}
    for object_id, mask in masks_by_object.items():
        if mask.shape != frame_bgr.shape[:2]:
            raise ArgumentError(
                "the mask of object {} is {}, but the frame is {}; resize it first".format(
                    object_id, mask.shape, frame_bgr.shape[:2]
                )
            )
        colour = chosen.get(object_id, _in_turn(object_id))
        corner = _tint(image_bgr, mask.astype(np.uint8), colour)
        if corner is not None:
            corners[object_id] = corner
    for object_id, corner in corners.items():  # after all masks, so that none covers a label
        text = (captions or {}).get(object_id, str(object_id))
        _write(image_bgr, text, corner, chosen.get(object_id, _in_turn(object_id)))
    return image_bgr


def contact_sheet(frames_bgr: Sequence[np.ndarray], columns: int, width: int) -> np.ndarray:
    """Return the frames as a grid, row by row, in cells of the first frame's proportions.

    Args:
        frames_bgr: uint8 [h, w, 3] each.
        columns: frames per row.
        width: of the sheet, px.

    Raises:
        ArgumentError: there are no frames, or no room for the columns.
    """
    if not frames_bgr or not 1 <= columns <= width:
        raise ArgumentError(
            "{} frames in {} columns do not fit a sheet {} px wide; give a frame or more, and a "
            "column or more".format(len(frames_bgr), columns, width)
        )
    cell_width = width // columns
    height, first_width = frames_bgr[0].shape[:2]
    cell_height = max(1, round(height * cell_width / first_width))
    rows = -(-len(frames_bgr) // columns)
    sheet_bgr = np.zeros((rows * cell_height, width, 3), np.uint8)
    for index, frame_bgr in enumerate(frames_bgr):
        top = index // columns * cell_height
        left = index % columns * cell_width
        sheet_bgr[top : top + cell_height, left : left + cell_width] = cv2.resize(
            frame_bgr, (cell_width, cell_height), interpolation=cv2.INTER_AREA
        )
    return sheet_bgr


def _in_turn(object_id: int) -> Colour:
    return PALETTE_BGR[(object_id - 1) % len(PALETTE_BGR)]


def _tint(image_bgr: np.ndarray, mask: np.ndarray, colour: Colour) -> Optional[Tuple[int, int]]:
    """Blend the colour in where the mask is not 0; return its top left corner, if it has one."""
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return None
    # Only the bounding box is touched. A table of 256 blends per channel is one pass over it.
    box_bgr = image_bgr[y : y + height, x : x + width]
    box_mask = mask[y : y + height, x : x + width]
    levels = np.arange(256)[:, np.newaxis]
    blends = np.round((1 - _OPACITY) * levels + _OPACITY * np.array(colour)).astype(np.uint8)
    cv2.copyTo(cv2.LUT(box_bgr, blends[np.newaxis]), box_mask, box_bgr)
    # OpenCV 3 returns three values, later ones two; RETR_CCOMP outlines holes as well.
    outlines = cv2.findContours(box_mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)[-2]
    cv2.drawContours(image_bgr, outlines, -1, colour, 1 + _thickness(image_bgr), offset=(x, y))
    return x, y


def _write(image_bgr: np.ndarray, text: str, corner: Tuple[int, int], colour: Colour) -> None:
    """Write black on a patch of the colour, which sits on the corner and inside the image."""
    scale = max(0.4, 0.5 * image_bgr.shape[0] / _REFERENCE_HEIGHT_PX)  # 0.4: still legible
    thickness = _thickness(image_bgr)
    (width, height), baseline = cv2.getTextSize(text, _FONT, scale, thickness)
    left = max(0, min(corner[0], image_bgr.shape[1] - width))
    bottom = max(corner[1], height + baseline)
    top = bottom - height - baseline
    cv2.rectangle(image_bgr, (left, top), (left + width, bottom), colour, cv2.FILLED)
    cv2.putText(
        image_bgr, text, (left, bottom - baseline), _FONT, scale, (0, 0, 0), thickness, cv2.LINE_AA
    )


def _thickness(image_bgr: np.ndarray) -> int:
    height: int = image_bgr.shape[0]
    return max(1, height // _REFERENCE_HEIGHT_PX)
