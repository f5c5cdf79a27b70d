"""Peeking: what the identify stage knows, read beside a running process."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtimes.embedded.database import open_reader
from pipeline.stitching.claims import IdentifierState
from pipeline.stitching.erasing import States
from pipeline.topology import IDENTIFY


@contextmanager
def peeking(directory: Path) -> Iterator[States]:
    """The states of identifiers, as of the last commit.

    Raises:
        StorageUnreadable: There is no data, or it is not ours.
    """
    connection = open_reader(directory)
    try:
        yield lambda identifier: _state_of(connection, identifier)
    finally:
        connection.close()


def _state_of(connection: sqlite3.Connection, identifier: str) -> IdentifierState | None:
    row = connection.execute(
        "SELECT state FROM state_identify WHERE key = ?", (identifier,)
    ).fetchone()
    return None if row is None else IDENTIFY.decode(row[0])
