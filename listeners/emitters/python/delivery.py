"""Delivery: a queue that takes at once, and two threads that wait for disk and network."""

import logging
import os
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from listeners.emitters.python.posting import NEVER, Answer, fitting, pause, refused_of
from listeners.emitters.python.waiting import Item, Memory, Spool, Store

_log: Final = logging.getLogger("touchpoints.emitter")
_living: Final["weakref.WeakSet[Delivery]"] = weakref.WeakSet()
_forking: Final[list["Delivery"]] = []
_forks: Final = threading.Lock()  # for _forking: two threads may fork at once


class Counts(NamedTuple):
    """What became of the touchpoints of one process.

    Attributes:
        sent: Taken by the listener.
        waiting: In the queue or the spool, those of earlier processes included.
        dropped: The oldest, given up because there were too many; or lost at exit without a spool.
        refused: Not usable: not JSON, too large, or refused by the listener, which keeps them as
            dead letters.
    """

    sent: int
    waiting: int
    dropped: int
    refused: int


class Delivery:
    """Touchpoints as JSON texts, from any number of threads to one listener.

    Args:
        post: Sends one body; does not raise.
        spool: A folder for what waits; None waits in memory.
        queue_max: Touchpoints that wait at most; then the oldest are given up, and counted.
        batch_max: Touchpoints of one request, at most.
        flush_after: Seconds that a touchpoint waits for others to go with it.
    """

    def __init__(
        self,
        post: Callable[[bytes], Answer],
        *,
        spool: Path | None,
        queue_max: int,
        batch_max: int,
        flush_after: float,
    ) -> None:
        self._post = post
        self._spool = spool
        self._queue_max = queue_max
        self._batch_max = batch_max
        self._flush_after = flush_after
        self._fresh()
        _living.add(self)

    def _fresh(self) -> None:
        """As before the first touchpoint, in this process."""
        self._incoming: deque[str] = deque()
        self._door = threading.Condition()  # for _incoming: callers wait for nothing else
        self._stored = threading.Condition()  # for all below
        self._store: Store | None = None
        self._threads: list[threading.Thread] = []
        self._moving = 0
        self._hurried = False
        self._stopping = False
        self._deadline = 0.0
        self._overflowed = self._unusable = 0  # counted under _door, the others under _stored
        self._sent = self._dropped = self._refused = 0

    def take(self, text: str) -> None:
        """Queue one; returns at once. The first one starts the threads."""
        with self._door:
            if self._stopping:
                self._overflowed += 1
                return
            if not self._threads:
                self._start()
            if len(self._incoming) >= self._queue_max:
                self._incoming.popleft()
                self._overflowed += 1
            self._incoming.append(text)
            self._door.notify()

    def unusable(self) -> None:
        """Count one that could not be made a text."""
        with self._door:
            self._unusable += 1

    def flush(self, timeout: float = 10.0) -> bool:
        """Send what waits now; whether all of it was taken within so many seconds."""
        with self._stored:
            self._hurried = True
            self._stored.notify_all()
            return self._stored.wait_for(self._empty, timeout)

    def close(self, wait: float) -> None:
        """Send what waits and stop, within about so many seconds; once.

        What is not sent by then stays in the spool; without one it is lost, counted and logged.
        """
        with self._door, self._stored:
            if self._stopping:
                return
            self._stopping = True
            self._deadline = time.monotonic() + wait
            self._door.notify_all()
            self._stored.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, self._deadline + 1.0 - time.monotonic()))
        with self._stored:
            left = len(self._incoming) + self._moving
            if isinstance(self._store, Memory):
                left += len(self._store)
            if left:
                self._dropped += left
                _log.error("%d touchpoints could not be sent before the end", left)
            if self._store is not None and not any(one.is_alive() for one in self._threads):
                self._store.close()

    @property
    def counts(self) -> Counts:
        """What became of the touchpoints of this process so far."""
        with self._stored:
            stored = 0 if self._store is None else len(self._store)
            waiting = len(self._incoming) + self._moving + stored
            return Counts(
                self._sent,
                waiting,
                self._dropped + self._overflowed,
                self._refused + self._unusable,
            )

    def _moved(self) -> bool:
        return not (self._incoming or self._moving)

    def _empty(self) -> bool:
        return self._moved() and not self._store

    def _start(self) -> None:
        for work in (self._keep, self._send):
            thread = threading.Thread(target=work, name=f"touchpoints{work.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    # --- The first thread: from the callers to where touchpoints wait

    def _keep(self) -> None:
        """Move what comes in to the store, until the end."""
        with self._stored:
            self._store = self._opened()
        while True:
            with self._door:
                self._door.wait_for(lambda: self._incoming or self._stopping)
                texts = list(self._incoming)
                self._moving = len(texts)
                self._incoming.clear()
            with self._stored:
                self._dropped += self._put(texts)
                self._moving = 0
                self._stored.notify_all()
                if self._stopping and not self._incoming:
                    return

    def _opened(self) -> Store:
        if self._spool is None:
            return Memory(self._queue_max)
        try:
            return Spool(self._spool, self._queue_max)
        except (sqlite3.Error, OSError) as error:
            return self._without_spool(error)

    def _without_spool(self, error: Exception) -> Store:
        """Go on in memory; what the spool holds stays there for the next process."""
        _log.error("the spool %s failed, going on in memory: %s", self._spool, error)
        return Memory(self._queue_max)

    def _put(self, texts: Sequence[str]) -> int:
        assert self._store is not None
        try:
            return self._store.put(texts)
        except sqlite3.Error as error:
            self._store = self._without_spool(error)
            return self._store.put(texts)

    # --- The second: from there to the listener

    def _send(self) -> None:
        """Send the oldest, batch by batch, until the end."""
        failures, size = 0, self._batch_max
        while True:
            store, batch = self._batch(size)
            if not batch:
                if self._stopping:
                    return
                continue
            answer = self._post(f"[{','.join(text for _, text in batch)}]".encode())
            refused = refused_of(answer.body) if answer.status == 200 else None
            if refused is not None:
                failures = 0
                self._taken(store, batch, refused)
            elif answer.status in NEVER and len(batch) > 1:
                size = (len(batch) + 1) // 2  # One of them will never be taken.
            elif answer.status in NEVER:
                _log.error("the listener refused a touchpoint for good: %d", answer.status)
                self._taken(store, batch, 1)
            else:
                failures += 1
                if not self._wait(answer, failures):
                    return

    def _batch(self, size: int) -> tuple[Store, Sequence[Item]]:
        """The next to be sent, when enough have come or waited; none at the end."""
        with self._stored:
            self._stored.wait_for(
                lambda: self._store is not None and (self._stopping or self._store)
            )
            self._stored.wait_for(
                lambda: self._stopping or self._hurried or len(self._store or ()) >= size,
                self._flush_after,
            )
            assert self._store is not None
            if self._stopping:
                left = max(0.0, self._deadline - time.monotonic())
                self._stored.wait_for(self._moved, left)
                if time.monotonic() > self._deadline:
                    return self._store, ()
            self._hurried = self._hurried and len(self._store) > size
            try:
                return self._store, fitting(self._store.oldest(size))
            except sqlite3.Error as error:
                self._store = self._without_spool(error)
                return self._store, ()

    def _taken(self, store: Store, batch: Sequence[Item], refused: int) -> None:
        with self._stored:
            self._sent += len(batch) - refused
            self._refused += refused
            try:
                store.remove(place for place, _ in batch)
            except sqlite3.Error as error:  # They go out again, and their ids absorb it.
                if self._store is store:  # Else what came since waits in memory already.
                    self._store = self._without_spool(error)
            self._stored.notify_all()

    def _wait(self, answer: Answer, failures: int) -> bool:
        """Wait before the next attempt; whether there is one."""
        if failures == 1:
            _log.warning("the listener cannot be reached, or answered: status %d", answer.status)
        seconds = pause(answer, failures)
        with self._stored:
            if not self._stopping:
                self._stored.wait_for(lambda: self._stopping, seconds)
                return True  # At the end of the process one more attempt, at once.
            if not isinstance(self._store, Memory):
                return False  # It waits in the spool.
        left = self._deadline - time.monotonic()
        time.sleep(max(0.0, min(seconds, left)))
        return seconds < left

    # --- Forks

    def _forked(self) -> None:
        """In the child: what waited is the parent's to send, and its open file is left alone."""
        if isinstance(self._store, Spool):
            self._store.disown()
        self._fresh()


def _before_fork() -> None:
    """No other thread is within a spool while the process is copied."""
    _forks.acquire()
    _forking.extend(_living)
    for one in _forking:
        one._door.acquire()
        one._stored.acquire()


def _after_fork(*, child: bool) -> None:
    for one in _forking:
        if child:
            one._forked()
        else:
            one._stored.release()
            one._door.release()
    _forking.clear()
    _forks.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=lambda: _after_fork(child=False),
        after_in_child=lambda: _after_fork(child=True),
    )
