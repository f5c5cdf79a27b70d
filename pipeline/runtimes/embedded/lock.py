"""One process at a time may write to a folder; the operating system keeps watch.

The lock goes with the process that holds it, so that a crash never leaves one behind. The lock
file stays: removing it would let two processes lock two files of the same name.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from pipeline.runtimes.errors import AlreadyRunning

LOCK_NAME: Final = "touchpoints.lock"


def runs(pid: int | None) -> bool:
    """Whether there is such a process; True where it cannot be told."""
    if pid is None:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True


class FolderLock:
    """An exclusive lock on a folder, held from `acquire` to `release`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock and write our process id into it.

        Raises:
            AlreadyRunning: Another process, or another runtime of this one, holds it.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held_by = os.read(descriptor, 32).strip()
            os.close(descriptor)
            pid = int(held_by) if held_by.isdigit() else None
            raise AlreadyRunning(directory=self._directory, pid=pid) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go. Releasing twice is no error."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
