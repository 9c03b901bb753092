"""Files from a server that is on this machine, and what is said where it misbehaves."""

import fcntl
import hashlib
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from sam2lite.data.downloads import Batch, Link, Outcome
from sam2lite.data.downloads.transfer import State, fetch
from tests.data.downloads.conftest import Served, Server

CONTENT = np.random.default_rng(0).bytes(300_000)


def fetched(link: Link, folder: Path) -> Outcome:
    return fetch(link, folder, Event(), lambda size: None)


def link_to(server: Server, **facts: object) -> Link:
    return Link("a.tar", server.url("a.tar"), **facts)  # type: ignore[arg-type]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def cut_short(server: Server, folder: Path, **more: object) -> Link:
    """Let a file stop after 1000 bytes, whatever is tried, and leave the part."""
    server.files["a.tar"] = Served(CONTENT, cut_at=1000, cuts=1, **more)  # type: ignore[arg-type]
    link = link_to(server)
    stop = Event()
    stop.set()
    assert fetch(link, folder, stop, lambda size: None).state is State.FAILED
    server.requests.clear()
    return link


def test_many_files_come_a_few_at_a_time(server: Server, tmp_path: Path) -> None:
    names = [f"part_{index}.tar" for index in range(9)]
    for index, name in enumerate(names):
        server.files[name] = Served(CONTENT[index * 10_000 :])
    links = [Link(name, server.url(name)) for name in names]
    batch = Batch(links, tmp_path / "new/folder", jobs=3)
    outcomes = [outcome for outcome in batch.outcomes() if outcome is not None]
    assert sorted(each.link.name for each in outcomes) == names
    assert {each.state for each in outcomes} == {State.DOWNLOADED}
    for index, name in enumerate(names):
        assert (tmp_path / "new/folder" / name).read_bytes() == CONTENT[index * 10_000 :]
    assert left_in(tmp_path / "new/folder") == names
    assert batch.came_bytes == sum(each.came_bytes for each in outcomes) > 2_000_000

    again = [each for each in Batch(links, tmp_path / "new/folder", 3).outcomes() if each]
    assert {each.state for each in again} == {State.PRESENT}
    assert len(server.requests) == 9


def test_a_broken_connection_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    server.files["a.tar"] = Served(CONTENT, cut_at=100_000, cuts=2)
    outcome = fetched(link_to(server), tmp_path)
    assert (outcome.state, outcome.came_bytes) == (State.DOWNLOADED, len(CONTENT))
    asked = [asked for _, asked in server.requests]
    assert asked == [None, "bytes=100000-", "bytes=200000-"]
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_the_next_run_goes_on_where_one_stopped(server: Server, tmp_path: Path) -> None:
    link = cut_short(server, tmp_path)
    assert left_in(tmp_path) == ["a.tar.part", "a.tar.part.json"]
    outcome = fetched(link, tmp_path)
    assert (outcome.state, outcome.came_bytes) == (State.DOWNLOADED, len(CONTENT) - 1000)
    assert server.requests == [("a.tar", "bytes=1000-")]
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert left_in(tmp_path) == ["a.tar"]


def test_a_new_signature_in_the_address_goes_on(server: Server, tmp_path: Path) -> None:
    link = cut_short(server, tmp_path)
    outcome = fetched(Link(link.name, link.url + "?signature=2"), tmp_path)
    assert outcome.came_bytes == len(CONTENT) - 1000


@pytest.mark.parametrize("etag", ['"2"', ""])
def test_a_file_that_changed_meanwhile_is_fetched_anew(
    server: Server, tmp_path: Path, etag: str
) -> None:
    link = cut_short(server, tmp_path, etag=etag and '"1"')
    other = CONTENT[::-1][:-1]
    server.files["a.tar"] = Served(other, etag)
    assert fetched(link, tmp_path).state is State.DOWNLOADED
    assert (tmp_path / "a.tar").read_bytes() == other


def test_a_server_that_has_no_ranges(server: Server, tmp_path: Path) -> None:
    link = cut_short(server, tmp_path)
    server.files["a.tar"].ranges = False
    outcome = fetched(link, tmp_path)
    assert (outcome.state, outcome.came_bytes) == (State.DOWNLOADED, len(CONTENT))
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(server: Server, tmp_path: Path) -> None:
    link = cut_short(server, tmp_path)
    (tmp_path / "a.tar.part").write_bytes(CONTENT + b"x")
    assert fetched(link, tmp_path).state is State.DOWNLOADED
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


