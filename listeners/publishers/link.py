"""A link to Kafka: one librdkafka producer, the thread that takes its reports, and what it owes.

A link is given up as a whole, by `close`: what may still arrive of it is, per partition, the
beginning of what it was handed, without a gap. When to give it up is left to `kafka`.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from listeners.publishers.publisher import Outgoing

POLL: Final = 0.25
"""Seconds that a link's thread waits for reports; it wakes at once when one comes."""

_TOLD: Final[dict[int, str]] = {
    KafkaError._AUTHENTICATION: (
        "the brokers refuse the login: check sasl_mechanism, sasl_username and sasl_password"
    ),
    KafkaError.SASL_AUTHENTICATION_FAILED: (
        "the brokers refuse the login: check sasl_mechanism, sasl_username and sasl_password"
    ),
    KafkaError._SSL: "TLS cannot be agreed on: check security_protocol and ssl_ca_file",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "the account may not write: it needs Write and Describe",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: (
        "the account may not write: it needs Write and Describe, and before Kafka 2.8 "
        "IdempotentWrite on the cluster"
    ),
    KafkaError._UNKNOWN_TOPIC: "the brokers have no such topic",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "the brokers have no such topic",
    KafkaError.MSG_SIZE_TOO_LARGE: "larger than the topic's max.message.bytes",
    KafkaError._ALL_BROKERS_DOWN: "no broker answers",
}
_FOREIGN: Final = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._SSL,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
"""Errors of brokers that are there and will not have us."""

_NEVER: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})
"""Errors of one record, or of the batch it is in; the others are not affected."""

log: Final = logging.getLogger("touchpoints.kafka")
"""What librdkafka says of itself; what it means for records is said by `telemetry`."""


def told(error: KafkaError) -> str:
    """What went wrong, for whoever has to mend it."""
    remedy = _TOLD.get(error.code())
    return f"{remedy} ({error.str()})" if remedy else error.str()


class Publication:
    """Records that one caller waits for; reports about them come in the link's thread.

    Attributes:
        deadline: Of the loop's clock, when to wait no longer.
        future: Done when they are confirmed or given up.
        error: Why one of them was not confirmed, where that may pass.
        never: Why those at these positions never will be.
    """

    __slots__ = ("deadline", "error", "future", "left", "link", "never", "records", "size")

    def __init__(
        self, link: "Link", records: Sequence[Outgoing], size: int, deadline: float
    ) -> None:
        self.link = link
        self.records = records
        self.size = size
        self.left = len(records)
        self.deadline = deadline
        self.future: asyncio.Future[None] = link.loop.create_future()
        self.error: KafkaError | None = None
        self.never: dict[int, str] = {}

    def report(self, error: KafkaError | None, message: Message) -> None:
        """One record is confirmed or has failed; the last one tells the link."""
        if error is not None:
            if error.code() in _NEVER:
                self._refuse(message.topic(), message.value(), told(error))
            else:
                self.error = error
        self.left -= 1
        if not self.left:
            self.link.finished.append(self)

    def _refuse(self, topic: str | None, value: object, reason: str) -> None:
        """A report names no position; a record that stands there twice is refused twice."""
        for position, record in enumerate(self.records):
            if record.topic == topic and record.value == value:
                self.never[position] = reason


class _Quiet:
    """A logger for librdkafka, which repeats itself many times a second while brokers are away."""

    def log(self, _: int, text: str, *arguments: object) -> None:
        """Every line at DEBUG, whatever level it comes with."""
        log.debug(text, *arguments)


class Owner(Protocol):
    """Whoever holds a link; called on the event loop."""

    def concluded(self, link: "Link", finished: list[Publication]) -> None:
        """Every record of these publications is reported."""
        ...

    def lost(self, link: "Link", reason: str, *, fatal: bool) -> None:
        """No broker answers just now, or, where fatal, this producer is of no use any more."""
        ...


class Link:
    """See the module.

    Args:
        settings: librdkafka's.
        connect: Makes the producer.
        owner: Who is told.

    Attributes:
        owed: What is not concluded, in the order in which it came. The owner's to keep.
        trouble: The last thing librdkafka said about its connections.
        down: Whether it ever said that no broker answers.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        connect: Callable[[dict[str, Any]], Producer],
        owner: Owner,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.owed: dict[Publication, None] = {}
        self.finished: list[Publication] = []
        self.trouble: KafkaError | None = None
        self.down = False
        self._owner = owner
        self._closing = threading.Event()
        self.producer = connect(settings | {"error_cb": self._on_error, "logger": _Quiet()})
        self.thread = threading.Thread(target=self._run, name="kafka-reports", daemon=True)
        self.thread.start()

    @property
    def foreign(self) -> bool:
        """Whether the brokers are there and will not have us, as far as is known."""
        return self.trouble is not None and self.trouble.code() in _FOREIGN

    def close(self) -> None:
        """Throw away what waits, and do not wait for what is on its way. Call it once."""
        with suppress(KafkaException):  # one that is of no use any more sends nothing anyway
            self.producer.purge(blocking=False)
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self.producer.poll(POLL)
            except KafkaException as error:  # so a fatal one comes, each time, and nowhere else
                self._lose(error.args[0], fatal=True)
                self._closing.wait()
            if self.finished:
                finished, self.finished = self.finished, []
                self._tell(partial(self._owner.concluded, self, finished))
        with suppress(KafkaException):  # what was fatal is told again, and is known
            self.producer.close()

    def _on_error(self, error: KafkaError) -> None:
        log.debug("%s", error.str())
        if error.fatal() or error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._lose(error, fatal=error.fatal())
        else:
            self.trouble = error

    def _lose(self, error: KafkaError, *, fatal: bool) -> None:
        self.down = True
        if fatal:
            self.trouble = error
        self._tell(partial(self._owner.lost, self, told(self.trouble or error), fatal=fatal))

    def _tell(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            self.loop.call_soon_threadsafe(call)
