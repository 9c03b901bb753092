"""Every page of help: as wide as it says, nothing cut short, and each command on one line."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sam2lite.cli.bundle import bench
from sam2lite.cli.export import main as export_main
from sam2lite.cli.main import app

PROGRAMS: dict[str, typer.Typer] = {
    "sam2lite": app,
    "sam2lite-export": export_main.app,
    "sam2lite-bench": bench.app,
}


def pages_of(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the names that lead to every page of a program."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from pages_of(inner, (*path, name))


COMMANDS = {program: typer.main.get_command(made) for program, made in PROGRAMS.items()}
PAGES = [(program, page) for program, root in COMMANDS.items() for page in pages_of(root)]
NAMES = [" ".join((program, *page)) for program, page in PAGES]


def show(
    program: str, page: tuple[str, ...], columns: int, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Return the lines of a page on a terminal of so many columns; test runners have always 80."""
    monkeypatch.setenv("COLUMNS", str(columns))
    command: Any = COMMANDS[program]
    context: Any = None
    for name in (program, *page):
        command = command if context is None else command.commands[name]
        settings = command.context_settings
        context = command.context_class(command, info_name=name, parent=context, **settings)
    lines: list[str] = command.get_help(context).splitlines()
    return lines


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize(("program", "page"), PAGES, ids=NAMES)
def test_nothing_is_cut_short(
    program: str, page: tuple[str, ...], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = show(program, page, columns, monkeypatch)
    assert max(map(len, lines)) <= columns
    assert not [line for line in lines if "..." in line or "\N{HORIZONTAL ELLIPSIS}" in line]


def test_help_uses_the_columns_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    widths = [
        max(map(len, show("sam2lite", ("track",), columns, monkeypatch)))
        for columns in (80, 100, 300)
    ]
    assert widths[0] < widths[1] == widths[2]


@pytest.mark.parametrize("old", ["sam2lite-export", "sam2lite-bench"])
def test_an_old_name_has_the_commands_of_the_new_one(
    old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = old.partition("-")[2]
    for page in pages_of(COMMANDS[old]):
        theirs = show(old, page, 100, monkeypatch)
        ours = show("sam2lite", (new, *page), 100, monkeypatch)
        assert ours[0] == theirs[0].replace(old, f"sam2lite {new}")
        if page:  # the first page of a program has the options for completion beside
            assert ours[1:] == theirs[1:]
        assert ours[1:4] == theirs[1:4]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(
    program: str, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    result = CliRunner().invoke(PROGRAMS[program], ["--show-completion", shell])
    assert result.exit_code == 0, result.output
    assert "complete" in result.stdout.lower()
