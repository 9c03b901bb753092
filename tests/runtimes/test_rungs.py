import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.errors import SessionError
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.rungs import RungLoader
from sam2lite.runtimes.session import Session


class Gate:
    """Opens sessions of a bundle; those of rung 336 wait until they may, or fail."""

    def __init__(self, bundle: Bundle) -> None:
        self.opened: list[str] = []
        self.checked: list[str] = []
        self.may_open = threading.Event()
        self.failure: SessionError | None = None
        self._bundle = bundle

    def open_session(self, key: str) -> Session:
        if key.endswith("@336"):
            assert self.may_open.wait(30)
            if self.failure is not None:
                raise self.failure
        self.opened.append(key)
        return self._bundle.open_session(key)

    def check_graph(self, key: str) -> None:
        self.checked.append(key)


@pytest.fixture
def gate(tiny_bundle: Path) -> Gate:
    return Gate(open_bundle(str(tiny_bundle)))


@pytest.fixture
def loader(gate: Gate) -> Iterator[RungLoader]:
    loader = RungLoader(FAMILY, gate.open_session, gate.check_graph)
    yield loader
    gate.may_open.set()
    loader.close()


def wait_until(done: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if done():
            return
        pause.wait(0.01)
    pytest.fail("it did not happen within 30 s")


def test_a_rung_is_opened_once_and_only_when_asked_for(loader: RungLoader, gate: Gate) -> None:
    assert gate.opened == ["memory_select"]
    graphs = loader.get(240)
    assert sorted(gate.opened[1:]) == [
        "image_encoder@240",
        "mask_decoder@240",
        "memory_encoder@240",
    ]
    assert graphs.rung == 240
    assert graphs.load_ms > 0.0
    assert loader.get(240) is graphs
    assert len(gate.opened) == 4


def test_a_requested_rung_is_opened_behind_another_one(loader: RungLoader, gate: Gate) -> None:
    present = loader.get(240)
    assert loader.get_or_request(336, meanwhile=240) is present
    assert loader.get_or_request(336, meanwhile=240) is present
    assert loader.loading
    gate.may_open.set()
    wait_until(lambda: loader.get_or_request(336, meanwhile=240).rung == 336)
    assert not loader.loading
    assert gate.opened.count("mask_decoder@336") == 1


def test_get_waits_for_what_is_opened_in_the_background(loader: RungLoader, gate: Gate) -> None:
    loader.get(240)
    loader.get_or_request(336, meanwhile=240)
    threading.Timer(0.05, gate.may_open.set).start()
    assert loader.get(336).rung == 336
    assert gate.opened.count("mask_decoder@336") == 1


def test_another_rung_can_be_had_while_one_is_opened(loader: RungLoader, gate: Gate) -> None:
    present = loader.get(240)
    loader.get_or_request(336, meanwhile=240)
    assert loader.get_or_request(480, meanwhile=240) is present  # one at a time
    assert loader.get_or_request(240, meanwhile=240) is present


def test_a_failure_in_the_background_is_raised_once_by_a_later_call(
    loader: RungLoader, gate: Gate
) -> None:
    present = loader.get(240)
    gate.failure = SessionError("no memory left")
    loader.get_or_request(336, meanwhile=240)
    gate.may_open.set()
    wait_until(lambda: not loader.loading)
    with pytest.raises(SessionError, match="no memory left"):
        loader.get_or_request(336, meanwhile=240)
    assert loader.get(240) is present
    gate.failure = None
    assert loader.get(336).rung == 336


def test_close_waits_and_closes_every_session(loader: RungLoader, gate: Gate) -> None:
    sessions = list(loader.get(240).sessions.values())
    loader.get_or_request(336, meanwhile=240)
    threading.Timer(0.05, gate.may_open.set).start()
    loader.close()
    sessions += loader.get(336).sessions.values()
    assert len(set(sessions)) == 7
    for session in sessions:
        with pytest.raises(SessionError, match="closed"):
            session.run({})
    loader.close()
