"""What goes into a stage's partition and comes out of it, and what it knows beside its states."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

import msgspec

from pipeline.books import Books
from pipeline.runtimes.kafka.changelog import Output, Progress
from pipeline.stitching.change import Message
from pipeline.stitching.clock import Watermark
from schemas import codec
from schemas.controls import Reached
from schemas.records import Touchpoint

TIME_KEY: Final = b"@time"
"""Key of what partitions tell each other of event time; no customer's begins so."""


class Fetched(Protocol):
    """A record as aiokafka fetches it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Batch(NamedTuple):
    """What follows from a batch, to be committed together.

    Attributes:
        outputs: Records to publish, in order.
        states: States that changed, by key; None for what was forgotten.
        progress: How far the partition is then.
        results: The messages among the outputs that stages made, for the metrics.
        failed: Offset and error of records that went to the dead letters.
        unexpired: What was raised for states that time could not move; they are kept as they are.
        processed: Records that were taken in.
    """

    outputs: list[Output]
    states: list[tuple[str, bytes | None]]
    progress: Progress
    results: list[Message]
    failed: list[tuple[int, Exception]]
    unexpired: list[Exception]
    processed: int


class Known(msgspec.Struct, array_like=True):
    """What a partition knows beside its states.

    Attributes:
        watermark: How far event time is.
        arrived_at: When the newest touchpoint arrived.
        reached: How far each partition of the stage before is.
        told: The watermark that the stage behind was last told.
        failures: Records that failed, less those that did not; see `failures_after`.
        books: What is kept count of.
    """

    watermark: Watermark
    arrived_at: datetime | None = None
    reached: dict[int, datetime] = {}
    told: datetime | None = None
    failures: int = 0
    books: Books = msgspec.field(default_factory=Books)

    def observe(self, arrived: Touchpoint, out_of_order: timedelta) -> bool:
        """A touchpoint carries event time; tells whether the watermark moved."""
        if self.arrived_at is None or arrived.received_at > self.arrived_at:
            self.arrived_at = arrived.received_at  # what is redriven arrived long ago
        return self.watermark.observe(arrived.occurred_at, arrived.received_at, out_of_order)

    def idle(self, now: datetime, after: timedelta) -> bool:
        """Whether no touchpoint has arrived for so long."""
        if self.arrived_at is None:
            return True
        self.arrived_at = min(self.arrived_at, now)  # a listener's clock may run ahead
        return now - self.arrived_at >= after

    def hear(self, told: Reached) -> bool:
        """A partition of the stage before says how far it is; the slowest of them is believed.

        Tells whether the watermark moved.
        """
        reached = self.reached
        if told.source not in reached or told.at > reached[told.source]:
            reached[told.source] = told.at
        return len(reached) >= told.sources and self.watermark.advance(min(reached.values()))


class Telling(NamedTuple):
    """To whom a partition tells its event time.

    Attributes:
        number: The partition's own.
        sources: How many partitions its stage has.
        topics: The inputs of the stage behind, and how many partitions each has.
    """

    number: int
    sources: int
    topics: dict[str, int]

    def told(self, at: datetime) -> list[Output]:
        """The records that tell every partition of the stage behind how far this one is."""
        value = codec.encode(Reached(source=self.number, sources=self.sources, at=at))
        return [
            Output(topic, TIME_KEY, value, partition=number)
            for topic, count in self.topics.items()
            for number in range(count)
        ]
