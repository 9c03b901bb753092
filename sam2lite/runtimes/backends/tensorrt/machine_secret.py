"""A secret of this user on this machine, by which engines that were built here are known again.

An engine is code that TensorRT runs as it is. What names one, `engines.json`, travels in the bundle
and can be written by anybody; so it holds a seal that only the owner of this file can make.
"""

import hmac
import os
import stat
from hashlib import sha256
from typing import Optional

from sam2lite.errors import OutputError, SessionError

SECRET_FILE = "engine.secret"
_BYTES = 32


def secret_path() -> str:
    """Return the file's place: `$XDG_CONFIG_HOME/sam2lite`, or `~/.config/sam2lite`.

    `~` is the home of the user that the process runs as, whatever HOME says: on older systems sudo
    leaves HOME as it was, and root would write a file that its owner could never read.
    """
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(_home(), ".config")
    return os.path.join(base, "sam2lite", SECRET_FILE)


def read_secret() -> Optional[bytes]:
    """Return the secret, or None where none was made yet.

    Raises:
        SessionError: the file may be read or written by others, or is not what was written.
    """
    path = secret_path()
    try:
        # No link, and no waiting for a pipe.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _unusable(path, "it is no regular file")
        if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
            raise _unusable(path, "it belongs to another user")
        if os.name == "posix" and status.st_mode & 0o077:
            raise _unusable(path, "others may read or write it")
        secret = os.read(descriptor, _BYTES + 1)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error))
    finally:
        os.close(descriptor)
    if len(secret) != _BYTES:
        raise _unusable(path, "it has {} bytes and not {}".format(len(secret), _BYTES))
    return secret


def make_secret() -> bytes:
    """Return the secret, made if there is none yet.

    Raises:
        OutputError: it cannot be written.
        SessionError: see `read_secret`.
    """
    found = read_secret()
    if found is not None:
        return found
    path = secret_path()
    partial = "{}.{}".format(path, os.urandom(8).hex())
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(os.urandom(_BYTES))
            os.link(partial, path)  # of two that make one at the same time, the first one's stays
        except FileExistsError:
            pass
        finally:
            os.unlink(partial)
    except OSError as error:
        raise OutputError(
            "cannot write {} ({}), by which engines that are built here are known again; set "
            "XDG_CONFIG_HOME to a folder that you may write to, now and whenever the bundle is "
            "used".format(path, error.strerror)
        )
    made = read_secret()
    if made is None:
        raise _unusable(path, "it was removed at once")
    return made


def seal(secret: bytes, what: bytes) -> str:
    """Return what only the owner of the secret can say of some bytes: an HMAC-SHA256."""
    return hmac.new(secret, what, sha256).hexdigest()


def is_sealed(secret: bytes, what: bytes, said: str) -> bool:
    """Return whether `seal` gave this text for these bytes."""
    return hmac.compare_digest(seal(secret, what).encode("ascii"), said.encode("utf-8"))


def _home() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_dir
    except (ImportError, KeyError):  # no POSIX, or a container's user without a name
        return os.path.expanduser("~")


def _unusable(path: str, reason: str) -> SessionError:
    return SessionError(
        "{} cannot be used ({}), and with it no engine can be told from one that somebody else "
        "made; delete it, or set XDG_CONFIG_HOME to a folder of your own, and build the engines "
        "again: python3 device.pyz build".format(path, reason)
    )
