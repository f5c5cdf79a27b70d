"""Obeying: an operator's order carried out on the data, by whoever holds the folder."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from pipeline.runtimes.embedded import receipts
from pipeline.runtimes.embedded.database import (
    database_path,
    failure_of,
    open_reader,
    open_writer,
    refused_to_write,
)
from pipeline.runtimes.embedded.erasing import Erasing, StillRead, empty_the_wal
from pipeline.runtimes.embedded.lock import FolderLock
from pipeline.runtimes.embedded.log import Log
from pipeline.runtimes.embedded.orders import Answer, Append, Erase, Order
from pipeline.stitching.erasing import Ambiguous
from pipeline.topology import STAGES


def erased(
    order: Erase, connection: sqlite3.Connection, log: Log, erasing: Erasing, now: datetime
) -> Answer:
    """Carry out an erasure; refused where it is not said whose, or cannot be done now.

    Raises:
        sqlite3.Error: One that cannot be tried again.
    """
    try:
        receipt = erasing.erase(connection, log, (order.id, order.identifier), now)
    except Ambiguous as error:
        return Answer(refused=told_of(error))
    except sqlite3.Error as error:
        if not isinstance(error, StillRead) and not refused_to_write(error):
            raise
        return Answer(
            refused=f"expected to write the file anew; found {error}. Stop who reads it, or make "
            f"room for it once more, and erase again: the receipt will tell all that was done"
        )
    return Answer(done=msgspec.Raw(msgspec.json.encode(receipt)))


def outdated(order: Append, connection: sqlite3.Connection) -> str:
    """Why records are not appended any more: they may be of somebody who was erased since."""
    if order.erasures is None or set(receipts.ids(connection)) <= set(order.erasures):
        return ""
    return (
        "expected that what was read still stands; found that a customer was erased since. "
        "Nothing of it was appended: give the same command again, and what is left is read"
    )


def told_of(error: Ambiguous) -> str:
    """Why an erasure is refused."""
    return (
        f"expected an identifier of one customer; found one that was several customers' in turn: "
        f"{', '.join(error.customers)}. Name one of these"
    )


def obey_stopped(
    directory: Path, order: Order, erasing: Erasing | None, clock: Callable[[], datetime]
) -> Answer:
    """Carry out an order on data that no process uses.

    What is appended takes effect when a process starts.

    Raises:
        AlreadyRunning: One uses it; give it the order.
        StorageUnreadable: There is no data, or it is not ours.
        StorageFailed: The disk did not do what was asked.
    """
    open_reader(directory).close()  # says so where there is none, and makes nothing
    lock = FolderLock(directory)
    lock.acquire()
    try:
        connection = open_writer(directory, [stage.name for stage in STAGES])
        try:
            log = Log(connection)
            if isinstance(order, Erase):
                if erasing is None:
                    return Answer(refused="expected who erases; found nobody")
                return erased(order, connection, log, erasing, clock())
            if refused := outdated(order, connection):
                return Answer(refused=refused)
            connection.execute("BEGIN IMMEDIATE")
            for record in order.records:
                log.append(*record)
            log.write(clock())
            connection.execute("COMMIT")
            empty_the_wal(connection)
            return Answer()
        except sqlite3.Error as error:
            raise failure_of(database_path(directory), error) from error
        finally:
            connection.close()
    finally:
        lock.release()
