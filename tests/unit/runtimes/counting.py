"""An engine small enough to know by heart: it counts touchpoints per customer.

Stage `identify` remembers nothing but how many it forwarded; stage `stitch` keeps the ids it saw.
A touchpoint named `poison` fails in the stage that its location names.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from pipeline.books import Books
from pipeline.runtimes.embedded.driver import EmbeddedRuntime
from pipeline.runtimes.engine import StateStore
from pipeline.stitching.change import Message
from pipeline.telemetry import PipelineTelemetry
from schemas import codec
from schemas.records import Counts, Session, Touchpoint
from schemas.topics import CUSTOMER_TOUCHPOINTS, SESSIONS, TOUCHPOINTS

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
GAP = timedelta(minutes=30)
CODECS = {
    "identify": (msgspec.json.encode, msgspec.json.decode),
    "stitch": (msgspec.json.encode, msgspec.json.decode),
}


class Unavailable(Exception):
    def __init__(self, retry_after: timedelta, reason: str) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.reason = reason


class CountingEngine:
    def __init__(self, stores: Mapping[str, StateStore]) -> None:
        self.outbox: list[Message] = []
        self.failures: list[tuple[str, str, Exception]] = []
        self.books = Books()
        self.watermark = None
        self.stores = stores
        self.total = 0
        self.broken = False  # every touchpoint fails
        self.broken_clock = False

    def process(self, touchpoint: Touchpoint) -> None:
        customer = touchpoint.identifiers["anonymous_id"]
        self.outbox.append(Message(CUSTOMER_TOUCHPOINTS, customer, touchpoint))
        for stage, store in self.stores.items():
            state = store.get(customer) or {"ids": []}
            state["ids"].append(touchpoint.id)
            if self.broken or (touchpoint.name == "poison" and touchpoint.location == stage):
                message = "cannot be processed"
                raise LookupError(message)
            if touchpoint.name == "unwritable":
                state["ids"].append(object())
            store.put(customer, state, touchpoint.occurred_at + GAP)
        self.total += 1
        self.outbox.append(Message(SESSIONS, customer, self._session(customer, "open")))

    def tick(self, now: datetime, *, caught_up: bool = True) -> None:
        if self.broken_clock:
            message = "the clock is broken"
            raise LookupError(message)
        for customer in self.stores["stitch"].due(now, 100):
            self.outbox.append(Message(SESSIONS, customer, self._session(customer, "closed")))
            self.stores["stitch"].delete(customer)

    def snapshot(self) -> bytes:
        return str(self.total).encode()

    def restore(self, snapshot: bytes) -> None:
        self.total = int(snapshot)

    def _session(self, customer: str, state: Any) -> Session:
        count = len(self.stores["stitch"].get(customer)["ids"])
        return Session(
            session_id=customer,
            revision=count,
            state=state,
            customer=customer,
            channel="web",
            started_at=NOON,
            ended_at=NOON,
            count=count,
            microjourney=(),
            verdicts=Counts(),
        )


def touchpoint(number: int, *, customer: str = "a", name: str = "seen", location: str = "") -> Any:
    """A record ready to publish; its id is `t-<number>`."""
    record = Touchpoint(
        id=f"t-{number}",
        source="shop",
        channel="web",
        name=name,
        location=location,
        occurred_at=NOON + timedelta(seconds=number),
        received_at=NOON + timedelta(seconds=number),
        identifiers={"anonymous_id": customer},
    )
    return (TOUCHPOINTS, f"anonymous_id:{customer}", codec.encode(record))


def ids(records: Any) -> list[str]:
    return [codec.decode_touchpoint(record.value).id for record in records]


class Clock:
    """A wall clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Bench:
    """Builds runtimes on one folder, and keeps what a test wants to look at."""

    def __init__(self, directory: Any) -> None:
        self.directory = directory
        self.clock = Clock()
        self.engine: Any = None
        self.registry = CollectorRegistry()

    def runtime(self, **options: Any) -> EmbeddedRuntime:
        self.registry = CollectorRegistry()
        return EmbeddedRuntime(
            self.directory,
            self._engine,
            CODECS,
            clock=self.clock,
            unavailable=Unavailable,
            telemetry=PipelineTelemetry(self.registry),
            **options,
        )

    def counted(self, metric: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"touchpoints_{metric}", labels) or 0.0

    def _engine(self, stores: Mapping[str, StateStore]) -> CountingEngine:
        self.engine = CountingEngine(stores)
        return self.engine
