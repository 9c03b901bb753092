"""The JSON files that a page may be about, each checked: what it is, and of which bundle."""

from pathlib import Path
from typing import Any

from sam2lite.contracts.fields import (
    Check,
    anything,
    digits,
    flag,
    items,
    number,
    or_none,
    record,
    table,
    text,
    whole,
)
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import BundleError
from sam2lite.files.json_reading import MAX_BYTES, read_json
from sam2lite.files.reading import printable

Data = dict[str, Any]

MOST_FRAMES = 1_000_000
_MOST_TRACK_BYTES = 256 << 20
_COUNT = whole(0, 1 << 53)
_FIGURE = or_none(number)

_PERCENTILES = record({"p50": number, "p95": number, "p99": number}, others=True)
_TIMES = table(_PERCENTILES, most=256)
_TRACE = items(
    record({"frame": _COUNT, "rung": _COUNT, "latency_ms": number, "status": text}, others=True),
    most=MOST_FRAMES,
)
_SHA256 = {"bundle_sha256": digits(64)}
_LOOP = record(
    {**_SHA256, "stages_ms": _TIMES, "fps": number, "frames": whole(1, MOST_FRAMES)},
    {
        "frame_ms": items(number, least=1, most=MOST_FRAMES),
        "controller": _TRACE,
        "rung": or_none(_COUNT),
        "objects": _COUNT,
        "threads": _COUNT,
        "startup_ms": number,
        "peak_rss_mb": _FIGURE,
        "dropped_frames": _COUNT,
        "lost_frames": _COUNT,
        "outside_graphs_ms": _PERCENTILES,
        "age_ms": or_none(_PERCENTILES),
        "machine": record({}, {"versions": table(text, most=64)}, others=True),
        "load": or_none(record({"first_frame": _COUNT, "end_frame": _COUNT}, others=True)),
        "budget": or_none(
            record({"budget_ms": number, "within_budget": number, "status": text}, others=True)
        ),
        "budget_ms": _FIGURE,
        "power": or_none(record({}, {"joules_per_frame": _FIGURE, "mean_w": _FIGURE}, others=True)),
        "temperature_c": table(number, most=256),
        "warnings": items(text, most=1000),
    },
    others=True,
)
_RUNGS = record(
    {
        **_SHA256,
        "rungs": items(
            record(
                dict.fromkeys(("rung", "open_ms", "first_frame_ms", "p50_ms", "rss_mb"), number),
                others=True,
            ),
            least=1,
            most=1000,
        ),
    },
    {
        "machine": record({}, {"versions": table(text, most=64)}, others=True),
        "threads": _COUNT,
        "objects": _COUNT,
        "warnings": items(text, most=1000),
    },
    others=True,
)
_SCORES = record({"jf": _FIGURE, "first_frame_j": _FIGURE, "j": _FIGURE, "f": _FIGURE}, others=True)
_EVAL = record(
    {
        **_SHA256,
        "clips": _COUNT,
        "objects": _COUNT,
        "source": text,
        "prompt": text,
        "rungs": table(_SCORES, most=1000),
        "baselines": table(_SCORES, most=1000),
    },
    {
        "per_object": items(
            record(
                {"clip": text, "object": anything, "first_frame_j": number, "jf": _FIGURE},
                {"frames": items(_COUNT), "j": items(number)},
                others=True,
            )
        )
    },
    others=True,
)
_BY_SIZE = table(record({"objects": _COUNT, "miou": _FIGURE}, others=True), most=64)
_COCO = record(
    {
        **_SHA256,
        "images": _COUNT,
        "source": text,
        "prompt": text,
        "rungs": table(record({"by_size": _BY_SIZE}, others=True), most=1000),
        "baselines": table(record({"by_size": _BY_SIZE}, others=True), most=1000),
    },
    others=True,
)
_TRACK = record(
    {
        **_SHA256,
        "frames": items(
            record(
                {
                    "lost": flag,
                    "objects": table(
                        record(
                            {
                                "visible": flag,
                                "lost": flag,
                                "iou": _FIGURE,
                                "object_score": _FIGURE,
                            },
                            others=True,
                        ),
                        most=64,
                    ),
                },
                {
                    "rung": _COUNT,
                    "compute_ms": _FIGURE,
                    "latency_ms": _FIGURE,
                    "capture_ms": _FIGURE,
                    "pts_ms": _FIGURE,
                },
                others=True,
            ),
            least=1,
            most=MOST_FRAMES,
        ),
    },
    {
        "video": text,
        "fps": _FIGURE,
        "simulated": flag,
        "live": flag,
        "budget_ms": _FIGURE,
        "dropped_frames": _COUNT,
        "warnings": items(text, most=1000),
    },
    others=True,
)
_SENSITIVITY = items(
    record({"name": text, "sqnr_db": number}, {"clip_iou": _FIGURE}, others=True), least=1
)


