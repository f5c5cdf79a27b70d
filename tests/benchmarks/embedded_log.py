"""What the embedded runtime costs: `python tests/benchmarks/embedded_log.py [--records N]`.

Prints CPU microseconds, which other load disturbs less than wall time does; the best of several
rounds. Targets, on one core of a 2-vCPU machine: an appended record <= 2 us in full chunks, the
runtime's own share of a processed touchpoint (log, state of 1.5 KB, offset) <= 20 us.
"""

import argparse
import asyncio
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from pipeline.books import Books
from pipeline.runtimes.embedded.database import open_writer
from pipeline.runtimes.embedded.driver import EmbeddedRuntime
from pipeline.runtimes.embedded.log import Log
from pipeline.runtimes.embedded.store import Store
from pipeline.runtimes.runtime import StageCodec
from pipeline.stitching.change import Message
from pipeline.telemetry import PipelineTelemetry
from schemas import codec
from schemas.records import Touchpoint
from schemas.topics import CUSTOMER_TOUCHPOINTS, TOUCHPOINTS

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
STATE = os.urandom(1500)
IDENTITY = (lambda state: state, lambda state: state)


class PassingEngine:
    """Touches one 1.5 KB state a stage and forwards the touchpoint: the runtime's share alone."""

    def __init__(self, stores):
        self.outbox = []
        self.failures = []
        self.books = Books()
        self.watermark = None
        self.stores = list(stores.values())

    def process(self, touchpoint):
        customer = touchpoint.identifiers["anonymous_id"]
        for store in self.stores:
            store.get(customer)
            store.put(customer, STATE, touchpoint.occurred_at + timedelta(minutes=30))
        self.outbox.append(Message(CUSTOMER_TOUCHPOINTS, customer, touchpoint))

    def tick(self, now, *, caught_up=True):
        pass

    def snapshot(self):
        return b""

    def restore(self, snapshot):
        pass


def touchpoints(count, customers):
    made = []
    for number in range(count):
        customer = f"c-{number * 7919 % customers}"
        record = Touchpoint(
            id=f"touchpoint-{number:012d}",
            source="shop",
            channel="web",
            name="Checkout Step Viewed",
            location="/checkout/payment",
            occurred_at=NOON + timedelta(milliseconds=number),
            received_at=NOON + timedelta(milliseconds=number),
            identifiers={"anonymous_id": customer, "user_id": f"user-{customer}"},
            session_hint="session-0123456789",
            properties=b'{"padding": "%s"}' % (b"x" * 250),
        )
        made.append((TOUCHPOINTS, f"anonymous_id:{customer}", codec.encode(record)))
    return made


def best(rounds, measure):
    return min(measure() for _ in range(rounds))


def appending(records, batch):
    """Append, write, commit and carry over; CPU microseconds a record."""
    with tempfile.TemporaryDirectory() as folder:
        connection = open_writer(Path(folder), ())
        log = Log(connection)
        started = time.process_time()
        for start in range(0, len(records), batch):
            connection.execute("BEGIN IMMEDIATE")
            for topic, key, value in records[start : start + batch]:
                log.append(topic, key, value)
            log.write(NOON)
            connection.execute("COMMIT")
            log.commit()
            if start % 10_000 < batch:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        spent = time.process_time() - started
        connection.close()
        return 1e6 * spent / len(records)


def storing(states, changed, cycles):
    """Get, put and flush states of 1.5 KB of customers active together; microseconds a state."""
    with tempfile.TemporaryDirectory() as folder:
        connection = open_writer(Path(folder), ("stitch",))
        store = Store(connection, "stitch", StageCodec(*IDENTITY))
        connection.execute("BEGIN")
        for number in range(states):
            store.put(f"customer-{number * 7919:08d}", STATE, NOON)
        store.flush()
        connection.execute("COMMIT")
        store.commit()
        started = time.process_time()
        for cycle in range(cycles):
            connection.execute("BEGIN IMMEDIATE")
            for number in range(changed):
                key = f"customer-{(states - 1 - (cycle * 37 + number) % 4000) * 7919:08d}"
                store.get(key)
                store.put(key, STATE, NOON + timedelta(seconds=cycle))
            store.flush()
            connection.execute("COMMIT")
            store.commit()
            if cycle % 8 == 7:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        spent = time.process_time() - started
        connection.close()
        return 1e6 * spent / changed / cycles


async def running(records, publishers, batch):
    """A whole runtime under concurrent publishers: cost, rate, waiting, records an fsync."""
    registry = CollectorRegistry()
    waits = []

    async def publish(part, runtime):
        for start in range(0, len(part), batch):
            asked = time.perf_counter()
            await runtime.publish(part[start : start + batch])
            waits.append(time.perf_counter() - asked)

    with tempfile.TemporaryDirectory() as folder:
        runtime = EmbeddedRuntime(
            Path(folder),
            PassingEngine,
            {"identify": IDENTITY, "stitch": IDENTITY},
            clock=lambda: NOON,
            unavailable=lambda after, reason: RuntimeError(reason),
            telemetry=PipelineTelemetry(registry),
        )
        async with runtime:
            cpu, wall = time.process_time(), time.perf_counter()
            await asyncio.gather(
                *(publish(records[one::publishers], runtime) for one in range(publishers))
            )
            acknowledged = time.perf_counter() - wall
            await runtime.advance(NOON)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    count = registry.get_sample_value("touchpoints_cycle_records_count")
    commit = registry.get_sample_value("touchpoints_commit_seconds_sum")
    commits = registry.get_sample_value("touchpoints_commit_seconds_count")
    waits.sort()
    print(
        f"{publishers:4d} publishers x {batch:4d}: {1e6 * cpu / len(records):6.1f} us CPU a "
        f"touchpoint (all), {len(records) / wall:8,.0f}/s processed, "
        f"{len(records) / acknowledged:8,.0f}/s acknowledged, "
        f"wait p50 {1e3 * waits[len(waits) // 2]:5.1f} ms p99 "
        f"{1e3 * waits[len(waits) * 99 // 100]:6.1f} ms, "
        f"{len(records) / count:6.1f} records an fsync, commit {1e3 * commit / commits:4.1f} ms"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    records = touchpoints(options.records, customers=options.records // 10)
    print(f"touchpoints of {len(records[0][2])} bytes; best of {options.rounds} rounds")
    for batch in (1000, 100, 10):
        count = records[: min(len(records), batch * 200)]
        cost = best(options.rounds, lambda count=count, batch=batch: appending(count, batch))
        print(f"append, {batch:4d} a commit: {cost:5.2f} us CPU a record")
    for changed in (500, 50):
        cost = best(options.rounds, lambda changed=changed: storing(20_000, changed, 40))
        print(f"state of 1.5 KB, {changed:3d} a commit: {cost:5.2f} us CPU (get, put, flush)")
    for publishers, batch in ((1, 1), (64, 1), (64, 20), (8, 500)):
        few = records[: min(len(records), 1000 if publishers * batch == 1 else len(records))]
        asyncio.run(running(few, publishers, batch))


if __name__ == "__main__":
    main()
