"""Forgetting: whoever was erased is gone from the console's store before the receipt is shown.

A console that runs reads of it by itself, within a second; one that does not would only when it is
started again.
"""

import sqlite3
from datetime import datetime
from pathlib import Path

from pipeline.console.feeds import RECORDS_AT_ONCE
from pipeline.console.keeping import Arrived, Keeper
from pipeline.console.store import failed, milliseconds, open_to_write, store_path
from pipeline.runtimes.embedded.erasing import empty_the_wal
from pipeline.runtimes.embedded.reader import LogReader
from schemas.topics import IDENTITY_CHANGES


def forget_erased(directory: Path, now: datetime) -> None:
    """Take in all that the log tells of who is who; does nothing where there is no store.

    A console may do so at the same time: what both do is done once.

    Args:
        directory: The folder of log and store.
        now: The wall clock.

    Raises:
        StoreFailed: The store cannot be written.
        StorageUnreadable: The log cannot be read.
    """
    path = store_path(directory)
    if not path.exists():
        return
    connection = open_to_write(directory)
    try:
        with LogReader(directory) as reader:
            keeper = Keeper(connection)
            following = keeper.offsets(IDENTITY_CHANGES).get(0, 0)
            while records := reader.read(IDENTITY_CHANGES, following, RECORDS_AT_ONCE):
                following = records[-1].offset + 1
                arrived = [
                    Arrived(one.key, one.value, milliseconds(one.appended_at)) for one in records
                ]
                keeper.take(IDENTITY_CHANGES, arrived, {0: following}, now)
        empty_the_wal(connection)
    except sqlite3.Error as error:
        raise failed(path, error) from error
    finally:
        connection.close()
