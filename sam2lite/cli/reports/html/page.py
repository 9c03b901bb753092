"""The page about a bundle: its sections in one file that asks nothing of a network."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sam2lite import __version__
from sam2lite.cli.reports.html.document import document
from sam2lite.cli.reports.html.markup import Html, tag
from sam2lite.cli.reports.html.sections import about, precision, scores, timing
from sam2lite.contracts.manifest import Manifest
from sam2lite.contracts.provenance import UNTRAINED


@dataclass(frozen=True)
class Subject:
    """What a page is about.

    Attributes:
        name: of the bundle's folder.
        manifest: of the bundle, for people.
        sha256: of its file.
        benches: benchmarks of it, of `inputs.read_bench`.
        evals: scores of it, of `inputs.read_eval`.
        sensitivity: of its layers, of `inputs.read_sensitivity`.
        tracking: the sections' worth of a run of it, if there is one.
    """

    name: str
    manifest: Manifest
    sha256: str
    benches: Sequence[dict[str, Any]] = ()
    evals: Sequence[dict[str, Any]] = ()
    sensitivity: Sequence[dict[str, Any]] = ()
    tracking: Sequence[Html] = ()


def page(subject: Subject) -> str:
    """Return the page as HTML."""
    manifest = subject.manifest
    title = f"{manifest.model.name}, {manifest.precision}"
    sections = _numbered([(name, content) for name, content in _sections(subject) if content])
    header = [
        tag("h1", title, " ", tag("small", subject.name)),
        _weights(manifest),
        tag("div", *(_tile(*each) for each in _tiles(subject)), class_="tiles"),
    ]
    footer = f"Made by sam2lite {__version__} from the files of this bundle alone."
    return document(f"{title}: {subject.name}", header, sections, footer)


def _sections(subject: Subject) -> list[tuple[str, Sequence[Html]]]:
    manifest = subject.manifest
    timed = [
        ("Time of a frame", timing.loop(bench))
        if "stages_ms" in bench
        else ("Time by input size", timing.rungs(bench))
        for bench in subject.benches
    ]
    scored = [
        ("Scores", scores.pictures(found) if "images" in found else scores.clips(found))
        for found in subject.evals
    ]
    layers = precision.sensitivity(subject.sensitivity) if subject.sensitivity else []
    return [
        ("Bundle", about.provenance(manifest, subject.sha256)),
        ("Graphs", about.stages(manifest)),
        *timed,
        *scored,
        ("Track", subject.tracking),
        ("What lower precision cost", precision.lost(manifest)),
        ("Sensitivity", layers),
        ("Files", about.files(manifest)),
    ]


def _numbered(
    sections: Sequence[tuple[str, Sequence[Html]]],
) -> list[tuple[str, Sequence[Html]]]:
    """Return sections of which no two have one name."""
    named: list[tuple[str, Sequence[Html]]] = []
    counts = Counter(name for name, _ in sections)
    seen: Counter[str] = Counter()
    for name, content in sections:
        seen[name] += 1
        named.append((f"{name} {seen[name]}" if counts[name] > 1 else name, content))
    return named


def _weights(manifest: Manifest) -> Html:
    kind = "warning" if manifest.model.weights == UNTRAINED else "weights"
    return tag("p", "Weights: ", manifest.model.provenance, ".", class_=kind)


def _tiles(subject: Subject) -> list[tuple[str, str]]:
    """Return the few numbers that everybody asks for, and what they are."""
    manifest = subject.manifest
    tiles = [
        (manifest.precision.upper(), f"for {manifest.target.get('id', 'any target')}"),
        (f"{manifest.megabytes:.1f} MB", f"{len(manifest.rungs)} input sizes"),
    ]
    for bench in subject.benches:
        if "stages_ms" in bench and "total" in bench["stages_ms"]:
            tiles.append((f"{bench['stages_ms']['total']['p50']:.1f} ms", "a frame, median"))
            tiles.append((f"{bench['fps']:.1f}", "frames a second"))
            break
    for found in subject.evals:
        if found.get("jf") is not None:
            tiles.append((f"{found['jf']:.1f}", f"J&F, {found['prompt']}"))
            break
    return tiles


def _tile(value: str, words: str) -> Html:
    return tag("div", tag("strong", value), tag("span", words))
