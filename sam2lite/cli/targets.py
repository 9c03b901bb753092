"""`sam2lite targets`: the devices that bundles can be made for."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sam2lite.errors import ArgumentError
from sam2lite.targets.profile import QdqStyle, TargetProfile, TensorRt
from sam2lite.targets.registry import get_target, host_target, list_targets
from sam2lite.targets.tensorrt_ops import newest_opset, not_taken, read_version


def targets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A target to explain; `host` is the one that fits this machine.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
) -> None:
    """List the targets, or explain what one of them can and cannot do, with sources.

    This tells what a device can run; `sam2lite-export --help` tells what can be made for it today.

    Exit code 0: done. 2: there is no such target.
    """
    if name is None:
        _list(as_json)
    elif as_json:
        typer.echo(json.dumps(get_target(name).to_json(), indent=2))
    else:
        _explain(get_target(name))


def _list(as_json: bool) -> None:
    host = _host_id()
    profiles = list_targets()
    if as_json:
        report = {"host": host, "targets": [profile.to_json() for profile in profiles]}
        typer.echo(json.dumps(report, indent=2))
        return
    table = Table(Column("Target", no_wrap=True), "Device", "Backend", "Computes in", "Threads")
    for profile in profiles:
        served = [entry.name for entry in profile.precisions if entry.served]
        table.add_row(
            profile.id, profile.title, profile.backend, " ".join(served), _threads(profile)
        )
    console = _console()
    console.print(table)
    if host:
        console.print(f"host (this machine) is {host}. Explain one: sam2lite targets {host}")


def _explain(profile: TargetProfile) -> None:
    console = _console()
    console.print(Text(f"{profile.id}: {profile.title}", style="bold"))
    precisions = Table("Precision", "Computes", "In silicon", "What to expect", "Source")
    for entry in profile.precisions:
        precisions.add_row(
            entry.name, _yes(entry.served), _yes(entry.in_silicon), entry.note, entry.source
        )
    facts = Table("Fact", "Value", "Source")
    for field, title, value in _facts(profile):
        facts.add_row(title, value, profile.sources[field])
    if profile.tensorrt is not None:
        for field, title, value in _tensorrt_facts(profile.tensorrt):
            facts.add_row(title, value, profile.tensorrt.sources[field])
    console.print(precisions)
    console.print(facts)
    if profile.tensorrt is not None:
        console.print(_jetpacks(profile.tensorrt))
        console.print(
            "There are no bundles for TensorRT yet. What its parser would take: "
            f"sam2lite-export onnx --check-for {profile.id} -o DIR"
        )


def _facts(profile: TargetProfile) -> list[tuple[str, str, str]]:
    """Return field, title and printed value of each fact."""
    memory = ", ".join(str(size) for size in profile.memory_mb)
    return [
        ("chip", "Chip", profile.chip),
        ("architecture", "Architecture", profile.architecture),
        ("memory_mb", "Memory, MiB", memory or "any"),
        ("bandwidth_gb_s", "Bandwidth, GB/s", str(profile.bandwidth_gb_s or "any")),
        ("os", "System", profile.os),
        ("runtime", "Runtime", profile.runtime),
        ("python", "Python", profile.python),
        ("opset", "ONNX opset", str(profile.opset)),
        ("qdq", "INT8 graphs", _describe_qdq(profile.qdq)),
        ("threads", "Threads", _threads(profile)),
        ("arena", "Memory arena", _describe_arena(profile)),
        ("power_sensor", "Power sensor", profile.power_sensor or "none"),
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


def _jetpacks(tensorrt: TensorRt) -> Table:
    """Return what each release brings, and what its parser takes and does not."""
    columns = ("JetPack", "L4T", "CUDA", "cuDNN", "TensorRT", "Python", "Opset", "Does not take")
    table = Table(*columns, "Source")
    for release in tensorrt.jetpacks:
        version = read_version(release.tensorrt)
        other = f"; {release.other_tensorrt} can be had" if release.other_tensorrt else ""
        table.add_row(
            release.name,
            release.l4t,
            release.cuda,
            release.cudnn,
            release.tensorrt + other,
            release.python,
            f"up to {newest_opset(version)}",
            ", ".join(not_taken(version)),
            release.source,
        )
    return table


def _describe_arena(profile: TargetProfile) -> str:
    if profile.backend != "ort":
        return "none"
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


def _threads(profile: TargetProfile) -> str:
    return "physical cores" if profile.threads is None else str(profile.threads)


def _yes(value: bool) -> Text:
    return Text("yes", style="green") if value else Text("no", style="red")


def _host_id() -> str | None:
    try:
        return host_target().id
    except ArgumentError as error:
        typer.echo(f"warning: {error}", err=True)
        return None


def _console() -> Console:
    return Console(markup=False, highlight=False)
