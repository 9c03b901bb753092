"""What all commands share: the Typer applications, and errors turned into exit codes."""

import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

from sam2lite import __version__
from sam2lite.errors import Sam2LiteError
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.commands.plain_warnings import show_plainly

INTERRUPTED = 130  # what shells and Typer return after Ctrl-C

_debug = False
_owns_process = False


def _set_debug(wanted: bool) -> None:
    global _debug
    _debug = wanted


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit()


Debug = Annotated[
    bool, typer.Option("--debug", callback=_set_debug, is_eager=True, help="Show tracebacks.")
]
Version = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
]


def make_app(title: str, commands: list[Callable[..., None]]) -> typer.Typer:
    """Return an application whose commands are named like their functions."""
    app = _bare_app(title)
    app.callback()(_global_options)
    for command in commands:
        app.command()(command)
    return app


def make_command(command: Callable[..., None]) -> typer.Typer:
    """Return an application that is one command; it takes `Debug` and `Version` itself."""
    app = _bare_app(None)
    app.command()(command)
    return app


def _bare_app(title: str | None) -> typer.Typer:
    return typer.Typer(
        help=title,
        no_args_is_help=title is not None,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _global_options(debug: Debug = False, version: Version = False) -> None:
    """Nothing to do: the options' callbacks have acted."""


def run_app(app: typer.Typer) -> None:
    """Run an application and leave the process with the exit code of what happened.

    A user's mistake is one sentence on standard error; a traceback only with --debug. Typer itself
    answers for wrong options (2) and for Ctrl-C (130).
    """
    global _owns_process
    _owns_process = True
    show_plainly()
    try:
        app()
    except Sam2LiteError as error:
        _fail(str(error), error.exit_code)
    except SystemExit as exit_:
        if exit_.code == INTERRUPTED:
            typer.echo("interrupted: nothing was left half-written", err=True)
        raise
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
        bundle.share_threads(threads)


def _fail(message: str, code: int) -> None:
    if _debug:
        traceback.print_exc()
    typer.echo(f"error: {message}", err=True)
    sys.exit(code)
