"""Fakes of what is between us and the brokers: librdkafka's producer, and Kafka's publisher."""

import asyncio
import queue
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from listeners.errors import RecordsRefused, Unavailable
from listeners.publishers.publisher import Outgoing


class Report(tuple):
    """What a delivery report says of its record."""

    def topic(self) -> str:
        return self[0]

    def value(self) -> bytes:
        return self[1]


class FakeProducer:
    """Keeps what it is handed until a test says what became of it; reports come by `poll`.

    Args:
        settings: librdkafka's.
        away: See the attribute.
        says: Codes of errors that it begins with.

    Attributes:
        settings: What it was made with.
        waiting: Topic, value and report of what nobody has confirmed yet.
        confirmed: Values in the order in which they were confirmed.
        purged, closed: Whether it was.
        room: How many records it takes before its queue is full.
        topics: What it says there is.
        away: Whether questions stay without an answer.
    """

    def __init__(
        self, settings: dict[str, Any], *, away: bool = False, says: Sequence[int] = ()
    ) -> None:
        self.settings = settings
        self.waiting: list[tuple[str, bytes, Any]] = []
        self.confirmed: list[bytes] = []
        self.purged = self.closed = False
        self.room = 1_000_000
        self.topics = {
            name: SimpleNamespace(error=None) for name in ("touchpoints", "dead-letters")
        }
        self.away = away
        self._events: queue.Queue[Any] = queue.Queue()
        for code in says:
            self.say(code)

    def produce(self, topic: str, value: bytes, key: str, on_delivery: Any) -> None:
        if len(self.waiting) >= self.room:
            raise BufferError
        self.waiting.append((topic, value, on_delivery))

    def confirm(self, count: int | None = None) -> None:
        """The brokers have the next so many, or all."""
        taken, self.waiting = self.waiting[:count], self.waiting[len(self.waiting[:count]) :]
        for topic, value, report in taken:
            self.confirmed.append(value)
            self._events.put(partial(report, None, Report((topic, value))))

    def fail(self, code: int) -> None:
        """The next one comes back with an error."""
        topic, value, report = self.waiting.pop(0)
        self._events.put(partial(report, KafkaError(code), Report((topic, value))))

    def say(self, code: int, text: str = "", *, fatal: bool = False) -> None:
        """Something about the connections, not about a record; `poll` raises what is fatal."""
        error = KafkaError(code, text, fatal)

        def said() -> None:
            self.settings["error_cb"](error)
            if fatal:
                raise KafkaException(error)

        self._events.put(said)

    def die(self, code: int) -> None:
        """From now on it is of no use, as librdkafka says it: by what `poll` raises."""

        def fatal() -> None:
            self.die(code)
            raise KafkaException(KafkaError(code, "no use", True))

        self._events.put(fatal)

    def poll(self, timeout: float) -> int:
        try:
            self._events.get(timeout=min(timeout, 0.01))()
        except queue.Empty:
            return 0
        return 1

    def purge(self, *, blocking: bool) -> None:
        self.purged = True
        self.waiting.clear()

    def close(self) -> None:
        self.closed = True

    def list_topics(self, topic: str | None, timeout: float) -> Any:
        if self.away:
            time.sleep(0.05)
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics=self.topics)


class FakeBrokers:
    """Makes producers, and remembers them."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.producers: list[FakeProducer] = []

    def __call__(self, settings: dict[str, Any]) -> FakeProducer:
        self.producers.append(FakeProducer(settings, **self.options))
        return self.producers[-1]

    @property
    def now(self) -> FakeProducer:
        """The producer that is in use."""
        return self.producers[-1]


class FakeKafka:
    """Kafka's publisher, as the spooling one sees it.

    Attributes:
        confirmed: Every record it took, in order.
        published: How many records each publication had.
        away: While true, nothing is confirmed.
        never: Values that the brokers will not take.
        never_together: Those that they take alone only.
        gate: Cleared, publications wait before they are confirmed or fail.
        waiting: How many do, or have done.
    """

    def __init__(self) -> None:
        self.confirmed: list[Outgoing] = []
        self.published: list[int] = []
        self.away = False
        self.never: set[bytes] = set()
        self.never_together: set[bytes] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0
        self.stopped = False

    async def publish(
        self, records: Sequence[Outgoing], *, patience: timedelta | None = None
    ) -> None:
        self.published.append(len(records))
        await asyncio.sleep(0.001)
        self.waiting += 1
        await self.gate.wait()
        await self.ready()
        never = self.never | (self.never_together if len(records) > 1 else set())
        positions = [i for i, one in enumerate(records) if one.value in never]
        self.confirmed += [one for one in records if one.value not in never]
        if positions:
            pause = timedelta(seconds=5)
            raise RecordsRefused(retry_after=pause, reason="too large", positions=positions)

    async def ready(self) -> None:
        if self.away:
            raise Unavailable(retry_after=timedelta(seconds=5), reason="no broker answers")

    async def stop(self) -> None:
        self.stopped = True
