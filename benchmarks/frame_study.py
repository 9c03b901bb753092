"""What studies of whole frames on a CPU have in common: the footage, the masks, the conditions."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from figures import ROOT, fill, paragraph
from in_turn import version, with_packages

from sam2lite.bench.machine_facts import describe_machine, load_average
from sam2lite.data.clips import ClipConfig, first_click, generate_clip

FOOTAGE = "footage.npz"
THREADS = (1, 2)
PACKAGES = ("torch", "transformers", "openvino")


def study_parser(words: str, contenders: Collection[str], quick: str) -> argparse.ArgumentParser:
    """Return the options that all studies have.

    Args:
        words: what the study is; the first line counts.
        contenders: their names.
        quick: what `--quick` runs, for people.
    """
    parser = argparse.ArgumentParser(description=words.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--contenders", nargs="+", choices=contenders)
    parser.add_argument("--threads", nargs="+", type=int)
    parser.add_argument("--rounds", type=int, help="turns of two frames; with --quick, of one")
    parser.add_argument("--cache", type=Path, help="keep what is prepared there for the next run")
    parser.add_argument("--json", type=Path, help="write every figure there")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/")
    return parser


class Plan(NamedTuple):
    """What a study runs.

    Attributes:
        contenders: that can run here.
        threads: of each.
        rounds: how often each has its turn.
        frames: of a turn.
        cache: folder that is kept, or goes with the study.
    """

    contenders: list[str]
    threads: Sequence[int]
    rounds: int
    frames: int
    cache: Path


@contextmanager
def planned(
    args: argparse.Namespace, wanted: Sequence[str], needs: Mapping[str, str]
) -> Iterator[Plan]:
    """Yield what is run, and set the environment of workers.

    Args:
        args: of a `study_parser`.
        wanted: contenders where none are named.
        needs: packages by contender.
    """
    os.environ.update(HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_OFFLINE="1")  # here and in workers
    contenders = with_packages(args.contenders or wanted, needs)
    threads = args.threads or (THREADS[:1] if args.quick else THREADS)
    rounds, frames = args.rounds or (3 if args.quick else 6), 1 if args.quick else 2
    with tempfile.TemporaryDirectory() as temporary:
        cache = args.cache or Path(temporary)
        cache.mkdir(parents=True, exist_ok=True)
        yield Plan(contenders, threads, rounds, frames, cache)


def recorded(
    script: str, args: argparse.Namespace, names: Sequence[str], plan: Plan, before: float
) -> dict[str, Any]:
    """Return what a result says of how it came about.

    Args:
        script: file of the study.
        args: of a `study_parser`.
        names: of the options that decide what is measured, beside `--quick` and `--rounds`.
        plan: what was run.
        before: load of the machine when it began.
    """
    return {
        "command": " ".join([f"benchmarks/{Path(script).name}", *_options(args, names)]),
        "machine": {**describe_machine(), "load_average": [before, load_average()]},
        "packages": {name: version(name) for name in PACKAGES},
        "frames": plan.rounds * plan.frames,
        "threads": list(plan.threads),
    }


def _options(args: argparse.Namespace, names: Sequence[str]) -> list[str]:
    """Return options as they were given, paths by their last part."""
    given = ["--quick"] if args.quick else []
    for name in names:
        values = [Path(str(value)).name for value in getattr(args, name) or ()]
        quoted = [f'"{value}"' if " " in value else value for value in values]
        given += [f"--{name}", *quoted] if quoted else []
    return given + (["--rounds", str(args.rounds)] if args.rounds else [])


def publish(args: argparse.Namespace, result: Mapping[str, Any], text: str, block: str) -> None:
    """Print a result, and write it where it was asked for.

    Args:
        args: of a `study_parser`.
        result: for the JSON file.
        text: tables, in Markdown.
        block: name of the page in docs/, and of the marks in it.
    """
    print(text)
    if args.docs:
        fill(ROOT / "docs" / f"{block}.md", block, text)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


def take_any_torchvision() -> None:
    """Let torchvision be imported though it is for another torch than there is.

    Hugging Face's EdgeTAM wants its name alone, and none of the operators that it declares.
    """
    sys.modules.setdefault("torchvision._meta_registrations", ModuleType("unused"))


def write_footage(folder: Path) -> None:
    """Write three frames of 1280x720 and a click on the first, unless they are there."""
    path = folder / FOOTAGE
    if path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    clip = generate_clip(5, ClipConfig(height=720, width=1280, frames=3))
    frames = np.ascontiguousarray(clip.frames_rgb_thwc[..., ::-1])
    np.savez(path, frames=frames, click=first_click(clip, clip.object_ids[0]))


def read_footage(folder: Path) -> tuple[list[np.ndarray], tuple[int, int]]:
    """Return frames, uint8 [height, width, 3] in BGR, and the click, x and y in px."""
    found = np.load(folder / FOOTAGE)
    x, y = map(int, found["click"])
    return list(found["frames"]), (x, y)


def agreement(folder: Path, contender: str, base: str) -> float | None:
    """Return the IoU of two contenders' masks; None if one is not there, or both are empty."""
    paths = [folder / f"{name}.npy" for name in (contender, base)]
    if not all(path.exists() for path in paths):
        return None
    mask, other = map(np.load, paths)
    union = int((mask | other).sum())
    return round(int((mask & other).sum()) / union, 4) if union else None


def conditions(machine: Mapping[str, Any], packages: Mapping[str, str | None], text: str) -> str:
    """Return the paragraph that says what was measured on, with what, and more."""
    before, after = machine["load_average"]
    versions = {"onnxruntime": machine["versions"]["onnxruntime"], **packages}
    used = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    return paragraph(
        f"""{machine["model"]}, {machine["cores"]} cores, load average {before} before and {after}
        after; {used}. {text}"""
    )
