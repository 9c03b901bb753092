"""Which engines of a bundle are built, on what, and how far off: for `inspect` and `export trt`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import BundleError
from sam2lite.files.json_reading import read_json
from sam2lite.runtimes.backends.tensorrt.engines import (
    VERIFICATION_FILE,
    EngineEntry,
    engine_path,
    is_current,
    read_engines,
    read_plan,
)

BUILT, STALE, MISSING, NOT_BUILT = "built", "stale", "file is missing", "not built"


def read_engine_report(bundle: str, manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Return what is known about the engine of every graph, by its key.

    `state` is `BUILT`, `STALE` where the graph, the weights or the plan changed since, `MISSING` or
    `NOT_BUILT`; beside it are the fields of `EngineEntry`, and `check` where the engine that is
    there now was compared. Whether it may be loaded on the machine at hand is not asked.

    Args:
        bundle: its folder; made for TensorRT.
        manifest: of the bundle.

    Raises:
        BundleError: the plan or `engines.json` cannot be used.
    """
    plan, entries, checks = read_plan(bundle), read_engines(bundle), _checks(bundle)
    report: dict[str, dict[str, Any]] = {}
    for key in manifest.graphs:
        entry = entries.get(key)
        if entry is None:
            report[key] = {"state": NOT_BUILT}
            continue
        current = is_current(manifest, plan, key, entry)
        check = checks.get(key, {})
        report[key] = {
            "state": _state(bundle, entry, current),
            **entry._asdict(),
            "check": check if check.get("engine_key") == entry.key else None,
        }
    return report


def built_engines(bundle: str, manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Return the engines that were built and compared at export, by the key of their graph.

    Arguments and errors are those of `read_engine_report`.
    """
    found = read_engine_report(bundle, manifest)
    return {
        key: {name: engine[name] for name in EngineEntry._fields} | (engine["check"] or {})
        for key, engine in found.items()
        if engine["state"] == BUILT
    }


def engine_lines(engines: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for each of `built_engines`: what it took, and how far it is off."""
    return [
        f"{key:<22} {engine['seconds']:>7.1f} s {engine['bytes'] / 1e6:>7.1f} MB  {_off(engine)}"
        for key, engine in engines.items()
    ]


def _off(check: Mapping[str, Any]) -> str:
    name, ratio = min(check["sqnr_db"].items(), key=lambda item: _order(item[1]))
    if isinstance(ratio, str):
        worst = "all outputs are equal" if ratio == "equal" else f"{name} is wrong"
    else:
        worst = f"{name} is at {ratio:.1f} dB"
    return f"{worst} against {check['reference']}"


def describe_status(report: dict[str, dict[str, Any]]) -> str:
    """Return how many engines are built, as the manifest's status is spelt."""
    built = sum(engine["state"] == BUILT for engine in report.values())
    return f"engine: {f'{built} of {len(report)} built' if built else NOT_BUILT}"


def describe_check(check: dict[str, Any] | None) -> str:
    """Return the worst output of a comparison, or that there was none."""
    if check is None:
        return "not compared"
    worst = min(check["sqnr_db"].values(), key=_order)
    figure = worst if isinstance(worst, str) else f"{worst:.1f} dB"
    return f"{figure} ({check['reference']})"


def _order(ratio: float | str) -> float:
    words = {"wrong": float("-inf"), "equal": float("inf")}
    return words[ratio] if isinstance(ratio, str) else ratio


def _state(bundle: str, entry: EngineEntry, current: bool) -> str:
    if not Path(engine_path(bundle, entry.file)).is_file():
        return MISSING
    return BUILT if current else STALE


def _checks(bundle: str) -> dict[str, dict[str, Any]]:
    path = Path(engine_path(bundle, VERIFICATION_FILE))
    if not path.exists():
        return {}
    remedy = "delete it, it only says how far the engines are off"
    try:
        checks = dict(read_json(str(path), BundleError, remedy)["engines"])
        return {str(key): dict(check) for key, check in checks.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{path} cannot be used ({type(error).__name__}: {error}); {remedy}"
        ) from None
