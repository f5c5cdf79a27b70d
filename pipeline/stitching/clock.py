"""Event time: the watermark, before which nothing more is waited for.

No clock is read here. The watermark follows the touchpoints that arrive; when they stop, the
runtime passes the wall clock to `idle_until`.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

BLOCK: Final = 32
"""Touchpoints after which event time is read off anew."""

QUANTILE: Final = 0.9
"""Which of them, by time, is believed: a high one, never the latest. One future timestamp once
moved a stream's clock by two days and made all good data late (Apache Metron, PR 1197)."""

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""No clock that is set is earlier; such a block tells nothing."""

PATIENCE: Final = timedelta(seconds=60)
"""Arrival time after which an incomplete block is read."""


class Watermark(msgspec.Struct):
    """How far event time has come in one partition. It never goes back.

    A touchpoint that claims to be later than its own arrival counts as of its arrival.

    Attributes:
        at: The watermark; None before the first block.
        recent: Event times since it was last read.
        since: Arrival of the first of them.
    """

    at: datetime | None = None
    recent: list[datetime] = []
    since: datetime | None = None

    def observe(
        self, occurred_at: datetime, received_at: datetime, out_of_order: timedelta
    ) -> bool:
        """Count one arrival; tells whether the watermark moved."""
        recent = self.recent
        recent.append(occurred_at if occurred_at < received_at else received_at)
        if self.since is None:
            self.since = received_at
            return False
        if len(recent) < BLOCK and received_at - self.since < PATIENCE:
            return False
        recent.sort()
        believed = recent[int(QUANTILE * (len(recent) - 1))]
        recent.clear()
        self.since = None
        return believed >= EARLIEST and self.advance(believed - out_of_order)

    def advance(self, to: datetime) -> bool:
        """Move on to `to`, never back; tells whether it moved."""
        if self.at is None or to > self.at:
            self.at = to
            return True
        return False
