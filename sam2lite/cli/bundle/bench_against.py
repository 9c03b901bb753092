"""`sam2lite-bench --against`: two bundles, or two backends, in turn."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from sam2lite.cli.progress import shown_progress
from sam2lite.contracts.backends import backend_names
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.bundle import Bundle, open_bundle

if TYPE_CHECKING:
    from sam2lite.bench.against.turns import Times


def opponent(bundle: Bundle, against: str) -> Bundle:
    """Open what a bundle is measured against.

    Args:
        bundle: the first contender.
        against: folder of another bundle, or name of a backend that runs this one, too.

    Raises:
        ArgumentError: the backend does not run the bundle, or is the one that does already.
        BundleError: there is no such bundle.
    """
    if against not in backend_names() or Path(against).exists():
        return open_bundle(against)
    if against == bundle.backend:
        raise ArgumentError(
            f"{against} is what runs {bundle.path} already; name another backend, or a bundle"
        )
    return open_bundle(bundle.path, against)


def measure_against(
    bundle: Bundle,
    other: Bundle,
    *,
    rung: int | None,
    threads: int | None,
    objects: int,
    video: str | None,
    frames: int,
) -> dict[str, Any]:
    """Measure both, keep what backends of one network took, and return what is told.

    Args:
        bundle: the first.
        other: the second.
        rung: input side, px; the largest that both have if not given.
        threads: of each; the first's default if not given.
        objects: that are followed.
        video: file to play; None for the synthetic clip.
        frames: that count, of each.

    Raises:
        ArgumentError: they have no input size in common.
        UnknownNameError: one of them has not the input size.
        SessionError: one of them cannot be run here.
    """
    from sam2lite.bench.against.choice import keep
    from sam2lite.bench.against.turns import Contender, Course, faster, run_in_turn
    from sam2lite.bench.machine_facts import describe_machine, load_average

    course = Course(
        rung or _largest_of_both(bundle, other),
        threads or bundle.default_threads(),
        objects,
        video,
    )
    for each in (bundle, other):
        each.check_rung(course.rung)
    contenders = [Contender(each.path, each.backend) for each in (bundle, other)]
    before = load_average()
    with shown_progress("bench") as progress:
        on_frame = progress(2 * frames)

        def on_frames(count: int) -> None:
            for _ in range(count):
                on_frame()

        times = run_in_turn(contenders, course, frames, on_frames)
    if _are_alike(bundle, other):
        manifest = bundle.manifest
        frame_ms = {
            each.backend: found.median_ms for each, found in zip(contenders, times, strict=True)
        }
        keep(manifest.model.name, manifest.precision, course.rung, course.threads, frame_ms)
    winner = faster(times)
    return {
        "machine": {**describe_machine(), "load_average": [before, load_average()]},
        "rung": course.rung,
        "threads": course.threads,
        "objects": objects,
        "frames": frames,
        "contenders": [
            {**vars(contender), "precision": each.manifest.precision, **found.to_json()}
            for contender, each, found in zip(contenders, (bundle, other), times, strict=True)
        ],
        "faster": winner,
        "says": _verdict(contenders, times, winner),
    }


def print_against(report: dict[str, Any], console: Console) -> None:
    """Print a table and the sentence."""
    table = Table("Bundle", "Backend", "Precision", "Frame, ms", "Quartiles", "CPU, ms")
    for row in report["contenders"]:
        low, high = row["quartiles_ms"]
        cells = (f"{row['frame_ms']:.2f}", f"{low:.2f}..{high:.2f}", f"{row['cpu_ms']:.2f}")
        table.add_row(row["bundle"], row["backend"], row["precision"], *cells)
    console.print(table)
    console.print(report["says"])


def _largest_of_both(bundle: Bundle, other: Bundle) -> int:
    both = set(bundle.manifest.rungs) & set(other.manifest.rungs)
    if not both:
        raise ArgumentError(
            f"{bundle.path} has input sizes {bundle.manifest.rungs}, and {other.path} "
            f"{other.manifest.rungs}; export them with one in common"
        )
    return max(both)


def _are_alike(bundle: Bundle, other: Bundle) -> bool:
    """Return whether two differ in their backends alone, so that one can be advised."""
    mine, theirs = bundle.manifest, other.manifest
    return (
        bundle.backend != other.backend
        and mine.model.name == theirs.model.name
        and mine.model.checkpoint_sha256 == theirs.model.checkpoint_sha256
        and mine.precision == theirs.precision
    )


def _verdict(contenders: Any, times: "list[Times]", winner: int | None) -> str:
    if winner is None:
        return "level on this machine: medians are within 3 percent of each other"
    ratio = times[1 - winner].median_ms / times[winner].median_ms
    first, second = contenders[winner], contenders[1 - winner]
    names = [each.backend for each in (first, second)]
    if names[0] == names[1]:
        names = [each.bundle for each in (first, second)]
    return f"on this machine {names[0]} is {ratio:.2f}x as fast as {names[1]}"
