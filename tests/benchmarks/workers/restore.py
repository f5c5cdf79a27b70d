"""Taking over: a changelog of a million states is read, and what they take in memory."""

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection

from faust.types import TP
from prometheus_client import CollectorRegistry

from pipeline import bootstrap
from pipeline.catalogue import files
from pipeline.runtimes.kafka.changelog import FORMAT, Changelog, Progress
from pipeline.runtimes.kafka.states import packed_state
from pipeline.runtimes.kafka.topics import changelogs
from pipeline.runtimes.kafka.worker import Ownership
from pipeline.runtimes.memory import in_memory
from pipeline.settings import WorkerSettings
from pipeline.telemetry import PipelineTelemetry
from pipeline.topology import STITCH
from schemas.brokers import Brokers
from schemas.topics import CUSTOMER_TOUCHPOINTS
from tests.benchmarks.load.measuring import ROOT, resident_bytes
from tests.benchmarks.state import touchpoint
from tests.benchmarks.workers.processes import PARTITIONS
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh

TARGET = 20.0
AT_ONCE = 20_000
TOUCHPOINTS_EACH = 3
"""Of the customer whose state is written a million times: in the middle of a session."""


def million_keys(broker: Broker, quick: bool) -> None:
    keys = 100_000 if quick else 1_000_000
    brokers = fresh(broker, partitions=PARTITIONS)
    size = _write(brokers, keys)
    pipe, child = multiprocessing.Pipe()
    # A process of its own, so that nobody else's memory is counted.
    process = multiprocessing.get_context("spawn").Process(target=_restore, args=(brokers, child))
    process.start()
    seconds, cpu, held, found = pipe.recv()
    process.join()
    assert found == keys, f"expected {keys} states; found {found}"
    print(
        f"restore of {keys:,} states of {size:,} bytes in {PARTITIONS} partitions: {seconds:.1f} s "
        f"(target {TARGET:g} s for a million), {cpu:.1f} CPU-seconds, "
        f"{held / keys:,.0f} bytes of memory a state"
    )


def _write(brokers: Brokers, keys: int) -> int:
    """Changelogs as workers leave them; the bytes of one state."""
    engine = in_memory(files.load(ROOT / "seeds"))
    for number in range(TOUCHPOINTS_EACH):
        engine.process(touchpoint(7, number))
    (state,) = [one for one in engine._customers.states.values() if one.tail]  # type: ignore[attr-defined]
    value = packed_state(STITCH.encode(state), touchpoint(7, 3).occurred_at)
    topic = changelogs(brokers.application)[STITCH.name]
    for partition in range(PARTITIONS):
        log = Changelog(brokers, topic, partition, commit_timeout=60)
        log.take_over()
        mine = range(partition, keys, PARTITIONS)
        for at in range(0, len(mine), AT_ONCE):
            states = [(b"customer-%036d" % number, value) for number in mine[at : at + AT_ONCE]]
            log.commit([], states, Progress(FORMAT, {CUSTOMER_TOUCHPOINTS: at}))
        log.close()
    return len(value)


def _restore(brokers: Brokers, pipe: Connection) -> None:
    async def all_of_it() -> tuple[float, float, int, int]:
        ownership = Ownership(
            brokers,
            files.load(ROOT / "seeds"),
            WorkerSettings(),
            PipelineTelemetry(CollectorRegistry()),
            clock=bootstrap.now,
            stages=(STITCH,),
        )
        before, cpu, held = time.perf_counter(), time.process_time(), resident_bytes("self")
        await ownership.restore({TP(CUSTOMER_TOUCHPOINTS, n) for n in range(PARTITIONS)})
        seconds, spent = time.perf_counter() - before, time.process_time() - cpu
        found = sum(one.partition.size for one in ownership.owned)
        return seconds, spent, resident_bytes("self") - held, found

    pipe.send(asyncio.run(all_of_it()))
