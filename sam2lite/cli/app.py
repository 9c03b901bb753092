"""What all commands share: the Typer applications, and errors turned into exit codes."""

import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer

from sam2lite import __version__
from sam2lite.errors import Sam2LiteError
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.commands.interrupts import (
    clean_up_after,
    ended_in_order,
    interrupted,
    leave_at_once,
)
from sam2lite.runtimes.commands.plain_warnings import show_plainly

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


def run_app(app: Callable[[], Any]) -> None:
    """Run an application and leave the process with the exit code of what happened.

    A program without Typer gives its main function, whose result is the exit code if it has one.

    A user's mistake is one sentence on standard error; a traceback only with --debug. Typer itself
    answers for wrong options (2). A signal that ends it gives 128 and its number.
    """
    global _owns_process
    _owns_process = True
    show_plainly()
    code: Any = 0
    try:
        clean_up_after()
        code = _run(app)
    except BaseException as error:
        # Whatever an interrupted library makes of it, a signal is what ended the command.
        if interrupted() is None and not isinstance(error, SystemExit):
            raise
        code = getattr(error, "code", 1)
    leave_at_once()
    if interrupted() is not None and code != 0 and not ended_in_order():
        code = interrupted()
        typer.echo("interrupted: nothing was left half-written", err=True)
    sys.exit(code)


def _run(app: Callable[[], Any]) -> Any:
    """Run an application; return the exit code."""
    try:
        return app() or 0
    except Sam2LiteError as error:
        if interrupted() is None:
            _tell(str(error))
        return error.exit_code
    except SystemExit as exit_:
        return exit_.code
    except OSError as error:
        if interrupted() is None:
            _tell(f"{error.strerror or error}: {error.filename or 'no file named'}")
        return 1


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


def _tell(message: str) -> None:
    if _debug:
        traceback.print_exc()
    typer.echo(f"error: {message}", err=True)
