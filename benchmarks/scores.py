"""Score the weights that come with the package, and write it where it is quoted: `make scores`.

Runs `sam2lite eval` on eval-v1 with every prompt, and with a click at every rung, and `sam2lite
budget`; keeps the JSON under benchmarks/results/, and fills the marked blocks of
docs/training.md, ADRs 0006 and 0007 and the model card. With --keep it only fills the blocks from
recorded results.

    .venv/bin/python benchmarks/scores.py
"""

from __future__ import annotations

import argparse
from typing import Any

from figures import RESULTS, ROOT, capture, fill, load, paragraph, table

from sam2lite.bench.ablations.table import markdown
from sam2lite.cli.app import run_app

PROMPTS = ("click", "box", "mask")
SMOKE_TEST_JF = 57.0  # with a click; weights below it are good for smoke tests, and called so
COLUMNS = {
    "first_frame_j": "first frame J",
    "j": "J",
    "f": "F",
    "jf": "J&F",
    "j_last4": "J, last 4 frames",
}
BASELINES = {
    "copied_mask": "first mask, copied",
    "dis": "first mask, warped by optical flow (DIS)",
    "flood_dis": "flood fill + flow",
    "grabcut_dis": "GrabCut + flow",
}


def measure() -> None:
    """Score every prompt; a click at every rung and beside the baselines, which are all scored."""
    for prompt in PROMPTS:
        more = ["--rungs"] if prompt == "click" else ["--no-baselines"]
        arguments = ["--model", "tiny", "--prompt", prompt, "--json", *more]
        capture(f"scores_{prompt}", "sam2lite", "eval", *arguments)
    capture("last_mask", "python", str(ROOT / "benchmarks" / "last_mask.py"))
    capture("pruning", "sam2lite", "budget", "--rung", "240", "--clips", "12", "--json")


def last_mask_table() -> str:
    """Return ADR 0006's table."""
    result = load("last_mask")
    rows = [
        [name, row["first"], row["tracked"], row["last"]]
        for name, row in result.items()
        if isinstance(row, dict)
    ]
    return "\n\n".join(
        [
            table(["", "clicked frame", "tracked frames", "last 4 of them"], rows),
            paragraph(
                f"""{result["clips"]} clips of {result["frames"]} frames, {result["side"]} px."""
            ),
        ]
    )


def pruning_table() -> str:
    """Return what each policy keeps at each budget."""
    result = load("pruning")
    rows = [
        [
            row["policy"],
            row["budget"],
            f"{row['jf']:.1f} ± {row['jf_stderr']:.1f}",
            f"{row['hidden_jf']:.1f} ± {row['hidden_jf_stderr']:.1f}",
            f"{row['returned_jf']:.1f}",
        ]
        for row in result["rows"]
    ]
    return "\n\n".join(
        [
            table(["policy", "tokens", "J&F", "hiding, J&F", "after its return, J&F"], rows),
            paragraph(
                f"""{result["clips"]} clips of {result["frames"]} frames of either kind,
                {result["rung"]} px, no window, the first mask given. In the second kind one object
                is out of sight for 8 frames or more and comes back. ± is the standard error over
                clips."""
            ),
        ]
    )


def numbers(scores: dict[str, Any]) -> list[object]:
    """Return the columns of one row."""
    return [f"{scores[name]:.1f}" for name in COLUMNS]


def scores_block() -> str:
    """Return the tables of scores."""
    results = {prompt: load(f"scores_{prompt}") for prompt in PROMPTS}
    rows: list[list[object]] = [
        [f"**Tiny, {prompt}**", *numbers(result)] for prompt, result in results.items()
    ]
    for family, scores in results["click"]["baselines"].items():
        rows.append([f"{BASELINES[family]}, from a {scores['prompt']}", *numbers(scores)])
    rungs = results["click"]["rungs"]
    best = max(rungs.values(), key=lambda scores: scores["j"])
    by_rung = [[rung, *numbers(scores)] for rung, scores in rungs.items()]
    click = results["click"]
    return "\n\n".join(
        [
            paragraph(
                f"""eval-v1: {click["clips"]} generated clips of 16 frames that no training has
                seen, {click["objects"]} objects, prompted once on the first frame; input side
                {click["rung"]} px, FP32 arithmetic. Standard error of J&F over clips:
                {click["jf_stderr"]:.1f}. `make scores`."""
            ),
            table(["", *COLUMNS.values()], rows),
            paragraph(
                f"""By rung (input side): the largest loses
                {best["j"] - rungs[max(rungs, key=int)]["j"]:.1f} points of J with a click against
                the best one."""
            ),
            table(["rung, click", *COLUMNS.values()], by_rung),
        ]
    )  # fmt: skip


def main() -> None:
    """Measure unless told not to, then fill every block."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="use recorded results")
    if not parser.parse_args().keep:
        measure()
    block = scores_block()
    for path in ("docs/training.md", "sam2lite/weights/tiny/README.md"):
        fill(ROOT / path, "scores", block)
    if (RESULTS / "ablation.json").exists():  # copied from the study's results.json
        fill(ROOT / "docs/training.md", "ablations", markdown(load("ablation")))
    fill(ROOT / "docs/adr/0007-pruning-policy.md", "table: pruning", pruning_table())
    fill(ROOT / "docs/adr/0006-last-mask.md", "table: last_mask", last_mask_table())


if __name__ == "__main__":
    run_app(main)
