"""What a manifest and `engines.json` know a file by."""

import hashlib

_CHUNK_BYTES = 1 << 20


def file_sha256(path: str) -> str:
    """Return the SHA-256 of a file as hexadecimal digits; read in pieces, however large it is.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()
