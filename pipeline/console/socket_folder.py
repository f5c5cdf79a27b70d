"""The folder of a socket that only this user can open: it goes with its process.

A process that is killed leaves its folder behind. The next one removes it: a lock, which the
operating system takes from the dead, tells which are left over.
"""

import fcntl
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "touchpoints-console-"
SOCKET: Final = "console"

_OWNER: Final = "owner"
"""The file whose lock the owner holds. It appears with its lock: none is seen without."""

_NAMES: Final = (SOCKET, f"{_OWNER}.new", _OWNER)


class SocketFolder:
    """A folder for one socket, from here to `close`.

    Attributes:
        socket: Where it is to be bound.
    """

    def __init__(self) -> None:
        _remove_left_over(Path(tempfile.gettempdir()))
        self._path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.socket = self._path / SOCKET
        new = self._path / f"{_OWNER}.new"
        self._lock = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        new.rename(self._path / _OWNER)

    def close(self) -> None:
        """Remove it."""
        _remove(self._path)
        os.close(self._lock)


def _remove_left_over(among: Path) -> None:
    for path in among.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process may be removing it, too
            about = path.lstat()
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
                continue
            lock = os.open(path / _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path)
            finally:
                os.close(lock)


def _remove(path: Path) -> None:
    """The folder with what we put there; with anything else in it, it stays."""
    for name in _NAMES:
        (path / name).unlink(missing_ok=True)
    with suppress(OSError):
        path.rmdir()
