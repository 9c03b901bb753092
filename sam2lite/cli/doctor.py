"""`sam2lite doctor`: what works on this machine, and what to run to mend what does not."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.runtimes.commands.machine_checks import (
    ABSENT,
    MISSING,
    OK,
    WARNING,
    Check,
    can_track,
    run_checks,
    sum_up,
)

_STYLES = {OK: "green", WARNING: "yellow", ABSENT: "dim", MISSING: "red"}


def doctor(
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="See whether this bundle fits the machine, too."),
    ] = None,
    as_json: ToJson = None,
) -> None:
    """Check what works on this machine, and how to mend it.

    Looks at Python, NumPy, ONNX Runtime, OpenCV and its video backends, H.264 output, the packages
    that export needs, TensorRT, OpenVINO, the processor, memory, the cache folder and cameras.
    Changes nothing.

    Exit code 0: tracking with a bundle can run here. 1: something that it requires is missing.
    """
    checks = run_checks(None if bundle is None else str(bundle))
    ready = can_track(checks)
    report = {"can_track": ready, "checks": [check._asdict() for check in checks]}
    if not put_json(as_json, report):
        _print_table(checks, bundle is not None)
    if not ready:
        raise typer.Exit(1)


def _print_table(checks: list[Check], has_bundle: bool) -> None:
    table = Table("Check", "Status", "Found", "What to do")
    for check in checks:
        status = Text(check.status, style=_STYLES[check.status])
        table.add_row(check.name, status, check.value, check.remedy)
    # Without markup, or rich would take the brackets of 'sam2lite[export]' for a style.
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(sum_up(checks, "this bundle" if has_bundle else "a bundle"))
