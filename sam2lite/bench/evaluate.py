"""How well a model or a bundle follows objects, as a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.errors import ArgumentError
from sam2lite.exporter.progress import SILENT, Progress
from sam2lite.runtimes.backends.simulated import opened
from sam2lite.runtimes.bundle import Bundle

if TYPE_CHECKING:
    from sam2lite.evaluation.sources import ClipReference
    from sam2lite.evaluation.workers import TrackerRecipe


def evaluate(
    bundle: Bundle | str | Path | None = None,
    *,
    model: str | Path | None = None,
    variant: str | None = None,
    backend: str | None = None,
    prompt: str = "click",
    sizes: Sequence[int] | None = None,
    clips: int | None = None,
    seed: int | None = None,
    set_name: str | None = None,
    davis: str | Path | None = None,
    skip_last: bool = False,
    baselines: bool = True,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Prompt objects on the first frame of every clip, track them, and score the masks.

    J, F and their mean are those of DAVIS 2017; docs/evaluation.md defines every number. Memory is
    pruned as usual; `sam2lite eval` has options for that.

    Args:
        bundle: a bundle, or its folder, run as users run it; or give `model`.
        model: a size or a checkpoint, run by PyTorch.
        variant: of a checkpoint whose weights do not show it.
        backend: that runs the bundle; that it was made for if not given.
        prompt: on the first frame, made from its true mask: click, box or mask.
        sizes: of the input, px; the largest if not given.
        clips: so many generated clips; or give `set_name` or `davis`.
        seed: of the first of `clips`; 0 if not given.
        set_name: a frozen set of generated clips; `eval-v1` if no clips are named.
        davis: a folder in the layout of DAVIS.
        skip_last: leave out the last frame, as DAVIS's toolkit does.
        baselines: score what needs no network, too.
        workers: processes of one thread each; 1 is this one, with all its threads. More than one
            needs a script that can be imported: `if __name__ == "__main__":`.
        progress: told how far it is.

    Returns:
        plain data, as `sam2lite eval --json` prints it: `j`, `f`, `jf`, `first_frame_j` and more,
        0 to 100, at the largest size; `rungs` has them by size, and `baselines` by method.

    Raises:
        ArgumentError: not one of model and bundle is given, or clips are named twice.
        BundleError, ModelError: it cannot be used.
        ArgumentError: it does not take an input size, or there is no such prompt or set.
        VideoError: there are no clips, or no object in any of them.
    """
    from sam2lite.data.process_pool import each_in_processes
    from sam2lite.evaluation.evaluate import EvaluationSettings
    from sam2lite.evaluation.first_prompts import check_prompt_kind
    from sam2lite.evaluation.report import SCHEMA_VERSION, gather
    from sam2lite.evaluation.workers import Task

    check_prompt_kind(prompt)
    recipe, known, check_size = _tracker(bundle, model, variant, backend)
    for size in sizes or ():
        check_size(size)
    references, source = _clips(clips, seed, set_name, davis)
    task = Task(
        recipe, sorted(sizes or known[-1:]), EvaluationSettings(prompt, skip_last, baselines)
    )
    with (progress or SILENT).phase("clips", len(references)) as report:
        results = []
        for reference, result in zip(
            references, each_in_processes(task.worker, references, workers), strict=True
        ):
            results.append(result)
            report(reference.name)
    return {
        "schema_version": SCHEMA_VERSION,
        **recipe.describe(),
        "source": source,
        "prompt": prompt,
        "seed": None if clips is None else seed or 0,
        "skip_last": skip_last,
        **gather(results).to_json(),
    }


def _tracker(
    bundle: Bundle | str | Path | None,
    model: str | Path | None,
    variant: str | None,
    backend: str | None,
) -> tuple[TrackerRecipe, Sequence[int], Callable[[int], None]]:
    """Return what to evaluate, its input sizes, ascending, and what refuses others."""
    from sam2lite.evaluation.workers import TrackerRecipe

    if (model is None) == (bundle is None):
        raise ArgumentError(
            f"{'neither' if model is None else 'both'} of model and bundle given; give one: "
            "model='tiny' for PyTorch, or bundle=... for what users run"
        )
    if bundle is not None:
        if variant is not None:
            raise ArgumentError(f"variant {variant!r} is of a checkpoint; a bundle says what it is")
        found = opened(bundle, backend)
        recipe = TrackerRecipe(
            "bundle",
            found.path,
            backend=found.backend,
            simulate=found.simulate,
            weights=found.manifest.model.weights,
            bundle_sha256=found.sha256,
        )
        return recipe, found.manifest.rungs, found.check_rung
    if backend is not None:
        raise ArgumentError(f"backend {backend!r} is for bundles; a model runs in PyTorch")
    from sam2lite.models.registry import load_model

    loaded = load_model(str(model), variant=variant)
    recipe = TrackerRecipe("model", str(model), variant=variant, weights=loaded.weights)
    return recipe, loaded.sizes, loaded.check_size


def _clips(
    count: int | None, seed: int | None, set_name: str | None, davis: str | Path | None
) -> tuple[Sequence[ClipReference], str]:
    """Return the clips and what to call them all together."""
    from sam2lite.evaluation.sources import DEFAULT_SET, folder_clips, fresh_clips, set_clips

    given = {"clips": count, "set_name": set_name, "davis": davis}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise ArgumentError(f"{' and '.join(named)} each name clips; give one of them")
    if seed is not None and count is None:
        raise ArgumentError(f"seed {seed} is of generated clips; say how many with clips")
    if davis is not None:
        return folder_clips(Path(davis)), str(davis)
    if count is not None:
        return fresh_clips(count, seed or 0), f"{count} generated clips from seed {seed or 0}"
    return set_clips(set_name or DEFAULT_SET), set_name or DEFAULT_SET
