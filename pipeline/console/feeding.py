"""Feeding: a thread that reads the result topics into the store, and says how far it is."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec

from pipeline.console.feeds import Feed, Offsets
from pipeline.console.keeping import READ, Keeper
from pipeline.console.store import damaged, empty, open_to_write, remove, store_path
from pipeline.console.tidying import tidy
from pipeline.errors import PipelineError

POLL: Final = 0.1
"""Seconds between two looks where nothing has come."""

TIDY_EVERY: Final = 300.0
"""Seconds between two looks for what is no longer kept."""

RETRY: Final = 1.0
"""Seconds until a feed that failed is opened again."""

_logger: Final = logging.getLogger("touchpoints.console")

OpenFeed = Callable[[Offsets], Feed]
"""Opens the topics where they were left."""


class Fed(msgspec.Struct, frozen=True):
    """How far the feeding is.

    Attributes:
        behind: Records that wait.
        caught_up: Whether it has once been at the end since it began.
        failure: Why nothing comes in; empty while it does.
        unreadable: Records that were passed over.
    """

    behind: int = 0
    caught_up: bool = False
    failure: str = ""
    unreadable: int = 0


class Feeder:
    """Owns the writing connection of the store, and a thread that fills it.

    Args:
        directory: Where the store is.
        open_feed: Where records come from.
        clock: The wall clock.

    Raises:
        StoreFailed: The store cannot be opened.
    """

    def __init__(self, directory: Path, open_feed: OpenFeed, clock: Callable[[], datetime]) -> None:
        self._path = store_path(directory)
        self._connection = open_to_write(directory)
        self._keeper = Keeper(self._connection)
        self._open_feed = open_feed
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="console feed", daemon=True)
        self._tidy_at = monotonic() + TIDY_EVERY
        self._damaged = False
        self.fed = Fed()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Keep what is under way, and end."""
        self._stopping.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._damaged:
                    self._begin_anew()
                feed = self._open_feed(self._offsets())
                try:
                    self._follow(feed)
                finally:
                    feed.close()
            except (PipelineError, sqlite3.Error, OSError) as error:
                self._damaged = self._damaged or damaged(error)
                self._failed(str(error))
            except Exception as error:  # a client's own; the console goes on and says so
                _logger.exception("the console's feed failed")
                self._failed(f"{type(error).__name__}: {error}")

    def _begin_anew(self) -> None:
        """Remove a store that is damaged, and fill another one from what the topics hold.

        Where that fails the store counts as damaged still, and it is tried again.
        """
        self._connection.close()
        remove(self._path.parent)
        self._connection = open_to_write(self._path.parent)
        self._keeper = Keeper(self._connection)
        self._damaged = False
        self.fed = Fed()
        _logger.warning("%s was damaged; it is filled anew", self._path)

    def _follow(self, feed: Feed) -> None:
        """Read until told to stop, or until the feed fails."""
        if feed.restarted():
            _logger.warning("the topics were begun anew; so is %s", self._path)
            self._connection.execute("BEGIN IMMEDIATE")
            empty(self._connection)
            self._connection.execute("COMMIT")
            self._keeper = Keeper(self._connection)
            return
        while not self._stopping.is_set():
            came = self._step(feed)
            if not came and not self.fed.behind:
                self._idle()
                self._stopping.wait(POLL)

    def _step(self, feed: Feed) -> bool:
        """Keep what has come; tells whether anything did."""
        came = False
        for topic, records, offsets in feed.poll(POLL):
            self._keeper.take(topic, records, offsets, self._clock())
            came = True
            if self._stopping.is_set():
                break
        behind = feed.behind() if came or self.fed.failure or not self.fed.caught_up else 0
        caught_up = self.fed.caught_up or behind == 0
        self.fed = Fed(behind, caught_up, "", self._keeper.unreadable)
        if self._keeper.erased:
            # Not in the WAL either; readers of the moment may keep it from being emptied.
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._keeper.erased = bool(busy)
        return came

    def _idle(self) -> None:
        if monotonic() > self._tidy_at:
            tidy(self._connection)
            self._tidy_at = monotonic() + TIDY_EVERY

    def _offsets(self) -> Mapping[str, Mapping[int, int]]:
        return {topic: self._keeper.offsets(topic) for topic in READ}

    def _failed(self, why: str) -> None:
        if why != self.fed.failure:
            _logger.warning("the console reads nothing: %s", why)
        self.fed = msgspec.structs.replace(self.fed, failure=why)
        self._stopping.wait(RETRY)
