"""`--json`: the same kind of flag for every command."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sam2lite.cli.app import make_command
from sam2lite.cli.json_output import ToJson, put_json, with_value
from sam2lite.cli.main import app
from sam2lite.errors import OutputError
from tests.cli.test_help import COMMANDS, PAGES


def report(name: str = "x", to_json: ToJson = None) -> None:
    """Say a name."""
    if not put_json(to_json, {"name": name}):
        typer.echo(f"the name is {name}")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(make_command(report), [str(argument) for argument in arguments])


@pytest.mark.parametrize("flag", [["--json"], ["--json", "-"], ["--json=-"]])
def test_alone_or_with_a_dash_it_is_standard_output(flag: list[str]) -> None:
    assert json.loads(run(*flag).stdout) == {"name": "x"}
    assert json.loads(run(*flag, "--name", "y").stdout) == {"name": "y"}


def test_a_file_comes_beside_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert run("--json", path).stdout == "the name is x\n"
    assert json.loads(path.read_text()) == {"name": "x"}


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("mine")
    result = run("--json", path)
    assert isinstance(result.exception, OutputError)
    assert "exists; choose another name for --json" in str(result.exception)
    assert (path.read_text(), result.stdout) == ("mine", "")
    assert isinstance(run("--json", tmp_path).exception, OutputError)


def test_no_folder_is_made_for_it(tmp_path: Path) -> None:
    assert "cannot write" in str(run("--json", tmp_path / "absent" / "a.json").exception)


@pytest.mark.parametrize(
    ("words", "has_arguments", "expected"),
    [
        (["--json", "b"], True, ["--json=-", "b"]),
        (["--json", "b.JSON", "b"], True, ["--json=b.JSON", "b"]),
        (["b", "--json"], True, ["b", "--json=-"]),
        (["--json", "-"], True, ["--json=-"]),
        (["--json", "figures"], False, ["--json=figures"]),
        (["--json", "-o", "d"], False, ["--json=-", "-o", "d"]),
        (["--", "--json"], True, ["--", "--json"]),
    ],
)
def test_what_is_taken_for_the_file(
    words: list[str], has_arguments: bool, expected: list[str]
) -> None:
    assert with_value(words, has_arguments) == expected


def test_a_command_takes_the_word_after_it_for_its_argument() -> None:
    result = CliRunner().invoke(app, ["targets", "--json", "arm64"])
    assert json.loads(result.stdout)["id"] == "arm64"


def test_every_command_has_the_same_flag() -> None:
    found = {}
    for program, page in PAGES:
        command: Any = COMMANDS[program]
        for name in page:
            command = command.commands[name]
        for param in command.params:
            if "--json" in param.opts:
                found[(program, page)] = (param.metavar, param.help, param.default)
    assert len(found) > 20
    assert len(set(found.values())) == 1
