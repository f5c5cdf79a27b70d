"""A worker that knows ever more customers: what each takes in memory, and what one more touchpoint
costs then.

Every customer is in the middle of a session, known by a device and a login: three states. First
each is seen once, then a fixed number of touchpoints comes of customers drawn by chance.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from random import Random

import msgspec

from pipeline import bootstrap
from schemas.records import Touchpoint
from tests.benchmarks import state
from tests.benchmarks.load.measuring import resident_bytes
from tests.benchmarks.workers.processes import PARTITIONS, publish, until_done, workers
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh

KNOWN = (10_000, 100_000, 1_000_000)
RETURNING = 100_000
LOGGED_IN = 2
"""Number of the first of `state.touchpoint`'s touchpoints that shows a login."""


def ever_more(broker: Broker, quick: bool) -> None:
    """One worker each time, identify and stitch."""
    returning = RETURNING // 10 if quick else RETURNING
    for customers in KNOWN:
        if quick:
            customers //= 10
        brokers = fresh(broker, partitions=PARTITIONS)
        with workers(brokers, 1, watching=False) as pids:
            idle, empty = until_done(brokers, pids, 0)[0], resident_bytes(pids[0])
            begun = bootstrap.now() - timedelta(minutes=5)  # so that no session ends meanwhile
            publish(brokers, _seen(range(customers), 0, begun))
            met, held = until_done(brokers, pids, customers)[0], resident_bytes(pids[0])
            chance = Random(1)
            again = (chance.randrange(customers) for _ in range(returning))
            publish(brokers, _seen(again, 1, begun))
            spent = until_done(brokers, pids, customers + returning)[0]
        first, later = (met - idle) / customers, (spent - met) / returning
        print(
            f"{customers:,} customers known: {(held - empty) / customers:,.0f} bytes of memory "
            f"each ({held / 2**20:,.0f} MiB resident), {1e6 * first:.1f} us when first seen, "
            f"{1e6 * later:.1f} us for a touchpoint of one of them ({1 / later:,.0f} a CPU-second)"
        )


def _seen(customers: Iterable[int], minute: int, begun: datetime) -> Iterator[Touchpoint]:
    """A touchpoint of each, one after the other within a minute; ids are never used again."""
    for number, customer in enumerate(customers):
        at = begun + timedelta(minutes=minute, milliseconds=number % 60_000)
        yield msgspec.structs.replace(
            state.touchpoint(customer, LOGGED_IN),
            id=state.uuid(customer, minute, number),
            occurred_at=at,
            received_at=at,
        )
