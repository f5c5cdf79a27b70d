"""The emitter: what an application calls, and how a touchpoint is written."""

import atexit
import json
import logging
import os
import secrets
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from listeners.emitters.python.delivery import Counts, Delivery
from listeners.emitters.python.posting import check, poster

Channel = Literal["web", "app", "chatbot", "ivr", "agent", "survey"]
Scale = Literal["ces", "nps", "csat"]

CHANNELS: Final = ("web", "app", "chatbot", "ivr", "agent", "survey")
ITEM_CHARS_MAX: Final = 65_536
"""Characters of one touchpoint; a listener takes 1 MiB."""

_log: Final = logging.getLogger("touchpoints.emitter")
_living: Final["weakref.WeakSet[Emitter]"] = weakref.WeakSet()


class Emitter:
    """Sends touchpoints to a listener, from any number of threads.

    Args:
        url: The listener's address, `http` or `https`.
        key: The source's write key.
        channel: Of all touchpoints that do not say another; None where the listener's settings do.
        spool: A folder for what waits, for applications that go offline; None waits in memory.
        queue_max: Touchpoints that wait at most; then the oldest are given up, and counted.
        batch_max: Touchpoints of one request, at most.
        flush_after: Seconds that a touchpoint waits for others to go with it.
        timeout: Seconds that a request may take.
        exit_after: Seconds that the end of the process waits for what has not been sent.

    Raises:
        ValueError: An address, a key or a channel that cannot be.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str,
        channel: Channel | None = None,
        spool: str | os.PathLike[str] | None = None,
        queue_max: int = 10_000,
        batch_max: int = 100,
        flush_after: float = 1.0,
        timeout: float = 10.0,
        exit_after: float = 2.0,
    ) -> None:
        check(url, key)
        if channel is not None and channel not in CHANNELS:
            message = f'expected one of {", ".join(CHANNELS)}; found "{channel}"'
            raise ValueError(message)
        self._channel = channel
        self._exit_after = exit_after
        self._delivery = Delivery(
            poster(url.rstrip("/") + "/v1/touchpoints", key, timeout),
            spool=None if spool is None else Path(spool),
            queue_max=queue_max,
            batch_max=batch_max,
            flush_after=flush_after,
        )
        _living.add(self)

    def track(
        self,
        name: str,
        identifiers: Mapping[str, str | int],
        *,
        properties: Mapping[str, Any] | None = None,
        location: str | None = None,
        session: str | None = None,
        intent: str | None = None,
        signals: Sequence[str] = (),
        rating: tuple[Scale, float] | None = None,
        channel: Channel | None = None,
        occurred_at: float | None = None,
        touchpoint_id: str | None = None,
    ) -> str:
        """Say that something happened; returns at once.

        Args:
            name: What happened.
            identifiers: Type to value, at least one: `user_id`, `email`, `device_id`, …
            properties: Whatever else is to be kept, as JSON.
            location: Where: a page, a screen.
            session: The session's own id.
            intent: What the customer wants: a mission of the catalogue.
            signals: Channel-neutral facts, such as `http_5xx`.
            rating: A scale and what was answered on it.
            channel: Another one than the emitter's.
            occurred_at: When, as epoch seconds; None is now.
            touchpoint_id: Yours, where it is known elsewhere, too; unique within the source.

        Returns:
            The touchpoint's id.
        """
        chosen = touchpoint_id or secrets.token_hex(16)
        try:
            at = time.time() if occurred_at is None else occurred_at
            item = {
                "id": chosen,
                "channel": channel or self._channel,
                "name": name,
                "occurred_at": round(1000 * at),
                "identifiers": dict(identifiers),
                "location": location,
                "session_hint": session,
                "intent": intent,
                "signals": list(signals) or None,
                "rating": rating and {"scale": rating[0], "value": rating[1]},
                "properties": properties and dict(properties),
            }
            self._delivery.take(_written(item))
        except Exception as error:  # Whatever it was given: to tell of it is never worth a failure.
            _log.error("the touchpoint %r cannot be sent: %r", name, error)
            self._delivery.unusable()
        return chosen

    def identify(self, identifiers: Mapping[str, str | int]) -> str:
        """Say that these are one customer's; opens no session and is not judged."""
        return self.track("identify", identifiers, signals=("identity_only",))

    def flush(self, timeout: float = 10.0) -> bool:
        """Send what waits now; whether all of it was taken within so many seconds."""
        return self._delivery.flush(timeout)

    def close(self, timeout: float | None = None) -> None:
        """Flush and stop; called at exit. Later touchpoints are dropped, and counted.

        Args:
            timeout: Seconds at most; None takes those of `exit_after`. What is not sent by then
                stays in the spool; without one it is lost, counted and logged.
        """
        self._delivery.close(self._exit_after if timeout is None else timeout)

    @property
    def counts(self) -> Counts:
        """What became of the touchpoints of this process so far."""
        return self._delivery.counts


def _written(item: Mapping[str, Any]) -> str:
    """A touchpoint as JSON.

    Raises:
        TypeError, ValueError, RecursionError: It has none, or too much of it.
    """
    said = {field: value for field, value in item.items() if value is not None}
    text = json.dumps(said, allow_nan=False, default=str, separators=(",", ":"))
    if len(text) > ITEM_CHARS_MAX:
        message = f"expected at most {ITEM_CHARS_MAX} characters; found {len(text)}"
        raise ValueError(message)
    return text


def _close_all() -> None:
    for emitter in list(_living):
        emitter.close()


atexit.register(_close_all)
