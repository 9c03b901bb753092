"""What `sam2lite-export trt` does with --target host: build and check the engines here."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sam2lite.cli.export import options
from sam2lite.errors import ArgumentError
from sam2lite.targets.profile import TargetProfile

if TYPE_CHECKING:
    from sam2lite.calibration.recorder import Recording
    from sam2lite.exporter.tensorrt.engines import MadeEngine, Rewrite
    from sam2lite.models.loaded import LoadedModel


def profile_here(jetpack: str | None, tensorrt: str | None) -> TargetProfile:
    """Return the profile of this machine; raises as `trt_target_here`.

    Raises:
        ArgumentError: a release is named, where the installed one counts.
    """
    for flag, given in (("--jetpack", jetpack), ("--tensorrt", tensorrt)):
        if given is not None:
            raise ArgumentError(
                f"{flag} does not go with --target host, which takes what is installed; leave it "
                "out, or name the target"
            )
    from sam2lite.exporter.tensorrt.host import trt_target_here

    return trt_target_here()


def make_engines(
    bundle: Path,
    checkpoint: "LoadedModel",
    recording: "Recording",
    rewrite: "Rewrite | None",
    graphs: int,
) -> "dict[str, MadeEngine]":
    """Build and compare the engines of a bundle behind a progress bar; raises as `EngineMaker`.

    Args:
        bundle: for this machine.
        checkpoint: the network that it was made from.
        recording: of the network, at the rungs of the bundle.
        rewrite: writes the bundle with more pins; None where that would not help.
        graphs: how many there are.
    """
    from sam2lite.exporter.tensorrt.engine_check import EngineTest
    from sam2lite.exporter.tensorrt.engines import EngineMaker
    from sam2lite.exporter.tensorrt.host import board_here

    with options.reported_steps("build", graphs) as step:
        maker = EngineMaker(
            bundle,
            board_here(),
            checkpoint,
            EngineTest(checkpoint, recording),
            report=lambda line: typer.echo(line, err=True),
            step=step,
        )
        return maker.make(rewrite)


def engine_lines(made: "Mapping[str, MadeEngine]") -> list[str]:
    """Return a line for every engine: what it took, and how far it is off."""
    return [
        f"{key:<22} {engine.entry.seconds:>7.1f} s {engine.entry.bytes / 1e6:>7.1f} MB  "
        f"{engine.check.describe()} against {engine.check.reference}"
        for key, engine in made.items()
    ]


def engines_json(made: "Mapping[str, MadeEngine]") -> dict[str, Any]:
    """Return plain data of every engine, by the key of its graph."""
    return {
        key: {**engine.entry._asdict(), **engine.check.to_json()} for key, engine in made.items()
    }
