"""`sam2lite download`: what it prints, and its exit codes."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from sam2lite.cli.app import make_command
from sam2lite.cli.download import download
from sam2lite.errors import DownloadError
from tests.data.downloads.conftest import Served, Server

app = make_command(download)


def run(*args: object) -> Any:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_files_come_and_are_counted(server: Server, tmp_path: Path) -> None:
    server.files = {"a.tar": Served(b"a" * 1_500_000), "b.tar": Served(b"b" * 1_000_000)}
    links = server.write_list(tmp_path / "links.txt", "a.tar", "b.tar", "c.tar")
    result = run(links, "-o", tmp_path / "out", "--limit", 2)
    assert result.exception is None, result.exception
    assert "2 downloaded, 0 present, 0 failed; 2.5 MB came" in result.stdout
    assert (tmp_path / "out/a.tar").stat().st_size == 1_500_000


def test_the_others_come_where_one_is_dead(server: Server, tmp_path: Path) -> None:
    server.files = {"b.tar": Served(b"b" * 10, states_size=False)}
    links = server.write_list(tmp_path / "links.txt", "a.tar", "b.tar")
    result = run(links, "-o", tmp_path / "out", "--jobs", 1, "--json")
    assert isinstance(result.exception, DownloadError)
    assert "1 of 2 files did not come" in str(result.exception)
    assert "a.tar: the server says 404" in str(result.exception)
    assert server.address not in str(result.exception), "addresses are signed"
    files = json.loads(result.stdout)["files"]
    assert [(file["name"], file["state"]) for file in files] == [
        ("a.tar", "failed"),
        ("b.tar", "downloaded"),
    ]
    assert "warning: b.tar: nobody says how large it is" in result.stderr


def test_nothing_is_fetched_for_a_bad_list(server: Server, tmp_path: Path) -> None:
    (tmp_path / "links.txt").write_text(f"a.tar\t{server.url('a.tar')}\nb.tar\n")
    result = run(tmp_path / "links.txt", "-o", tmp_path / "out")
    assert isinstance(result.exception, DownloadError)
    assert server.requests == []
    assert not (tmp_path / "out").exists()
