"""Follow what is clicked on in the first frame: python3 loop.py BUNDLE VIDEO X,Y."""

import sys

import cv2

bundle, video, click = sys.argv[1:]
sys.path.insert(0, bundle + "/device.pyz")  # where sam2lite is installed, this line is not needed
from sam2lite import VideoSegmenter  # noqa: E402

capture = cv2.VideoCapture(video)
with VideoSegmenter(bundle) as segmenter:
    more, frame = capture.read()
    segmenter.prompt(frame, points=[tuple(float(each) for each in click.split(","))])
    while more:
        result = segmenter.track(frame)
        found = result.objects[1]  # found.mask: bool, height x width of the frame
        print(result.frame_index, found.visible, round(found.iou, 2), int(found.mask.sum()))
        more, frame = capture.read()
