"""What the listeners tell their operator: each fact counted and logged by one call.

The metrics belong to the registry that is handed in. Labels come from closed lists: channels,
reasons, limits, dialects, status classes. What a log line says never includes what was sent.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from listeners.errors import Reason
from schemas.identifiers import NAMES_NOBODY
from schemas.records import CHANNELS, Channel

LIMITS: Final[Mapping[Reason, str]] = {
    Reason.BODY_TOO_LARGE: "body_bytes_max",
    Reason.BATCH_TOO_LARGE: "batch_items_max",
    Reason.ITEM_TOO_LARGE: "item_bytes_max",
    Reason.TOO_DEEP: "depth_max",
    Reason.TOO_MANY_KEYS: "keys_max",
    Reason.TOO_MANY_VALUES: "identifiers_max",
    Reason.KEY_TOO_LONG: "key_length_max",
    Reason.STRING_TOO_LONG: "string_length_max",
    Reason.BODY_TOO_SLOW: "body_deadline",
    Reason.TOO_FAST: "request_rate_max",
}
"""The limit that a reason stands for, by the name of its setting."""

ADJUSTMENTS: Final = ("future_max", "skew_min")
"""Limits beyond which a time is corrected, and nothing refused."""

SPOOL_LIMITS: Final = ("spool_bytes_max", "spool_age_max", "queue", "disk_full")
"""Why the spool takes no more for now."""

SET_ASIDE: Final = ("damaged", "refused")
"""Why something in the spool was set aside."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Telemetry:
    """Counts and logs for one process.

    Args:
        registry: Where the metrics are registered.
        logger: Where the lines go.
    """

    def __init__(self, registry: CollectorRegistry, logger: logging.Logger | None = None) -> None:
        self._log = logger or logging.getLogger("touchpoints.listeners")
        received = Counter(
            "touchpoints_received", "Accepted and durable", ["channel"], registry=registry
        )
        rejected = Counter(
            "touchpoints_rejected", "Refused, by reason", ["reason"], registry=registry
        )
        limits = Counter(
            "touchpoints_limit_reached", "Limits reached", ["limit"], registry=registry
        )
        blocked = Counter(
            "touchpoints_identifiers_blocked",
            "Identifiers that name nobody, by what they are",
            ["reason"],
            registry=registry,
        )
        self._seconds = Histogram(
            "touchpoints_receive_seconds",
            "From the body's last byte until it is durable",
            ["dialect"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._discarded = Counter(
            "touchpoints_discarded",
            "Taken and not kept: an emitter's own metrics, a delivery that came before",
            registry=registry,
        )
        self._ready = Gauge(
            "touchpoints_publisher_ready", "1 while records can be made durable", registry=registry
        )
        self._ready.set(1)
        self._is_ready = True
        self._received = {channel: received.labels(channel) for channel in CHANNELS}
        self._rejected = {reason: rejected.labels(reason.value) for reason in Reason}
        self._limits = {
            name: limits.labels(name) for name in (*dict.fromkeys(LIMITS.values()), *ADJUSTMENTS)
        }
        self._blocked = {why: blocked.labels(why) for why in NAMES_NOBODY}
        self._seconds_of: dict[str, Histogram] = {}
        self._failures: set[tuple[str, str]] = set()

    def touchpoint_received(self, channel: Channel, count: int = 1) -> None:
        """So many touchpoints of a channel are durable."""
        self._received[channel].inc(count)
        if self._log.isEnabledFor(logging.DEBUG):
            self._log.debug("touchpoints received", extra={"channel": channel, "count": count})

    def identifier_blocked(self, why: str, count: int = 1) -> None:
        """So many identifiers named nobody; their touchpoints are kept without them."""
        self._blocked[why].inc(count)

    def touchpoint_rejected(self, reason: Reason, source: str, count: int = 1) -> None:
        """So many items, or one whole request, were refused. WARNING: the emitter must mend it."""
        self._rejected[reason].inc(count)
        if limit := LIMITS.get(reason):
            self._limits[limit].inc(count)
        self._log.warning(
            "refused %d of source %r: %s",
            count,
            source,
            reason.value,
            extra={"reason": reason.value, "source": source, "count": count},
        )

    def adapter_failed(self, dialect: str, place: str) -> None:
        """An adapter raised what it should not have. ERROR, once a place: a person must mend it."""
        if (dialect, place) not in self._failures:
            self._failures.add((dialect, place))
            self._log.error("the adapter of %s fails by our fault: %s", dialect, place)

    def time_adjusted(self, limit: str, source: str, count: int = 1) -> None:
        """So many times were replaced or corrected; nothing is lost."""
        self._limits[limit].inc(count)
        self._log.info("times adjusted: %s", limit, extra={"source": source, "count": count})

    def request_discarded(self) -> None:
        """A request was answered and its body, by design, not kept."""
        self._discarded.inc()

    def keys_missing(self, reason: str) -> None:
        """Keys of tokens cannot be read. ERROR: without any, requests that show one wait."""
        self._rejected[Reason.UNAVAILABLE].inc()
        self._log.error("cannot read the keys of tokens: %s", reason)

    def publisher_unavailable(self, reason: str) -> None:
        """A request could not be made durable. ERROR: a person must act."""
        self._ready.set(0)
        self._is_ready = False
        self._rejected[Reason.UNAVAILABLE].inc()
        self._log.error("cannot make records durable: %s", reason)

    def publisher_ready(self) -> None:
        """Records are durable again, or still."""
        if not self._is_ready:
            self._ready.set(1)
            self._is_ready = True
            self._log.info("records are made durable again")

    def request_received(self, dialect: str, seconds: float) -> None:
        """A request is answered; `seconds` from its last byte until it was durable."""
        if (found := self._seconds_of.get(dialect)) is None:
            found = self._seconds_of[dialect] = self._seconds.labels(dialect)
        found.observe(seconds)


class SpoolTelemetry:
    """Counts and logs for the way to Kafka, and the spool beside it.

    What changes is said once, not with every record.

    Args:
        registry: Where the metrics are registered.
        logger: Where the lines go.
    """

    def __init__(self, registry: CollectorRegistry, logger: logging.Logger | None = None) -> None:
        self._log = logger or logging.getLogger("touchpoints.spool")
        self._bytes = Gauge("touchpoints_spool_bytes", "The spool on disk", registry=registry)
        self._oldest = Gauge(
            "touchpoints_spool_oldest_seconds", "Age of its oldest record", registry=registry
        )
        self._spooled = Counter(
            "touchpoints_spooled", "Records put into the spool", registry=registry
        )
        self._drained = Counter(
            "touchpoints_drained", "Records of the spool that Kafka confirmed", registry=registry
        )
        refused = Counter(
            "touchpoints_spool_refused",
            "Publications the spool did not take",
            ["limit"],
            registry=registry,
        )
        aside = Counter(
            "touchpoints_spool_set_aside",
            "Records the brokers will not take; chunks that are damaged",
            ["reason"],
            registry=registry,
        )
        self._refused = {limit: refused.labels(limit) for limit in SPOOL_LIMITS}
        self._aside = {reason: aside.labels(reason) for reason in SET_ASIDE}
        self._away: str | None = None
        self._limit: str | None = None

    def watch_spool(self, size: Callable[[], float], age: Callable[[], float]) -> None:
        """Read bytes and seconds whenever the metrics are looked at."""
        self._bytes.set_function(size)
        self._oldest.set_function(age)

    def kafka_away(self, reason: str) -> None:
        """Kafka does not confirm. WARNING, once: odd, and nothing is lost."""
        if self._away is None:
            self._log.warning("Kafka does not confirm, records go to the spool: %s", reason)
        elif reason != self._away:
            self._log.info("Kafka still does not confirm: %s", reason)
        self._away = reason

    def kafka_back(self) -> None:
        """The spool is empty, and Kafka confirms again."""
        if self._away is not None:
            self._log.info("the spool is drained, records go to Kafka again")
        self._away = None

    def records_spooled(self, count: int) -> None:
        """So many records are on disk."""
        self._spooled.inc(count)
        if self._limit is not None:
            self._log.info("the spool takes records again")
            self._limit = None

    def records_drained(self, count: int) -> None:
        """So many records of the spool are on Kafka."""
        self._drained.inc(count)

    def spool_refused(self, limit: str) -> None:
        """The spool takes no more for now. ERROR, once: a person must act."""
        self._refused[limit].inc()
        if limit != self._limit:
            self._log.error("the spool takes no more: %s", limit)
            self._limit = limit

    def spool_failed(self, reason: str) -> None:
        """The spool takes nothing any more. ERROR: the process is about to stop."""
        self._log.error("the spool has failed: %s", reason)

    def records_set_aside(self, reason: str, count: int, why: str) -> None:
        """Something is kept, but does not reach Kafka. ERROR: a person must look at it."""
        self._aside[reason].inc(count)
        self._log.error("set aside in the spool, %d %s: %s", count, reason, why)
