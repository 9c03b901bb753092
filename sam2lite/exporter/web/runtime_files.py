"""ONNX Runtime's files for browsers: given by the user, and taken by their hashes alone."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sam2lite.errors import RecipeError

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
ARCHIVE = f"{PACKAGE}-{VERSION}.tgz"  # as `npm pack` calls it
NOTICE = "NOTICE.txt"
_URL = f"https://registry.npmjs.org/{PACKAGE}/-/{ARCHIVE}"
_IN_ARCHIVE = "package/dist/"
# Where a folder may have them: of `npm pack`, unpacked; of `npm install`; or themselves.
_IN_FOLDER = ("dist", "package/dist", f"node_modules/{PACKAGE}/dist", ".")
_GET_IT = f"`npm pack {PACKAGE}@{VERSION}` makes {ARCHIVE} here, or download it from {_URL}"


class RuntimeFile(NamedTuple):
    """A file of the runtime, as the package on npm has it."""

    bytes: int
    sha256: str


# WebAssembly, and the build that has WebGPU as well; browsers load one of the two.
FILES: Mapping[str, RuntimeFile] = {
    "ort.wasm.min.mjs": RuntimeFile(
        50126, "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b"
    ),
    "ort-wasm-simd-threaded.mjs": RuntimeFile(
        24381, "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b"
    ),
    "ort-wasm-simd-threaded.wasm": RuntimeFile(
        14239897, "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
    ),
    "ort.webgpu.min.mjs": RuntimeFile(
        66349, "3dffff71811bc13a3a3d9591c57ca5ee5735b8f5f3eaf789510b02bb040ae3a0"
    ),
    "ort-wasm-simd-threaded.asyncify.mjs": RuntimeFile(
        53057, "3d1c85995364bb643302fc6fd877a0c3ba5ae72401815e0f24828a53d9191e28"
    ),
    "ort-wasm-simd-threaded.asyncify.wasm": RuntimeFile(
        26781914, "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da"
    ),
}

_NOTICE = f"""\
{PACKAGE} {VERSION}, https://github.com/microsoft/onnxruntime, unchanged. MIT License.

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def add_runtime(given: Path | None, folder: Path) -> None:
    """Write the runtime's files and its licence into a folder.

    Args:
        given: the archive or a folder; the archive in the working folder if None.
        folder: an existing one.

    Raises:
        RecipeError: see `read_runtime`.
    """
    for name, content in read_runtime(given).items():
        (folder / name).write_bytes(content)
    (folder / NOTICE).write_text(_NOTICE, encoding="utf-8")


def read_runtime(given: Path | None) -> dict[str, bytes]:
    """Return the runtime's files by name, each the one that was published.

    Args:
        given: the archive or a folder; the archive in the working folder if None.

    Raises:
        RecipeError: nothing is there, a file is missing, or it is not that of the version.
    """
    source = Path(ARCHIVE) if given is None else given
    if not source.exists():
        said = f"there is no {source}" if given else "it is not part of this package"
        raise _refused(f"{PACKAGE} {VERSION} runs the graphs in browsers, and {said}: {_GET_IT}")
    try:
        found = _in_folder(source) if source.is_dir() else _in_archive(source)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _refused(
            f"{source} cannot be read as an archive of npm ({error}): {_GET_IT}"
        ) from None
    for name, expected in FILES.items():
        content = found.get(name)
        if content is None:
            raise _refused(f"{source} has no {name} of {PACKAGE} {VERSION}: {_GET_IT}")
        if hashlib.sha256(content).hexdigest() != expected.sha256:
            raise _refused(
                f"{name} in {source} is not that of {PACKAGE} {VERSION} (its SHA-256 is another): "
                f"{_GET_IT}"
            )
    return found


def _refused(sentence: str) -> RecipeError:
    return RecipeError(f"`runtime`: {sentence}", "runtime")


def _in_folder(folder: Path) -> dict[str, bytes]:
    places = [folder / place for place in _IN_FOLDER]
    place = next((each for each in places if (each / next(iter(FILES))).is_file()), folder)
    return {name: _limited(place / name) for name in FILES if (place / name).is_file()}


def _limited(path: Path) -> bytes:
    """Return a file, or nothing of one that is larger than all of them."""
    return path.read_bytes() if path.stat().st_size <= _MOST_BYTES else b""


def _in_archive(archive: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(archive) as packed:
        for member in packed:
            name = member.name.removeprefix(_IN_ARCHIVE)
            if name in FILES and member.isfile() and member.size <= _MOST_BYTES:
                stream = packed.extractfile(member)
                assert stream is not None
                found[name] = stream.read()
    return found


_MOST_BYTES = max(file.bytes for file in FILES.values())
