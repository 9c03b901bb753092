"""Names from strangers lead down into their folder, or nowhere."""

from pathlib import Path

import pytest

from sam2lite.errors import BundleError
from sam2lite.files.names import check_name, inside, is_regular, public_name


@pytest.mark.parametrize(
    "name", ["plan.json", "graphs/mask_decoder@240.onnx", "a b/ü.bin", "Data/com.apple.CoreML/w"]
)
def test_names_that_lead_down_are_taken(name: str, tmp_path: Path) -> None:
    assert check_name(name, "m", BundleError) == name
    assert inside(str(tmp_path), name, BundleError) == str(tmp_path / name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/etc/passwd",
        "../x",
        "a/../x",
        "a/../../x",
        "a//b",
        "a/",
        "./a",
        "a/.",
        "a\0b",
        "a\\b",
        "..\\x",
        "c:x",
        "\ud800",
        "a\nb",
        "a\x1b[2J",
        "x" * 256,
        "a/" * 600 + "a",
        "*/_ORT_MEM_ADDR_/../x",
        None,
        7,
        ["a"],
    ],
)
def test_others_are_refused(name: object, tmp_path: Path) -> None:
    for call in (
        lambda: check_name(name, "m", BundleError),
        lambda: inside("r", name, BundleError),
    ):
        with pytest.raises(BundleError) as caught:
            call()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 250


def test_a_link_on_the_way_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    outside.mkdir()
    (root / "deep" / "engines").symlink_to(outside)
    (root / "file").symlink_to("/etc/passwd")
    (root / "dangling").symlink_to(tmp_path / "nothing")
    for name in ("deep/engines", "deep/engines/x.engine", "file", "dangling"):
        with pytest.raises(BundleError, match="is a link"):
            inside(str(root), name, BundleError)
    (tmp_path / "alias").symlink_to(root)
    assert inside(str(tmp_path / "alias"), "deep", BundleError)


def test_regular_files_alone_are_regular(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert is_regular(str(tmp_path / "file"))
    for path in (str(tmp_path), str(tmp_path / "link"), "/dev/zero", "nowhere", "a\0b"):
        assert not is_regular(path)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/me/secret/clip.mp4", "clip.mp4"),
        ("../clips/", "clips"),
        ("clip.mp4", "clip.mp4"),
        ("0", "0"),
        ("csi:0", "csi:0"),
        ("/dev/video0", "video0"),
        ("rtsp://me:word@10.0.0.7/live", "a stream"),
        ("rtspsrc location=rtsp://me:word@cam ! decodebin ! appsink", "a stream"),
    ],
)
def test_what_is_passed_on_has_no_folders(path: str, shown: str) -> None:
    assert public_name(path) == shown
