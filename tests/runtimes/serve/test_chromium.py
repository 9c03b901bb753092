"""The page in a real browser: what is clicked on is what the loop is told."""

import threading
from collections.abc import Iterator

import pytest

from tests.chromium import VARIABLE, Page, find_chromium
from tests.runtimes.serve.conftest import HEIGHT, WIDTH, Served, index_of
from tests.runtimes.serve.test_orders import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_chromium() is None, reason=f"no chromium on the path, nor in ${VARIABLE}"
    ),
]
SHIFT = 8


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with Page(1280, 800) as made:
        yield made


class Stream:
    """Has frames come for as long as a block runs."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.wait(0.04):
            self._served.source.give()


def open_page(page: Page, served: Served) -> None:
    page.errors.clear()
    page.open(served.server.url)
    page.wait("document.querySelector('#status')?.textContent === 'playing'")


def says(page: Page, selector: str, words: str) -> None:
    page.wait(f"document.querySelector({selector!r})?.textContent.includes({words!r})")


def test_points_boxes_corrections_and_removing(page: Page, served: Served) -> None:
    with Stream(served):
        open_page(page, served)
        page.click(*page.place("#picture", 0.5, 0.5))
        says(page, "#objects li", "visible")
        page.wait("document.querySelector('#objects circle').getAttribute('fill') !== '#ffffff'")
        page.click(*page.place("#picture", 0.75, 0.5), modifiers=SHIFT)
        eventually(lambda: len(served.segmenter.prompts) == 2)
        page.click(*page.place("#picture", 0.75, 0.25), button="right")
        eventually(lambda: len(served.segmenter.prompts) == 3)
        page.click(*page.place("#new"))
        page.press(*page.place("#picture", 0.1, 0.2))
        page.move(*page.place("#picture", 0.4, 0.9))
        page.release(*page.place("#picture", 0.4, 0.9))
        says(page, "#objects li:nth-child(2)", "visible")
        page.click(*page.place("#objects li:first-child .remove"))
        eventually(lambda: sorted(served.segmenter.objects) == [2])
        page.wait("document.querySelectorAll('#objects li').length === 1")
    (_, first, point, _), (_, second, beside, _), third, (_, fourth, box, _) = (
        served.segmenter.prompts
    )
    assert (first, second, third[1], fourth) == (1, 1, 1, 2)
    assert point.labels.tolist() == [1]
    assert point.points_xy[0] == pytest.approx([WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5], abs=0.6)
    assert beside.labels[-1] == 0
    assert third[2].labels[-1] == 0
    assert box.box_xyxy == pytest.approx(
        [0.1 * WIDTH, 0.2 * HEIGHT, 0.4 * WIDTH, 0.9 * HEIGHT], abs=1
    )
    assert page.errors == []


def test_a_click_is_of_the_frame_that_is_shown(page: Page, served: Served) -> None:
    with Stream(served):
        open_page(page, served)
        place = page.place("#picture", 0.5, 0.5)
        page.press(*place)
        grey = page.run(
            "document.querySelector('#picture').getContext('2d').getImageData(3, 3, 1, 1).data[0]"
        )
        before = served.loop.state()["frames"]
        eventually(lambda: served.loop.state()["frames"] > before + 15)
        page.release(*place)
        eventually(lambda: served.segmenter.prompts)
    index, _, _, frame_bgr = served.segmenter.prompts[0]
    assert grey // 8 == index % 32 == index_of(frame_bgr)
    assert index <= before < served.segmenter.index - 10


def test_lost_objects_are_shown_as_such(page: Page, served: Served) -> None:
    with Stream(served):
        open_page(page, served)
        page.click(*page.place("#picture", 0.5, 0.5))
        says(page, "#objects li", "visible")
        served.segmenter.hidden = {1}
        says(page, "#objects li.hidden", "out of sight for")
        served.segmenter.lost = {1}
        says(page, "#objects li.lost", "lost")
    assert page.errors == []


def test_pausing_and_messages(page: Page, served: Served) -> None:
    with Stream(served):
        open_page(page, served)
        page.click(*page.place("#pause"))
        says(page, "#status", "paused")
        page.click(*page.place("#beside"))
        page.click(*page.place("#picture", 0.5, 0.5))
        says(page, "#message", "Point at the object first")
        page.click(*page.place("#on"))
        page.click(*page.place("#picture", 0.5, 0.5))
        says(page, "#objects li", "visible")
        page.click(*page.place("#picture", 0.6, 0.5))
        eventually(lambda: len(served.segmenter.prompts) == 2)
        # What was pointed out on one frame is one prompt.
        assert len(served.segmenter.prompts[1][2].points_xy) == 2
        page.run("document.activeElement.blur()")
        page.key(" ")
        says(page, "#status", "playing")
    served.source.end()
    says(page, "#status", "the video has ended")
    assert page.errors == []


def test_the_token_of_the_url_becomes_a_cookie(page: Page, open_to_all: Served) -> None:
    with Stream(open_to_all):
        page.errors.clear()
        token = open_to_all.server.guard.token
        page.open(f"http://127.0.0.1:{open_to_all.server.port}/?token={token}")
        says(page, "#status", "playing")
        assert page.run("location.search + document.cookie") == ""
        page.click(*page.place("#picture", 0.5, 0.5))
        says(page, "#objects li", "visible")
        page.open(f"http://127.0.0.1:{open_to_all.server.port}/")
        says(page, "#status", "playing")
    assert page.errors == []


def test_a_page_comes_back_when_the_server_does_not(page: Page) -> None:
    served = Served()
    try:
        with Stream(served):
            open_page(page, served)
    finally:
        served.end()
    says(page, "#status", "the server does not answer")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 600), (390, 844), (320, 568)])
def test_nothing_sticks_out_of_the_window(
    page: Page, served: Served, width: int, height: int
) -> None:
    page.resize(width, height)
    with Stream(served):
        open_page(page, served)
        assert page.run("document.documentElement.scrollWidth") <= width
        assert page.run("document.querySelector('#picture').clientHeight") <= 0.9 * height
    page.resize(1280, 800)
