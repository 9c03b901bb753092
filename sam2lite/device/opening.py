"""What commands share that run the bundle: their options, and the bundle with its thread pool."""

import argparse
import importlib
import sys

from sam2lite.runtimes.bundle import Bundle, open_bundle


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that runs the bundle."""
    parser.add_argument(
        "--backend", metavar="NAME", help="trt or ort; the one that the bundle was made for"
    )
    parser.add_argument("--rung", type=int, metavar="PX", help="input side; the largest")
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="of the processor; as the target says"
    )
    parser.add_argument(
        "--budget-ms", type=float, metavar="MS", help="a frame may take; the rung then follows"
    )


def add_tracking(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that tracks what a video shows."""
    parser.add_argument(
        "--video",
        required=True,
        metavar="FILE|CAMERA",
        help="video file, folder of frames, camera such as 0 or csi:0, URL or GStreamer pipeline",
    )
    add_common(parser)
    parser.add_argument(
        "--max-age-ms",
        type=float,
        metavar="MS",
        help="milliseconds from capture to mask, instead of --budget-ms",
    )
    parser.add_argument(
        "--set",
        action="append",
        dest="settings",
        metavar="NAME=VALUE",
        help="of what is remembered, as in docs; repeatable",
    )
    parser.add_argument(
        "--live", action="store_true", help="play a file at its own rate, dropping late frames"
    )
    parser.add_argument("--force", action="store_true", help="replace the folder")


def require_numpy() -> None:
    """Import NumPy before OpenCV does, which prints a traceback of its own where it is missing.

    Raises:
        ImportError: it is missing or broken.
    """
    importlib.import_module("numpy")


def open_checked(arguments: argparse.Namespace) -> Bundle:
    """Open the bundle, let its sessions share one thread pool, and warn of untrained weights.

    Raises:
        ArgumentError: `--backend` does not run the bundle.
        BundleError: the bundle cannot be used.
        SessionError: the backend cannot be used.
    """
    bundle = open_bundle(arguments.bundle, arguments.backend)
    bundle.share_threads(arguments.threads)
    if not bundle.manifest.model.trained:
        warn(
            "the weights of {!r} are untrained; its masks mean nothing".format(
                bundle.manifest.model.name
            )
        )
    return bundle


def positive(text: str) -> int:
    """Read a whole number from 1 on, as argparse wants it read."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("{!r} is not a whole number from 1 on".format(text))
    return int(text)


def warn(message: str) -> None:
    """Print a warning on standard error."""
    sys.stderr.write("warning: {}\n".format(message))