@pytest.mark.parametrize("facts", ["", "{", "[]", '{"size": "x"}', '{"other": 1}'])
def test_a_part_of_nobody_knows_what_is_thrown_away(
    server: Server, tmp_path: Path, facts: str
) -> None:
    link = cut_short(server, tmp_path)
    (tmp_path / "a.tar.part").write_bytes(b"?" * 1000)
    (tmp_path / "a.tar.part.json").write_text(facts)
    assert fetched(link, tmp_path).state is State.DOWNLOADED
    assert server.requests == [("a.tar", None)]
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_a_server_that_always_stops_short(server: Server, tmp_path: Path) -> None:
    server.files["a.tar"] = Served(CONTENT, cut_at=1000, cuts=99)
    outcome = fetched(link_to(server), tmp_path)
    assert outcome.state is State.FAILED
    assert "stopped short of 300000 bytes; 4000 bytes have come" in outcome.remark
    assert not (tmp_path / "a.tar").exists()


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, 4)])
def test_dead_links(server: Server, tmp_path: Path, status: int, tries: int) -> None:
    server.files["a.tar"] = Served(b"", status=status)
    outcome = fetched(link_to(server), tmp_path)
    assert outcome.state is State.FAILED
    assert f"the server says {status}" in outcome.remark
    assert ("get a new list" in outcome.remark) == (tries == 1)
    assert len(server.requests) == tries
    assert left_in(tmp_path) == []


def test_nobody_listens(server: Server, tmp_path: Path) -> None:
    outcome = fetched(Link("a.tar", "http://127.0.0.1:9/a.tar"), tmp_path)
    assert outcome.state is State.FAILED
    assert "cannot be reached" in outcome.remark


def test_a_redirection_leads_to_no_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    server.files["a.tar"] = Served(f"file://{tmp_path}/secret".encode(), status=302)
    assert fetched(link_to(server), tmp_path / "out").state is State.FAILED
    server.files["a.tar"] = Served(server.url("b.tar").encode(), status=302)
    server.files["b.tar"] = Served(CONTENT)
    assert fetched(link_to(server), tmp_path / "out").state is State.DOWNLOADED


def test_size_and_checksum_of_the_list(server: Server, tmp_path: Path) -> None:
    server.files["a.tar"] = Served(CONTENT)
    for algorithm in ("md5", "sha1", "sha256"):
        digest = (algorithm, hashlib.new(algorithm, CONTENT).hexdigest())
        link = link_to(server, size=len(CONTENT), digest=digest)
        assert fetched(link, tmp_path / algorithm).state is State.DOWNLOADED
        assert fetched(link, tmp_path / algorithm).state is State.PRESENT


def test_a_file_that_is_another_than_the_lists(server: Server, tmp_path: Path) -> None:
    server.files["a.tar"] = Served(CONTENT)
    outcome = fetched(link_to(server, digest=("md5", "0" * 32)), tmp_path)
    assert outcome.state is State.FAILED
    assert "its MD5 is" in outcome.remark
    assert left_in(tmp_path) == []
    outcome = fetched(link_to(server, size=7), tmp_path)
    assert "the server has 300000 bytes, and the list says 7" in outcome.remark


@pytest.mark.parametrize("facts", [{"size": 7}, {"digest": ("md5", "0" * 32)}])
def test_a_file_that_is_there_and_another_is_kept(
    server: Server, tmp_path: Path, facts: dict[str, object]
) -> None:
    (tmp_path / "a.tar").write_bytes(b"mine")
    outcome = fetched(link_to(server, **facts), tmp_path)
    assert outcome.state is State.FAILED
    assert "remove it to fetch it again" in outcome.remark
    assert (tmp_path / "a.tar").read_bytes() == b"mine"
    assert server.requests == []


def test_nobody_says_how_large_it_is(server: Server, tmp_path: Path) -> None:
    server.files["a.tar"] = Served(CONTENT, states_size=False)
    outcome = fetched(link_to(server), tmp_path)
    assert outcome.state is State.DOWNLOADED
    assert "may have been cut short" in outcome.remark
    assert fetched(link_to(server, size=len(CONTENT)), tmp_path / "b").remark == ""


def test_another_process_has_it(server: Server, tmp_path: Path) -> None:
    link = cut_short(server, tmp_path)
    with (tmp_path / "a.tar.part").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        outcome = fetched(link, tmp_path)
    assert (outcome.state, outcome.remark) == (State.FAILED, "another process is downloading it")
    assert fetched(link, tmp_path).state is State.DOWNLOADED


def test_a_folder_that_is_a_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    outcome = fetched(link_to(server), tmp_path / "file")
    assert outcome.state is State.FAILED
    assert "cannot be" in outcome.remark


def test_leaving_early_keeps_what_has_come(server: Server, tmp_path: Path) -> None:
    server.files["a.tar"] = Served(CONTENT)
    links = [link_to(server), *(Link(f"{n}", server.url("b")) for n in range(5))]
    outcomes = Batch(links, tmp_path, jobs=1).outcomes()
    first = next(filter(None, outcomes))
    outcomes.close()  # type: ignore[attr-defined]
    assert first.state is State.DOWNLOADED
    assert len(server.requests) < len(links)


def test_a_fault_in_a_thread_is_not_waited_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> Outcome:
        raise RuntimeError("broken")

    monkeypatch.setattr("sam2lite.data.downloads.batch.fetch", broken)
    with pytest.raises(RuntimeError, match="broken"):
        list(Batch([link_to(server)], tmp_path, jobs=2).outcomes())
