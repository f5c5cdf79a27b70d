"""What a runtime is: it drives one topology, durably, and says what it promises.

`embedded` and `kafka` both fulfil `Runtime`; `tests/contracts/test_runtimes.py` is the one suite
for both. What the stages mean is the engine's affair; where their state lives is the runtime's.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from pipeline.books import Books
from pipeline.runtimes.engine import StateStore
from pipeline.stitching.change import Message
from schemas.records import Touchpoint

Outgoing = tuple[str, str, bytes]
"""Topic, key and value of a record to publish: the shape of the listeners' own type."""


class LogRecord(NamedTuple):
    """One record as it stands on a topic. Offsets rise; compaction and retention leave gaps."""

    topic: str
    offset: int
    key: str
    value: bytes
    appended_at: datetime


class StageCodec(NamedTuple):
    """How one stage's state becomes bytes and comes back. `decode` refuses unknown versions."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


class Engine(Protocol):
    """What a runtime asks of an engine; `pipeline.runtimes.engine` has the real one.

    Attributes:
        outbox: What is to be published, in order; the runtime empties it after each call.
        failures: Stage, key and error of states that the clock could not move; likewise.
    """

    outbox: list[Message]
    failures: list[tuple[str, str, Exception]]

    @property
    def books(self) -> Books:
        """What is kept count of; a part of the snapshot that the runtime writes to, too."""

    @property
    def watermark(self) -> datetime | None:
        """Event time no longer waited for; None before the first touchpoint."""

    def process(self, touchpoint: Touchpoint) -> None:
        """Take one record of the topic `touchpoints`."""

    def tick(self, now: datetime, *, caught_up: bool = True) -> None:
        """Take the wall clock's time, so that silence has consequences too.

        While touchpoints wait, which is not to be `caught_up`, there is none.
        """

    def snapshot(self) -> bytes:
        """What the engine knows beside its stores, such as the watermark."""

    def restore(self, snapshot: bytes) -> None:
        """Go back to a snapshot."""


EngineFactory = Callable[[Mapping[str, StateStore]], Engine]
"""Builds an engine on its stores, one for each stage by name."""


class Runtime(Protocol):
    """Drives the topology.

    Every record that `publish` accepted is processed exactly once, whatever happens to the
    process in between; a record the core cannot process goes to `dead-letters`, alone.
    """

    async def start(self) -> None:
        """Begin. Raises `pipeline.runtimes.errors.RuntimeFault` where that is not possible."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Return once all records are durable; raise the caller's `unavailable` otherwise."""

    async def advance(self, now: datetime) -> None:
        """Process all that was accepted, then tell the engine that it is `now`."""

    async def stop(self) -> None:
        """Accept no more, finish what was accepted, let go."""

    async def ready(self) -> None:
        """Return where a publish would be accepted now; raise `unavailable` where not."""

    def readiness(self) -> tuple[bool, str]:
        """The same for those who ask without an exception: whether, and if not, why."""

    def read(self, topic: str, from_offset: int, limit: int) -> list[LogRecord]:
        """At most `limit` durable records from an offset on, in order."""

    def latest_offset(self, topic: str) -> int:
        """The offset of the newest durable record; -1 where there never was one."""
