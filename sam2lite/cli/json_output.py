"""`--json`, the same for all commands: on standard output, or into a file beside the text."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from sam2lite.errors import OutputError
from sam2lite.files.atomic import check_file, write_atomically

STDOUT = "-"
_FLAG = "--json"


def _checked(to: str | None) -> str | None:
    """Refuse a file that is there or cannot be, before the work begins."""
    if to is None or to == STDOUT:
        return to
    if os.path.lexists(to):
        check_file(to, True)  # a folder, or a link
        raise OutputError(f"'{to}' exists; choose another name for --json")
    if not Path(to).parent.is_dir():
        raise OutputError(f"cannot write '{to}': its folder is not there; make it first")
    return to


def json_option(**more: Any) -> Any:
    """Return the option, for commands that have more to say about it."""
    return typer.Option(
        _FLAG,
        metavar="[FILE]",
        help="Print the result as one JSON object; with FILE, write it there beside.",
        **more,
    )


# Where the result goes as JSON: None, `STDOUT`, or a file that is not there yet.
ToJson = Annotated[str | None, json_option(callback=_checked)]


class JsonCommand(TyperCommand):
    """A command whose `--json` has a value where one is given, and `STDOUT` where none is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See `TyperCommand`."""
        has_arguments = any(param.param_type_name == "argument" for param in self.params)
        return super().parse_args(ctx, with_value(args, has_arguments))


def with_value(args: list[str], has_arguments: bool) -> list[str]:
    """Return a command line in which every `--json` has its value.

    Args:
        args: the command line.
        has_arguments: whether the command takes words without a flag. Then only `-` and names that
            end in .json are taken for the file.
    """
    done: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*done, word, *rest]
        if word == _FLAG:
            word = f"{_FLAG}={rest.pop(0) if _is_value(rest, has_arguments) else STDOUT}"
        done.append(word)
    return done


def put_json(to: str | None, data: Any, *, err: bool = False) -> bool:
    """Write a result where `--json` wants it; return whether standard output is taken by that.

    Args:
        to: of `ToJson`.
        data: plain data.
        err: print it on standard error, because standard output has another use.

    Raises:
        OutputError: the file appeared meanwhile, or cannot be written.
    """
    if to is None:
        return False
    # JSON lets this one control character stand as it is.
    text = json.dumps(data, indent=1).replace("\x7f", "\\u007f")
    if to == STDOUT:
        typer.echo(text, err=err)
        return True
    _checked(to)
    try:
        write_atomically(to, (text + "\n").encode())
    except OSError as error:
        raise OutputError(
            f"cannot write '{to}': {error.strerror}; choose a place that you may write to"
        ) from None
    typer.echo(f"JSON: {Path(to)}", err=True)
    return False


def _is_value(rest: list[str], has_arguments: bool) -> bool:
    if not rest:
        return False
    if rest[0] == STDOUT or rest[0].lower().endswith(".json"):
        return True
    return not has_arguments and not rest[0].startswith("-")
