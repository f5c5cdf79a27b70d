"""Rates: a token bucket for each source, so that none takes the share of the others."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from listeners.errors import Reason, TooFast

SOURCES_MAX: Final = 10_000
"""Buckets kept; the one unused longest is dropped, and by then it is full again."""


class Rates:
    """Counts the requests of each source.

    Args:
        rate_max: Requests a second in the mean; 0 is without limit.
        burst_max: Requests at once.
    """

    def __init__(self, *, rate_max: float, burst_max: int) -> None:
        self._rate_max = rate_max
        self._burst_max = float(burst_max)
        self._buckets: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def take(self, source: str, now: datetime) -> None:
        """Count one request.

        Raises:
            TooFast: The bucket is empty; says when a token will be there.
        """
        if not self._rate_max:
            return
        tokens, at = self._buckets.pop(source, (self._burst_max, now))
        passed = max((now - at).total_seconds(), 0.0)
        tokens = min(tokens + passed * self._rate_max, self._burst_max)
        if tokens < 1:
            self._buckets[source] = (tokens, now)
            raise TooFast(
                reason=Reason.TOO_FAST,
                message=f"expected at most {self._rate_max:g} requests a second; found more",
                retry_after=timedelta(seconds=(1 - tokens) / self._rate_max),
            )
        self._buckets[source] = (tokens - 1, now)
        if len(self._buckets) > SOURCES_MAX:
            self._buckets.popitem(last=False)
