"""Lists of links, and what is said about those that are none."""

from pathlib import Path

import pytest

from sam2lite.data.downloads import Link, read_links
from sam2lite.errors import DownloadError

MD5, SHA256 = "0123456789abcdef" * 2, "0123456789ABCDEF" * 4


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "links.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_list_as_meta_hands_it_out(tmp_path: Path) -> None:
    text = (
        "file_name\tcdn_link\r\nsa_000000.tar\thttps://x.org/a?s=1\r\n\nb/c.tar\thttp://y.org/b\n"
    )
    assert read_links(written(tmp_path, "\ufeff" + text)) == [
        Link("sa_000000.tar", "https://x.org/a?s=1"),
        Link("b/c.tar", "http://y.org/b"),
    ]


def test_sizes_and_checksums(tmp_path: Path) -> None:
    text = f"a\thttp://x.org/a\t12\t{MD5}\nb\thttp://x.org/b\t{SHA256}\t\n"
    assert read_links(written(tmp_path, text)) == [
        Link("a", "http://x.org/a", 12, ("md5", MD5)),
        Link("b", "http://x.org/b", None, ("sha256", SHA256.lower())),
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "has no links"),
        ("file_name\tcdn_link\n", "has no links"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
        ("a http://x.org/a", "line 1"),
        ("a\thttp://x.org/a\nb\n", "line 2"),
        ("../a\thttp://x.org/a", "may leave its folder"),
        ("/a\thttp://x.org/a", "may leave its folder"),
        ("a.part\thttp://x.org/a", "unfinished"),
        ("a\tfile:///etc/passwd", "none of http or https"),
        ("a\tx.org/a", "none of http or https"),
        ("a\thttp://", "none of http or https"),
        ("a\thttp://x.org/ä", "none of http or https"),
        ("a\thttp://x.org/a b", "none of http or https"),
        ("a\thttp://x.org:99999/", "line 1"),
        ("a\thttp://[x/", "line 1"),
        ("a\thttp://x.org/a\tlarge", "neither a size nor a checksum"),
        ("a\thttp://x.org/a\na\thttp://x.org/b", "a second time"),
    ],
)
def test_bad_lists(tmp_path: Path, text: str | bytes, named: str) -> None:
    with pytest.raises(DownloadError, match=named):
        read_links(written(tmp_path, text))


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="nowhere"):
        read_links(tmp_path / "nowhere")
