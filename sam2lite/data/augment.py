"""Augmentation of clips, and frames and labels at the network's side.

What the SAM2-Lite paper trains with (crop, flip, colour jitter, motion blur), drawn once for a
clip, so that it moves as before; and playing backwards, and skipping frames.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.errors import ArgumentError
from sam2lite.runtimes import geometry

Frames = NDArray[np.uint8]
Labels = NDArray[np.uint8]

_GREY_OF_RGB = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_NEAREST = cv2.INTER_NEAREST_EXACT  # INTER_NEAREST is up to a pixel off to the top left


@dataclass(frozen=True)
class Augmentation:
    """How clips are varied; the defaults are the paper's, but for `strides` and reversal.

    Attributes:
        crop_share: least and greatest share of height and width that is kept.
        flip_probability: of being mirrored left to right.
        colour_jitter: brightness, contrast and saturation are each scaled by 1 +- at most this.
        blur_kernels_px: lengths of the motion blur; odd, so that masks stay where they are.
        blur_probability: of motion blur, in one direction for the whole clip.
        strides: from one frame to the next, each as likely.
        reverse_probability: of being played backwards.
    """

    crop_share: tuple[float, float] = (0.8, 1.0)
    flip_probability: float = 0.5
    colour_jitter: float = 0.2
    blur_kernels_px: tuple[int, ...] = (3, 5)
    blur_probability: float = 0.3
    strides: tuple[int, ...] = (1, 2, 3)
    reverse_probability: float = 0.5

    def span(
        self, rng: np.random.Generator, annotated_t: NDArray[np.bool_], count: int
    ) -> tuple[int, int]:
        """Choose a part of a clip whose first frame is annotated.

        Strides that are too long for the clip are left out, and so is a direction in which it ends
        too early.

        Args:
            rng: of this sample.
            annotated_t: bool [T], of the clip.
            count: frames wanted.

        Returns:
            First frame and stride for `DatasetClip.load`; a negative stride goes backwards.

        Raises:
            ArgumentError: no annotated frame has so many frames before or behind it.
        """
        steps = list(rng.permutation(self.strides))
        direction = -1 if rng.random() < self.reverse_probability else 1
        for stride in [sign * int(step) for sign in (direction, -direction) for step in steps]:
            last_t = np.arange(len(annotated_t)) + (count - 1) * stride
            starts = np.flatnonzero(annotated_t & (last_t >= 0) & (last_t < len(annotated_t)))
            if len(starts):
                return int(rng.choice(starts)), stride
        raise ArgumentError(
            f"no {count} frames that start with an annotated one, by strides of {self.strides}, "
            f"are in a clip of {len(annotated_t)}; ask for fewer frames or leave the clip out"
        )

    def apply(
        self, rng: np.random.Generator, frames_rgb_thwc: Frames, labels_thw: Labels
    ) -> tuple[Frames, Labels]:
        """Crop, mirror, tint and blur a clip, all frames alike.

        Args:
            rng: of this sample.
            frames_rgb_thwc: uint8 [T, H, W, 3]; left as it is.
            labels_thw: uint8 [T, H, W].

        Returns:
            New frames, and labels that may be a view of the given ones, of the size of the crop.
        """
        height, width = labels_thw.shape[1:]
        share = rng.uniform(*self.crop_share)
        rows = _part(rng, height, share)
        columns = _part(rng, width, share)
        frames, labels = frames_rgb_thwc[:, rows, columns], labels_thw[:, rows, columns]
        if rng.random() < self.flip_probability:
            frames, labels = frames[:, :, ::-1], labels[:, :, ::-1]
        frames = _coloured(frames, rng.uniform(-1, 1, 3) * self.colour_jitter + 1)
        if rng.random() < self.blur_probability:
            kernel = _line_kernel(int(rng.choice(self.blur_kernels_px)), rng.uniform(0, 180))
            blurred = [
                cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REPLICATE) for frame in frames
            ]
            frames = np.stack(blurred).astype(np.uint8)
        return frames, labels


def stretched(frames_rgb_thwc: Frames, labels_thw: Labels, side: int) -> tuple[Frames, Labels]:
    """Resize a clip to the square that the network sees, as every runtime does.

    Args:
        frames_rgb_thwc: uint8 [T, H, W, 3]; resized by `runtimes.geometry.stretched`.
        labels_thw: uint8 [T, H, W]; each new pixel takes the label under its centre.
        side: px.

    Returns:
        uint8 [T, side, side, 3] and uint8 [T, side, side].
    """
    frames = [
        geometry.stretched(np.ascontiguousarray(frame), side, side) for frame in frames_rgb_thwc
    ]
    labels = [
        cv2.resize(np.ascontiguousarray(labels_hw), (side, side), interpolation=_NEAREST)
        for labels_hw in labels_thw
    ]
    return np.stack(frames), np.stack(labels).astype(np.uint8)


def _part(rng: np.random.Generator, length: int, share: float) -> slice:
    kept = max(1, round(length * share))
    start = int(rng.integers(length - kept + 1))
    return slice(start, start + kept)


def _coloured(frames_rgb_thwc: Frames, factors: NDArray[np.float64]) -> Frames:
    """Scale brightness, contrast about the mean grey, and saturation, as one map of colours."""
    brightness, contrast, saturation = factors
    to_grey = np.tile(_GREY_OF_RGB, (3, 1))
    saturated = saturation * np.eye(3) + (1 - saturation) * to_grey
    tall = np.ascontiguousarray(frames_rgb_thwc).reshape(-1, frames_rgb_thwc.shape[2], 3)
    mean_grey = np.array(cv2.mean(tall)[:3]) @ _GREY_OF_RGB
    offset = brightness * (1 - contrast) * mean_grey
    matrix = np.column_stack([brightness * contrast * saturated, np.full(3, offset)])
    return np.asarray(cv2.transform(tall, matrix), np.uint8).reshape(frames_rgb_thwc.shape)


def _line_kernel(length_px: int, angle_deg: float) -> NDArray[np.float32]:
    """Return the weights of a motion blur [k, k] about its centre."""
    kernel = np.zeros((length_px, length_px), np.float32)
    kernel[length_px // 2] = 1
    centre = ((length_px - 1) / 2, (length_px - 1) / 2)
    turned = cv2.warpAffine(
        kernel, cv2.getRotationMatrix2D(centre, angle_deg, 1.0), (length_px, length_px)
    )
    return np.asarray(turned / turned.sum(), np.float32)