def read_bench(path: Path, sha256: str) -> Data:
    """Return a benchmark of a bundle, of a PC or of a board; with `rungs`, one of all input sizes.

    Raises:
        BundleError: it is no such file, or of another bundle.
    """
    data = _read(path)
    check = _RUNGS if isinstance(data, dict) and "stages_ms" not in data else _LOOP
    _check(data, path, check, "a benchmark, as `sam2lite-bench --json` writes it")
    _check_bundle(data, path, sha256, "measure this one with `sam2lite-bench --json`")
    return dict(data)


def read_eval(path: Path, sha256: str) -> Data:
    """Return the scores of a bundle over clips or, with `images`, over pictures.

    Raises:
        BundleError: it is no such file, or of another bundle or of a model.
    """
    data = _read(path)
    if isinstance(data, dict) and "model" in data:
        raise BundleError(
            f"{printable(path)} has the scores of the model {data['model']!r} in PyTorch, and the "
            "page is about a bundle; make them with `sam2lite eval --bundle`"
        )
    check = _COCO if isinstance(data, dict) and "images" in data else _EVAL
    _check(data, path, check, "scores, as `sam2lite eval --bundle DIR --json` prints them")
    _check_bundle(data, path, sha256, "score this one with `sam2lite eval --bundle`")
    return dict(data)


def read_track(path: Path, sha256: str) -> Data:
    """Return `results.json` of a folder of `sam2lite track`.

    Raises:
        BundleError: it is no such file, or of another bundle.
    """
    data = _read(path, _MOST_TRACK_BYTES)
    _check(data, path, _TRACK, "what `sam2lite track` writes")
    _check_bundle(data, path, sha256, "track with this one")
    return dict(data)


def read_sensitivity(path: Path, manifest: Manifest) -> list[Data]:
    """Return what each layer and each graph loses in INT8 alone.

    Raises:
        BundleError: it is no such file, or names layers of graphs that the bundle does not have.
    """
    data = _read(path)
    _check(data, path, _SENSITIVITY, "what `sam2lite sensitivity --json` prints")
    for row in data:
        if row["name"].partition(".")[0] not in manifest.stages:
            raise BundleError(
                f"{printable(path)} is about another network: it has {row['name'][:80]!r}, and the "
                f"bundle's graphs are {', '.join(manifest.stages[:16])}"
            )
    return list(data)


def _read(path: Path, most: int = MAX_BYTES) -> Any:
    return read_json(str(path), BundleError, "give a file that SAM2-Lite wrote", most)


def _check(data: Any, path: Path, check: Check, what: str) -> None:
    try:
        check(data, "")
    except ValueError as error:
        raise BundleError(f"{printable(path)} is not {what} ({error})") from None


def _check_bundle(data: Data, path: Path, sha256: str, remedy: str) -> None:
    if data["bundle_sha256"] != sha256:
        raise BundleError(
            f"{printable(path)} is of the bundle {data['bundle_sha256'][:12]}, and the page is "
            f"about {sha256[:12]}; {remedy}"
        )
