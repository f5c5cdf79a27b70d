"""Where touchpoints wait to be sent: in memory, or in a spool that survives the process."""

import contextlib
import ctypes
import logging
import os
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

Item = tuple[int, str]
"""A touchpoint that waits: its place in the queue and its JSON."""

BUSY_MAX: Final = 10
"""New files that may be locked by others before the folder is taken for one that has no locks."""

_log: Final = logging.getLogger("touchpoints.emitter")


class Store(Protocol):
    """Where touchpoints wait to be sent; of one thread at a time."""

    def put(self, texts: Iterable[str]) -> int:
        """Keep them, the oldest giving way; how many had to."""
        ...

    def oldest(self, count: int) -> Sequence[Item]:
        """The first ones, which stay."""
        ...

    def remove(self, places: Iterable[int]) -> None:
        """Forget these."""
        ...

    def __len__(self) -> int: ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class Memory:
    """Waiting in memory: gone with the process."""

    def __init__(self, items_max: int) -> None:
        self._items_max = items_max
        self._items: dict[int, str] = {}
        self._next = 0

    def put(self, texts: Iterable[str]) -> int:
        """Keep them, the oldest giving way; how many had to."""
        for text in texts:
            self._items[self._next] = text
            self._next += 1
        dropped = max(0, len(self._items) - self._items_max)
        for place in list(islice(self._items, dropped)):
            del self._items[place]
        return dropped

    def oldest(self, count: int) -> Sequence[Item]:
        """The first ones, which stay."""
        return list(islice(self._items.items(), count))

    def remove(self, places: Iterable[int]) -> None:
        """Forget these."""
        for place in places:
            self._items.pop(place, None)

    def __len__(self) -> int:
        return len(self._items)

    def close(self) -> None:
        """Nothing is open."""


class Spool:
    """Waiting in a file: survives the process, also `kill -9`.

    Each process has a file of its own in the folder, locked as long as it lives. The files of
    processes that are gone are taken over by the next that starts.

    Raises:
        sqlite3.Error, OSError: The folder or the disk will not have it.
    """

    def __init__(self, folder: Path, items_max: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._items_max = items_max
        self._count = 0
        self._path, self._file = _own(folder)
        for path in sorted(folder.glob("*.spool")):
            if path != self._path:
                self._adopt(path)

    def _adopt(self, path: Path) -> None:
        texts: list[str] = []
        damage: sqlite3.Error | None = None
        try:
            other = _open(path)
        except sqlite3.OperationalError:
            return  # Locked: its process lives.
        except sqlite3.DatabaseError as error:
            damage = error
        else:
            with contextlib.closing(other):
                damage = _read_into(texts, other)
                if dropped := self.put(texts):
                    _log.error("gave up the oldest %d touchpoints of %s: too many", dropped, path)
        if damage is None:
            _remove(path)
            return
        _log.error("%s is damaged and set aside, %d read: %s", path, len(texts), damage)
        path.replace(path.with_suffix(".broken"))

    def put(self, texts: Iterable[str]) -> int:
        """Keep them, the oldest giving way; how many had to."""
        rows = [(text,) for text in texts]
        dropped = max(0, self._count + len(rows) - self._items_max)
        with self._file:
            self._file.executemany("INSERT INTO waiting (text) VALUES (?)", rows)
            self._file.execute(
                "DELETE FROM waiting WHERE place IN "
                "(SELECT place FROM waiting ORDER BY place LIMIT ?)",
                (dropped,),
            )
        self._count += len(rows) - dropped
        return dropped

    def oldest(self, count: int) -> Sequence[Item]:
        """The first ones, which stay."""
        return self._file.execute(
            "SELECT place, text FROM waiting ORDER BY place LIMIT ?", (count,)
        ).fetchall()

    def remove(self, places: Iterable[int]) -> None:
        """Forget these."""
        with self._file:
            for place in places:
                found = self._file.execute("DELETE FROM waiting WHERE place = ?", (place,))
                self._count -= found.rowcount

    def __len__(self) -> int:
        return self._count

    def disown(self) -> None:
        """In a forked child: the parent's file is never to be closed, which would be to write."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._file))

    def close(self) -> None:
        """Let go of the file, and remove it when nothing waits in it."""
        self._file.close()
        if not self._count:
            _remove(self._path)


def _own(folder: Path) -> tuple[Path, sqlite3.Connection]:
    """A new file, locked; another starting process may have taken it over between the two.

    Raises:
        sqlite3.Error: The folder or the disk will not have it.
    """
    again = iter(range(BUSY_MAX))
    while True:
        path = folder / f"{os.getpid()}-{secrets.token_hex(4)}.spool"
        try:
            file = _open(path)
        except sqlite3.Error as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if busy and next(again, None) is not None:
                continue
            with contextlib.suppress(OSError):
                _remove(path)
            raise
        if path.exists():
            return path, file
        file.close()


def _read_into(texts: list[str], file: sqlite3.Connection) -> sqlite3.Error | None:
    """What waits in a file of another process, as far as it can be read; what stopped that."""
    try:
        texts += (text for (text,) in file.execute("SELECT text FROM waiting ORDER BY place"))
    except sqlite3.DatabaseError as error:
        return error
    return None


def _remove(path: Path) -> None:
    for one in (path, path.with_name(path.name + "-journal")):
        one.unlink(missing_ok=True)


def _open(path: Path) -> sqlite3.Connection:
    """A spool's file, locked for this process.

    Raises:
        sqlite3.OperationalError: Another process has it.
        sqlite3.DatabaseError: It is none.
    """
    file = sqlite3.connect(path, timeout=0, check_same_thread=False)
    try:
        file.execute("PRAGMA locking_mode = EXCLUSIVE")
        file.execute("PRAGMA journal_mode = TRUNCATE")
        file.execute("PRAGMA synchronous = NORMAL")
        with file:
            file.execute("BEGIN EXCLUSIVE")
            file.execute("CREATE TABLE IF NOT EXISTS waiting (place INTEGER PRIMARY KEY, text)")
    except sqlite3.Error:
        file.close()
        raise
    return file
