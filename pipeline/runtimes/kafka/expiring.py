"""Expiring: what is due by event time, so many states a batch, the rest by the batches that follow.

After a silence - a night, an outage, a jump of event time - a million states may be due at one
moment. What follows from all of them in one transaction would outlast `commit_timeout`, and keep
the partition from everybody until then.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from pipeline.runtimes.engine import DUE_MAX
from pipeline.runtimes.kafka.sending import Sending
from pipeline.runtimes.kafka.states import PartitionStates

EXPIRED_MAX: Final = 5_000
"""States that one batch expires at most, as many as it takes records by default (P)."""

TRY_AGAIN: Final = timedelta(hours=1)
"""Event time after which a state that could not be expired is tried again (P)."""


class Expiring:
    """Expires states of one partition.

    Args:
        states: The partition's.
        sending: Takes what follows.
        expire: Expires one state by its key, and tells when it is due next; None for never.

    Attributes:
        overdue: Whether more may be due than batches had room for so far.
        owes: Whether results are to be expected of that.
        errors: What was raised for states that time could not move; they are kept as they are. Only
            where the states are careful; else it is raised, for the batch to be done again.
    """

    def __init__(
        self,
        states: PartitionStates,
        sending: Sending,
        expire: Callable[[str, Any, datetime], datetime | None],
    ) -> None:
        self.overdue = self.owes = False
        self._states, self._sending, self._expire = states, sending, expire
        self.begin()

    def begin(self) -> None:
        """What comes is another batch."""
        self._left = EXPIRED_MAX
        self.errors: list[Exception] = []

    def run(self, watermark: datetime) -> None:
        """Expire what is due by the watermark, as far as the batch has room."""
        before = len(self._sending.outputs)
        while self._left:
            limit = min(DUE_MAX, self._left)
            due = self._states.due(watermark, limit)
            self._left -= len(due)
            moved = [self._one(key, watermark) for key in due]
            # What is due at this very moment may have to wait a little longer, and be due again.
            if len(due) < limit or not any(moved):
                self.overdue = self.owes = False
                return
        self.overdue = True
        self.owes = self.owes or len(self._sending.outputs) > before

    def _one(self, key: str, watermark: datetime) -> bool:
        """Tells whether it is due no more."""
        state = self._states.get(key)
        if state is None:
            self._states.delete(key)
            return True
        # What a failure has spoilt is not known: all of the batch is done again then, with care.
        careful = self._states.careful
        due_at = (self._carefully if careful else self._expire)(key, state, watermark)
        return due_at is None or due_at > watermark

    def _carefully(self, key: str, state: Any, watermark: datetime) -> datetime | None:
        """One broken state must not keep all others from closing: it is tried again later."""
        mark = self._sending.mark()
        try:
            with self._states.undoing(key):
                return self._expire(key, state, watermark)
        except Exception as error:
            self._sending.undo(mark)
            self.errors.append(error)
            due_at = watermark + TRY_AGAIN
            self._states.put(key, self._states.get(key), due_at)
            return due_at
