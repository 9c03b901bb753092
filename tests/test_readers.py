"""What strangers wrote is read in the rooms made for it, and nowhere else."""

import ast

from tests.source_tree import SOURCES, place

# Where JSON is parsed.
JSON_READERS = {"files/json_reading.py"}
# Read by their own checks, which call the reader where bytes come from a file.
OPENCV_FILES = {"runtimes/video/opencv_files.py"}
OPENCV_CALLS = {"imread", "imwrite", "imreadmulti", "VideoCapture"}
# The writer gets a name that OpenCV can take from opencv_files.
OPENCV_WRITER = "runtimes/video/writer.py"
ELSEWHERE = {"contracts/manifest.py", "contracts/build_plan.py"}
ELSEWHERE |= {"runtimes/backends/tensorrt/engines.py"}
# What a process of ours tells its parent, and is told.
ELSEWHERE |= {"bench/against/turns.py", "bench/against/worker.py"}


def calls(module: str, names: set[str]) -> set[str]:
    """Return the sources that use one of the names of a module."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == module
                and node.attr in names
            ):
                found.add(place(path))
    return found


def test_json_of_strangers_has_one_reader() -> None:
    assert calls("json", {"load", "loads"}) - ELSEWHERE == JSON_READERS


def test_pictures_and_videos_have_one_way_to_opencv() -> None:
    assert calls("cv2", OPENCV_CALLS) == OPENCV_FILES
    assert calls("cv2", {"VideoWriter"}) == {OPENCV_WRITER}


def test_archives_of_arrays_are_read_by_their_table() -> None:
    assert calls("np", {"load"}) == set()
