"""Calls: how long a request is good that signs no time, which is as long as its call lasts.

Twilio signs neither a time nor its token, so a request that somebody recorded stays valid for ever.
But what it tells happens within one call, and calls end. So a call is remembered from its first
request on: what can only come while it lasts is refused once it is over, everything a day later.
The memory is one process's and bounded; of a call that it does not know, nothing is refused.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from listeners.errors import Reason, Unauthorised

LONGEST: Final = timedelta(hours=24)
"""The longest call, after which not even what tells of its end can come. Source: Twilio's greatest
`TimeLimit`."""


class Call(NamedTuple):
    """The call that a request is of.

    Attributes:
        id: Its own, as signed.
        live: Whether such a request comes only while the call lasts.
        over: Whether it says that the call has ended.
    """

    id: str
    live: bool
    over: bool


class _Heard(NamedTuple):
    """What was heard of one call.

    Attributes:
        since: Its first request.
        until: The first that said that it is over.
    """

    since: datetime
    until: datetime | None


class Calls:
    """The calls that were heard of lately.

    Args:
        calls_max: How many are remembered; the one begun first is forgotten first.
        grace: How long after its end what belongs to a call may still be on its way.
    """

    def __init__(self, calls_max: int, grace: timedelta) -> None:
        self._calls_max = calls_max
        self._grace = grace
        self._heard: OrderedDict[tuple[str, str], _Heard] = OrderedDict()

    def check(self, source: str, call: Call, now: datetime) -> None:
        """Refuse what comes after its call.

        Raises:
            Unauthorised: It does; somebody may have recorded it.
        """
        heard = self._heard.get((source, call.id))
        if heard is None:
            return
        over = heard.until is not None and now - heard.until > self._grace
        if (call.live and over) or now - heard.since > LONGEST:
            raise Unauthorised(
                reason=Reason.SIGNATURE_EXPIRED,
                message="expected a request of a call that lasts; this one is over",
            )

    def remember(self, source: str, call: Call, now: datetime) -> None:
        """A request of the call is durable."""
        key = (source, call.id)
        heard = self._heard.get(key)
        if heard is None:
            self._heard[key] = _Heard(now, now if call.over else None)
            if len(self._heard) > self._calls_max:
                self._heard.popitem(last=False)
        elif call.over and heard.until is None:
            self._heard[key] = heard._replace(until=now)
