"""What all commands share: the Typer applications, and errors turned into exit codes."""

import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

from sam2lite import __version__
from sam2lite.errors import Sam2LiteError
from sam2lite.runtimes import ort
from sam2lite.runtimes.bundle import Bundle

_debug = False
_owns_process = False


def make_app(title: str, commands: list[Callable[..., None]]) -> typer.Typer:
    """Return an application whose commands are named like their functions."""
    app = typer.Typer(
        help=title,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_global_options)
    for command in commands:
        app.command()(command)
    return app


def run_app(app: typer.Typer) -> None:
    """Run an application and leave the process with the exit code of what happened.

    A user's mistake is one sentence on standard error; a traceback only with --debug. Typer itself
    answers for wrong options (2) and for Ctrl-C (1).
    """
    global _owns_process
    _owns_process = True
    try:
        app()
    except Sam2LiteError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or 'no file named'}", 1)


def share_threads(bundle: Bundle, threads: int | None) -> None:
    """Let all sessions share one thread pool, if the process is a command's and nobody else's.

    Args:
        bundle: whose target says how many threads there are by default.
        threads: what the user asked for, if anything.

    Raises:
        SessionError: the pool has another size already.
    """
    if _owns_process:
        ort.share_threads(threads or bundle.default_threads())


def _fail(message: str, code: int) -> None:
    if _debug:
        traceback.print_exc()
    typer.echo(f"error: {message}", err=True)
    sys.exit(code)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit()


def _global_options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    global _debug
    _debug = debug
