"""Make the builder's logger and calibrator with an installed `tensorrt` module. Runs on Python 3.6.

    LD_LIBRARY_PATH=STUBS python3 checks/trt_subclasses.py FOLDER_OF_THE_WHEEL

C++ calls these from inside TensorRT, so that a mistake in them shows nowhere else.
"""

import importlib
import sys
from pathlib import Path


def main() -> None:
    """Make both, call their methods, and print what works."""
    sys.path[:0] = [sys.argv[1], str(Path(__file__).resolve().parent.parent)]
    tensorrt = importlib.import_module("tensorrt_bindings")
    from sam2lite.device.tensorrt.calibration import make_calibrator
    from sam2lite.device.tensorrt.log import make_logger

    shown: list[str] = []
    logger = make_logger(tensorrt, shown.append)
    for severity in tensorrt.ILogger.Severity.__members__.values():
        logger.log(severity, "text")
    assert len(logger.errors) == 2, logger.errors  # INTERNAL_ERROR and ERROR
    assert len(shown) == 3, shown  # and WARNING
    made = "logger"
    if hasattr(tensorrt, "IInt8EntropyCalibrator2"):
        calibrator = make_calibrator(tensorrt, b"scales")
        assert (calibrator.get_batch_size(), calibrator.get_batch(["x"])) == (1, None)
        assert calibrator.read_calibration_cache() == b"scales"
        made += ", calibrator"
    print(made)


if __name__ == "__main__":
    main()
