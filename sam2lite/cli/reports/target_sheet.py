"""One target explained: what it can and cannot do, each fact with its source in a footnote."""

from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

from sam2lite.targets.advice.same_graphs import same_graphs_text
from sam2lite.targets.aliases import aliases_of
from sam2lite.targets.profile import CoreMl, OpenVino, QdqStyle, TargetProfile, TensorRt
from sam2lite.targets.releases import span_of, tensorrts_of
from sam2lite.targets.tensorrt.ops import newest_opset, not_taken, read_version


class Footnotes:
    """Sources, each with the number under which it is printed once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, source: str) -> str:
        """Return the mark of a source, as in `[2]`."""
        return f"[{self._numbers.setdefault(source, len(self._numbers) + 1)}]"

    def table(self) -> Table:
        """Return the sources by number."""
        table = Table.grid(Column(justify="right"), Column(), padding=(0, 1))
        for source, number in self._numbers.items():
            table.add_row(f"[{number}]", source)
        return table


def print_sheet(console: Console, profile: TargetProfile) -> None:
    """Print everything that is known of a target."""
    notes = Footnotes()
    console.print(Text(f"{profile.id}: {profile.title}", style="bold"))
    if aliases_of(profile.id):
        console.print(f"Also called {', '.join(aliases_of(profile.id))}.")
    console.print(_precisions(profile, notes))
    console.print(_facts(profile, notes))
    same = same_graphs_text(profile)
    if same:
        console.print(f"Its {same}.")
    tensorrt = profile.tensorrt
    if tensorrt is None:
        parts: list[RenderableType] = [_command(profile)]
    else:
        parts = [*_parsers(tensorrt), _choice(tensorrt), _command(profile)]
        if tensorrt.jetpacks:
            parts.insert(0, _jetpacks(tensorrt, notes))
        parts.append(
            "Ask tables what its parser would take: "
            f"sam2lite-export onnx --check-for {profile.id} -o DIR"
        )
    for part in parts:
        console.print(part)
    console.print(Text("Sources", style="bold"))
    console.print(notes.table())


def _command(profile: TargetProfile) -> str:
    return f"Make a bundle: sam2lite-export {profile.backend} --target {profile.id} -o DIR"


def _precisions(profile: TargetProfile, notes: Footnotes) -> Table:
    table = Table("Precision", "Computes", "In silicon", "What to expect", "Source")
    for entry in profile.precisions:
        instead = "" if entry.served else f"; use {entry.instead}"
        table.add_row(
            entry.name,
            _yes(entry.served),
            _yes(entry.in_silicon),
            entry.note + instead,
            notes.mark(entry.source),
        )
    return table


def _facts(profile: TargetProfile, notes: Footnotes) -> Table:
    memory = ", ".join(str(size) for size in profile.memory_mb)
    facts = [
        ("chip", "Chip", profile.chip),
        ("architecture", "Architecture", profile.architecture),
        ("memory_mb", "Memory, MiB", memory or "any"),
        ("bandwidth_gb_s", "Bandwidth, GB/s", str(profile.bandwidth_gb_s or "any")),
        ("os", "System", profile.os),
        ("runtime", "Runtime", profile.runtime),
        ("python", "Python", profile.python),
        ("opset", "Opset", f"{'ONNX' if profile.coreml is None else 'CoreML'} {profile.opset}"),
        ("qdq", "INT8 graphs", _describe_qdq(profile.qdq)),
        ("threads", "Threads", _describe_threads(profile)),
        ("arena", "Memory arena", _describe_arena(profile)),
        ("power_sensor", "Power sensor", profile.power_sensor or "none"),
    ]
    table = Table("Fact", "Value", "Source")
    for field, title, value in facts:
        table.add_row(title, value, notes.mark(profile.sources[field]))
    if profile.coreml is not None:
        for field, title, value in _coreml_facts(profile.coreml):
            table.add_row(title, value, notes.mark(profile.coreml.sources[field]))
    if profile.openvino is not None:
        for field, title, value in _openvino_facts(profile.openvino):
            table.add_row(title, value, notes.mark(profile.openvino.sources[field]))
    if profile.tensorrt is not None:
        for field, title, value in _tensorrt_facts(profile.tensorrt):
            table.add_row(title, value, notes.mark(profile.tensorrt.sources[field]))
    return table


def _coreml_facts(coreml: CoreMl) -> list[tuple[str, str, str]]:
    """Return field, title and printed value of what only targets with Core ML have."""
    units = "\n".join(
        f"{name}: {'graphs that rank' if kind == 'ranks' else 'other graphs'}"
        for kind, name in coreml.compute_units.items()
    )
    return [
        ("deployment_target", "Deployment target", coreml.deployment_target),
        ("specification", "Specification", str(coreml.specification)),
        ("multifunction", "Packages", "one a graph" if coreml.multifunction else "one a rung"),
        ("compute_units", "Compute units", units),
    ]


def _openvino_facts(openvino: OpenVino) -> list[tuple[str, str, str]]:
    """Return field, title and printed value of what only targets with OpenVINO have."""
    types = "\n".join(f"{name}: {kind}" for name, kind in openvino.float_types.items())
    return [
        ("device", "OpenVINO's device", openvino.device),
        ("float_types", "Floats are computed in", types),
    ]


def _tensorrt_facts(tensorrt: TensorRt) -> list[tuple[str, str, str]]:
    """Return field, title and printed value of what only targets with TensorRT have."""
    return [
        ("version", "TensorRT made for", tensorrt.version),
        ("compute_capability", "Compute capability", tensorrt.compute_capability),
        ("parser_opset", "Parser's opset", f"up to {tensorrt.parser_opset}"),
        ("dla", "DLA", tensorrt.dla or "none"),
        ("other_formats", "Other formats", tensorrt.other_formats),
    ]


def _jetpacks(tensorrt: TensorRt, notes: Footnotes) -> Table:
    """Return what each release brings."""
    columns = ("JetPack", "L4T", "CUDA", "cuDNN", "TensorRT", "Python", "Source")
    table = Table(*columns)
    for release in tensorrt.jetpacks:
        table.add_row(
            span_of(release) + (" *" if release.name == tensorrt.jetpack else ""),
            release.l4t,
            release.cuda,
            release.cudnn,
            " or ".join(tensorrts_of(release)),
            release.python,
            notes.mark(release.source),
        )
    return table


def _choice(tensorrt: TensorRt) -> str:
    """Say which release bundles are made for, and how to choose another."""
    if not tensorrt.jetpacks:
        return f"Bundles are made for TensorRT {tensorrt.version}."
    others = [entry.name for entry in tensorrt.jetpacks if entry.name != tensorrt.jetpack]
    chosen = f"Bundles are made for JetPack {tensorrt.jetpack} (*)"
    return f"{chosen}; for another: --jetpack {' or '.join(others)}" if others else chosen + "."


def _parsers(tensorrt: TensorRt) -> list[str]:
    """Say what the parser of each TensorRT of a target takes and does not."""
    versions = [release.tensorrt for release in tensorrt.jetpacks] or list(tensorrt.versions)
    lines = []
    for text in versions:
        version = read_version(text)
        lacks = ", ".join(not_taken(version))
        lines.append(
            f"TensorRT {text} takes opsets up to {newest_opset(version)}"
            + (f", but not: {lacks}." if lacks else ", with every operator that a newer one takes.")
        )
    return lines


def _describe_threads(profile: TargetProfile) -> str:
    return "physical cores" if profile.threads is None else str(profile.threads)


def _describe_arena(profile: TargetProfile) -> str:
    if any((profile.tensorrt, profile.coreml, profile.openvino)):
        return "none"  # it is ONNX Runtime's
    return "one a graph" if profile.arena else "one for all graphs"


def _describe_qdq(style: QdqStyle) -> str:
    zero_point = (
        "zero point from the range"
        if style.activation_zero_point is None
        else f"zero point {style.activation_zero_point}"
    )
    scales = "one scale per channel" if style.per_channel else "one scale per tensor"
    return (
        f"activations {style.activation_dtype}, {zero_point}; weights {style.weight_dtype}, "
        f"symmetric, {style.weight_bits} bits, {scales}"
    )


def _yes(value: bool) -> Text:
    return Text("yes", style="green") if value else Text("no", style="red")
