"""What stands on the command line itself, so that nothing which was asked for is ignored."""

from collections.abc import Iterable
from typing import Any

import typer

from sam2lite.errors import ArgumentError


def given_flags(context: typer.Context) -> dict[str, str]:
    """Return the flags of the command line, by the names of their parameters."""
    flags: dict[str, str] = {}
    for param in context.command.params:
        source = context.get_parameter_source(str(param.name))
        if source is not None and source.name == "COMMANDLINE":
            flags[str(param.name)] = param.opts[0]
    return flags


def refuse_beside(context: typer.Context, flag: str, others: Iterable[str]) -> None:
    """Refuse options that a flag makes nothing of.

    Args:
        context: of the command.
        flag: that was given.
        others: names of parameters.

    Raises:
        ArgumentError: some of them were given, too.
    """
    flags = given_flags(context)
    given = [flags[name] for name in others if name in flags]
    if given:
        raise ArgumentError(f"{' and '.join(given)} would do nothing beside {flag}; leave it out")


def refuse_without(context: typer.Context, name: str, needed: str, present: bool) -> None:
    """Refuse an option that does nothing without another one.

    Args:
        context: of the command.
        name: of the option's parameter.
        needed: the other one, as it is to be written.
        present: whether it is there.

    Raises:
        ArgumentError: it was given, and the other one was not.
    """
    flags = given_flags(context)
    if name in flags and not present:
        raise ArgumentError(f"{flags[name]} does nothing without {needed}; add it, or leave it out")


def refuse_changes(context: typer.Context, asked: Any, kept: Any, whose: str) -> None:
    """Refuse options that would change what something was started with, and goes on with.

    Args:
        context: of the command.
        asked: has a value of the command line for every parameter that counts, by its name.
        kept: has the value that is used, by the same name.
        whose: what it belongs to, for the message.

    Raises:
        ArgumentError: one differs.
    """
    for name, flag in given_flags(context).items():
        if hasattr(kept, name) and getattr(asked, name) != getattr(kept, name):
            raise ArgumentError(
                f"{flag} is {_shown(getattr(asked, name))}, but {whose} goes on with "
                f"{_shown(getattr(kept, name))}, as it was started; leave it out, or start anew "
                "with --force"
            )


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "not given" if value is None else str(value)
