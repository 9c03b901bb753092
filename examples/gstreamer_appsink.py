"""Follow an object through a GStreamer pipeline: python3 gstreamer_appsink.py BUNDLE X,Y [SOURCE].

SOURCE is what comes before the appsink; a test picture if not given. On a Jetson, for instance:

    nvarguscamerasrc ! video/x-raw(memory:NVMM),width=1280,height=720 ! nvvidconv

The appsink keeps one frame and drops older ones (`max-buffers=1 drop=true`): the loop always takes
the newest, however slow it is. Needs PyGObject: apt install python3-gi gir1.2-gst-plugins-base-1.0.
"""

import sys

import numpy as np

TEST_PICTURE = "videotestsrc num-buffers=120 pattern=ball ! video/x-raw,width=640,height=480"
SINK = (
    "videoconvert ! video/x-raw,format=BGR ! appsink name=sink max-buffers=1 drop=true sync=false"
)
WAIT_S = 5


def frames(source):
    """Yield frames, uint8 [height, width, 3] in BGR, until the stream ends.

    Raises:
        RuntimeError: the pipeline fails, or gives no frame for some seconds.
    """
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import Gst

    Gst.init(None)
    pipeline = Gst.parse_launch(source + " ! " + SINK)
    sink, bus = pipeline.get_by_name("sink"), pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    try:
        while True:
            sample = sink.emit("try-pull-sample", WAIT_S * Gst.SECOND)
            if sample is None:
                failure = bus.pop_filtered(Gst.MessageType.ERROR)
                if failure is not None:
                    raise RuntimeError(f"the pipeline failed: {failure.parse_error()[0]}")
                if sink.get_property("eos"):
                    return
                raise RuntimeError(f"no frame came for {WAIT_S} s")
            yield _picture(sample, Gst)
    finally:
        pipeline.set_state(Gst.State.NULL)


def _picture(sample, gst):
    shape = sample.get_caps().get_structure(0)
    width, height = shape.get_value("width"), shape.get_value("height")
    buffer = sample.get_buffer()
    mapped, memory = buffer.map(gst.MapFlags.READ)
    if not mapped:
        raise RuntimeError("a frame cannot be read")
    try:
        data = np.frombuffer(memory.data, np.uint8)
        stride = len(data) // height  # rows are padded to a multiple of 4 bytes
        rows = data[: stride * height].reshape(height, stride)[:, : 3 * width]
        return np.ascontiguousarray(rows).reshape(height, width, 3)
    finally:
        buffer.unmap(memory)


def main(bundle, click, source=TEST_PICTURE):
    """Print where the object is."""
    sys.path.insert(0, bundle + "/device.pyz")
    from sam2lite import VideoSegmenter

    with VideoSegmenter(bundle, budget_ms=33) as segmenter:
        for index, frame in enumerate(frames(source)):
            if index == 0:
                segmenter.prompt(frame, points=[tuple(float(each) for each in click.split(","))])
            found = segmenter.track(frame, frame_index=index).objects[1]
            rows, columns = np.nonzero(found.mask)
            where = f"{columns.mean():.0f},{rows.mean():.0f}" if len(rows) else "unseen"
            print(index, where)


if __name__ == "__main__":
    main(*sys.argv[1:])
