"""Ablations: what each part of the recipe is worth, by small runs that train for the same time.

Equal time is what a user has to spend: a variant without a teacher takes more steps in it. All
variants have the same seeds and start from the same weights; they differ in what the table below
says. Trainings are those of stage 1, without pruning, so the learned policy is only as good as the
importance in the weights that they start from.

The memory's window has no limit in any row: at most 15 frames of 32 tokens follow the prompted one,
so that 512 tokens hold all, 256 prune from the ninth frame on, and 128 from the fifth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.bench.json_file import reserved_json
from sam2lite.data.process_pool import each_in_processes
from sam2lite.errors import OutputError, TrainingError, UnknownNameError
from sam2lite.evaluation.evaluate import EvaluationSettings
from sam2lite.evaluation.report import gather
from sam2lite.evaluation.sources import fresh_clips
from sam2lite.evaluation.workers import Task, TrackerRecipe
from sam2lite.files.json_reading import read_json
from sam2lite.files.reading import printable

if TYPE_CHECKING:
    from sam2lite.training.run.options import RunOptions
    from sam2lite.training.run.trainer import Report

RESULTS_FILE = "results.json"
SCHEMA_VERSION = 1
STAGES = (1,)
RUNG = 240
PROMPT = "click"
CLIP_SEED = 0  # of the first held-out clip
SCORES = ("jf", "jf_stderr", "first_frame_j", "j_last4")

Results = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """A row of the study.

    Attributes:
        label: what is different.
        losses: preset to train with.
        taught: with a teacher.
        weights_of: the variant whose weights are scored, instead of training anew.
        policy: which tokens leave a full memory, when scoring.
        budget: tokens of memory, when scoring; the network's if None.
    """

    label: str
    losses: str = "sam2lite"
    taught: bool = True
    weights_of: str | None = None
    policy: str = "learned"
    budget: int | None = None


FULL = "full"
VARIANTS = {
    FULL: Variant("full"),
    "no-attention": Variant("no attention matching", "sam2lite-attention"),
    "no-readout": Variant("no read-out matching", "sam2lite-readout"),
    "no-matching": Variant("neither matching", "sam2lite-attention-readout"),
    "output-only": Variant(
        "teacher's masks alone",
        "sam2lite-bce-dice-edge-iou_score-object_score-attention-readout",
    ),
    "no-teacher": Variant("no teacher", taught=False),
    "no-edge": Variant("no edge loss", "sam2lite-edge"),
    "fifo": Variant("full, FIFO", weights_of=FULL, policy="fifo"),
    "random": Variant("full, random pruning", weights_of=FULL, policy="random"),
    "budget-128": Variant("full, 128 tokens", weights_of=FULL, budget=128),
    "budget-256": Variant("full, 256 tokens", weights_of=FULL, budget=256),
    "budget-512": Variant("full, 512 tokens", weights_of=FULL, budget=512),
}


def ablate(
    options: RunOptions,
    folder: Path,
    *,
    variants: Sequence[str] = tuple(VARIANTS),
    runs: int = 2,
    clips: int = 24,
    processes: int = 1,
    resume: bool = False,
    begin: Callable[[str], None] = lambda line: None,
    report: Callable[[Report], None],
) -> Results:
    """Train and score every variant so many times; the full recipe is always among them.

    The folder gets `results.json`, which is written after every run, and a folder for each
    training with its checkpoint and logs.

    Args:
        options: of every training, with the teacher; each variant replaces losses and teacher, and
            each run the seed.
        folder: of the study; made if missing.
        variants: names in `VARIANTS`.
        runs: of every variant, with the seeds from 0 on.
        clips: held-out clips to score with.
        processes: to train and to score with.
        resume: keep the runs in the folder, and do those that are missing.
        begin: is told what comes next, before every run.
        report: as for `training.launch`; it must be a function that can be pickled.

    Returns:
        The content of `results.json`.

    Raises:
        UnknownNameError: there is no such variant.
        ArgumentError: an option is out of its range.
        OutputError: the folder cannot be written.
        TrainingError: the folder holds a study and `resume` is not set, or another one; or a
            training failed, or was stopped.
    """
    for name in variants:
        if name not in VARIANTS:
            raise UnknownNameError("variant", name, VARIANTS)
    fresh_clips(clips, CLIP_SEED)  # before anything is written
    names = [name for name in VARIANTS if name == FULL or name in variants]
    results = _open_results(folder, _settings(options, clips), resume)
    done = {(run["variant"], run["seed"]) for run in results["runs"]}
    # Seed by seed, so that a study that is stopped early has about as many runs of each variant.
    left = [(name, seed) for seed in range(runs) for name in names if (name, seed) not in done]
    with reserved_json(folder / RESULTS_FILE, force=True) as write:
        write(results)  # a study that is stopped in its first training can be resumed, too
        for place, (name, seed) in enumerate(left, 1):
            trainings = sum(VARIANTS[other].weights_of is None for other, _ in left[place - 1 :])
            begin(f"{place} of {len(left)}: {name}, seed {seed}; trainings left: {trainings}")
            variant = VARIANTS[name]
            of = folder / f"{variant.weights_of or name}-{seed}"
            steps = None
            if variant.weights_of is None:
                teacher = options.teacher if variant.taught else None
                own = replace(options, losses=variant.losses, teacher=teacher, seed=seed)
                steps = _train(own, of, processes, report)
            scores = _score(of, variant, clips, processes)
            results["runs"].append({"variant": name, "seed": seed, "steps": steps, **scores})
            write(results)
    return results


def _settings(options: RunOptions, clips: int) -> Results:
    """Return what all runs of a study have in common: others cannot be compared with them."""
    from sam2lite.models.registry import load_model

    sources = {"teacher": options.teacher, "start": options.start}
    hashes = {
        f"{name}_sha256": None if source is None else load_model(source).sha256
        for name, source in sources.items()
    }
    shared = ("teacher", "start", "model", "minutes", "steps", "learning_rate", "device", "data")
    return {
        **{name: getattr(options, name) for name in shared},
        **hashes,
        "clips": clips,
        "clip_seed": CLIP_SEED,
        "rung": RUNG,
        "prompt": PROMPT,
    }


def _open_results(folder: Path, settings: Results, resume: bool) -> Results:
    path = folder / RESULTS_FILE
    if not resume:
        if path.exists():
            raise TrainingError(
                f"{folder} holds a study; go on with --resume, or choose another folder"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make the folder {folder}: {error.strerror}; name another with --output"
            ) from None
        return {"schema_version": SCHEMA_VERSION, "settings": settings, "runs": []}
    if not path.is_file():
        raise TrainingError(f"there is no study to resume in {folder}: {RESULTS_FILE} is missing")
    results: Results = read_json(str(path), TrainingError, "choose another folder")
    try:
        version, found = results["schema_version"], dict(results["settings"])
        _check_runs(results["runs"])
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{printable(path)} is damaged or of no study ({printable(repr(error)[:200])}); choose "
            "another folder"
        ) from None
    other = [name for name in settings if found.get(name) != settings[name]]
    if version != SCHEMA_VERSION or other:
        differences = "; ".join(f"{n} was {found.get(n)!r}, is {settings[n]!r}" for n in other)
        raise TrainingError(
            f"{folder} holds another study ({differences or f'schema version {version!r}'}); give "
            "the same options to resume it, or choose another folder"
        )
    return results


def _train(
    options: RunOptions, folder: Path, processes: int, report: Callable[[Report], None]
) -> int:
    """Train from the beginning, and return the steps; what is only for resuming is deleted."""
    from sam2lite.training.run.folder import open_run
    from sam2lite.training.run.launch import launch
    from sam2lite.training.run.state import STATE_FILE, read_progress

    open_run(folder, options, resume=False, force=True)
    launch(options, folder, resume=False, processes=processes, report=report)
    progress = read_progress(folder)
    share = (
        progress.elapsed_s / (60.0 * options.minutes)
        if options.steps is None
        else progress.step / options.steps
    )
    if share < 1.0:
        raise TrainingError(
            f"stopped at {100 * share:.0f} % of {folder}; the runs before it are kept: go on with "
            "--resume"
        )
    (folder / STATE_FILE).unlink()
    return progress.step


def _score(run: Path, variant: Variant, clips: int, workers: int) -> Results:
    from sam2lite.training.run.rebudget import rebudgeted
    from sam2lite.training.run.trainer import CHECKPOINT_FOLDER

    with tempfile.TemporaryDirectory() as scratch:
        source = run / CHECKPOINT_FOLDER
        if variant.budget is not None:
            source = rebudgeted(source, variant.budget, Path(scratch) / "checkpoint")
        recipe = TrackerRecipe("model", str(source), {"policy": variant.policy, "window": None})
        task = Task(recipe, (RUNG,), EvaluationSettings(PROMPT))
        scored = list(each_in_processes(task.worker, fresh_clips(clips, CLIP_SEED), workers))
    scores = gather(scored).main.to_json()
    return {name: scores[name] for name in SCORES}


def _check_runs(runs: object) -> None:
    """Raise TypeError unless runs are what the table is made from."""
    if not isinstance(runs, list):
        raise TypeError("runs is no list")
    numbers = ("jf", "first_frame_j", "j_last4")
    for run in runs:
        if not isinstance(run["variant"], str) or type(run["seed"]) is not int:
            raise TypeError("a run has no variant or no seed")
        if not all(type(run[name]) in (int, float) for name in numbers):
            raise TypeError("a run has no scores")
        if not all(type(run[name]) in (int, float, type(None)) for name in ("steps", "jf_stderr")):
            raise TypeError("a run has no steps or no error")
