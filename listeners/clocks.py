"""Clocks: which emitters' clocks are wrong, learnt from the times they say they sent.

A clock is corrected only when it is off by much, and by the same amount again and again: the
time on the road looks like a slow clock too, and correcting that would put touchpoints out of
order. Sources: PostHog issue 98250; the numbers are the settings'.
"""

from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Final

BATCHES_MIN: Final = 3
"""Batches that must agree before a clock is corrected."""


class Clocks:
    """What is known of each sender's clock: the last `BATCHES_MIN` differences.

    Args:
        skew_min: Differences up to this are the road's.
        spread_max: How much the differences may vary.
        senders_max: How many senders are remembered; the one unheard longest is forgotten.
    """

    def __init__(self, *, skew_min: timedelta, spread_max: timedelta, senders_max: int) -> None:
        self._skew_min = skew_min
        self._spread_max = spread_max
        self._senders_max = senders_max
        self._seen: OrderedDict[tuple[str, str], deque[timedelta]] = OrderedDict()

    def __bool__(self) -> bool:
        """Whether any sender is watched."""
        return bool(self._seen)

    def shift(
        self, source: str, sender: str, sent_at: datetime, received_at: datetime
    ) -> timedelta | None:
        """Note one more batch, and say what to add to its times; None when nothing.

        Args:
            source: Whose key it came with.
            sender: Which clock wrote it, as far as we can tell.
            sent_at: By the sender's clock.
            received_at: By ours.
        """
        key = (source, sender)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = deque(maxlen=BATCHES_MIN)
            if len(self._seen) > self._senders_max:
                self._seen.popitem(last=False)
        else:
            self._seen.move_to_end(key)
        seen.append(received_at - sent_at)
        if len(seen) < BATCHES_MIN:
            return None
        least, most = min(seen), max(seen)
        if most - least > self._spread_max or min(abs(least), abs(most)) <= self._skew_min:
            return None
        return sorted(seen)[BATCHES_MIN // 2]
