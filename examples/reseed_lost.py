"""Find an object again that went out of sight: python3 reseed_lost.py BUNDLE VIDEO X1,Y1,X2,Y2.

A detector is any function of a frame that returns a box, or None. This one looks for the colours
that the object had when it was pointed out; yours may be a network, a marker or a person. It is
asked only while the object is not seen, so that it may be slow.
"""

import sys

import cv2
import numpy as np

PATIENCE = 3  # frames without the object before the detector is asked
BINS = 24
LEAST_LIKENESS = 64  # of 255
LEAST_SHARE = 0.25  # of the area that the object had


def colour_detector(frame_bgr, mask_hw):
    """Return a detector of what is in a mask, by its hue and saturation."""
    hsv = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2HSV)
    inside, outside = mask_hw.astype(np.uint8), (~mask_hw).astype(np.uint8)
    ranges = [0, 180, 0, 256]
    own, others = (
        cv2.calcHist([hsv], [0, 1], where, [BINS, BINS], ranges) for where in (inside, outside)
    )
    # A colour counts as far as it is the object's and not that of what is around it.
    own, others = own / max(1.0, own.sum()), others / max(1.0, others.sum())
    likeness = (255 * own / np.maximum(own + others, 1e-6)).astype(np.float32)
    least_px = LEAST_SHARE * int(inside.sum())

    def detect(frame_bgr):
        hsv = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2HSV)
        alike = cv2.calcBackProject([hsv], [0, 1], likeness, ranges, 1)
        alike = cv2.GaussianBlur(alike, (0, 0), 2.0)
        count, _, stats, _ = cv2.connectedComponentsWithStats(
            (alike > LEAST_LIKENESS).astype(np.uint8)
        )
        if count < 2:  # the first is what is not alike
            return None
        x, y, width, height, area = stats[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())]
        return (x, y, x + width, y + height) if area >= least_px else None

    return detect


def follow(segmenter, frames, box, make_detector=colour_detector):
    """Yield index, result and whether the detector had to help, frame by frame."""
    unseen, detect = 0, None
    for index, frame in enumerate(frames):
        if index == 0:
            seen = segmenter.prompt(frame, object_id=1, box=box, frame_index=index)
            detect = make_detector(frame, seen.mask)
        result = segmenter.track(frame, frame_index=index)
        unseen = 0 if result.objects[1].visible else unseen + 1
        found = detect(frame) if unseen > PATIENCE else None
        if found is not None:
            # The same frame again: the prompt takes the place of what was tracked on it.
            segmenter.prompt(frame, object_id=1, box=found, frame_index=index)
            result = segmenter.track(frame, frame_index=index)
            unseen = 0
        yield index, result, found is not None


def read(path):
    """Yield the frames of a video."""
    capture = cv2.VideoCapture(path)
    more, frame = capture.read()
    while more:
        yield frame
        more, frame = capture.read()


def main(bundle, video, box):
    """Print what becomes of the object."""
    sys.path.insert(0, bundle + "/device.pyz")
    from sam2lite import VideoSegmenter

    corners = [float(each) for each in box.split(",")]
    with VideoSegmenter(bundle) as segmenter:
        for index, result, helped in follow(segmenter, read(video), corners):
            found = result.objects[1]
            state = "seen" if found.visible else "not seen"
            print(index, "found again" if helped else state, int(found.mask.sum()))


if __name__ == "__main__":
    main(*sys.argv[1:])
