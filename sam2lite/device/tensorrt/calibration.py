"""INT8 without Q/DQ: scales from a file, for TensorRT 8.2 to 10."""

from typing import Any, List

from sam2lite.errors import SessionError


def make_calibrator(trt: Any, cache: bytes) -> Any:
    """Return a calibrator that knows no images, only the scales in a calibration cache.

    Args:
        trt: the module.
        cache: TensorRT's text: a line with a version, then `tensor: scale` as hexadecimal float32.

    Returns:
        an `IInt8EntropyCalibrator2`; `asked_for_images` says whether TensorRT refused the cache.

    Raises:
        SessionError: this TensorRT has no calibrators (11 and newer).
    """
    if not hasattr(trt, "IInt8EntropyCalibrator2"):
        raise SessionError(
            "TensorRT {} takes no calibration cache; export the bundle again for it, which gives "
            "graphs with Q/DQ".format(trt.__version__)
        )

    class CacheOnly(trt.IInt8EntropyCalibrator2):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IInt8EntropyCalibrator2.__init__(self)
            self.asked_for_images = False

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: List[str]) -> None:
            """Give no images, which ends calibration."""
            self.asked_for_images = True

        def read_calibration_cache(self) -> bytes:
            return cache

        def write_calibration_cache(self, written: Any) -> None:
            """Keep nothing: what TensorRT writes is what it was given."""

    return CacheOnly()
