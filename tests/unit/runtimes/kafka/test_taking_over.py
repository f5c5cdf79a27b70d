"""Partitions that are being taken over while the group is rebalanced once more."""

import asyncio
from collections import Counter
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from prometheus_client import CollectorRegistry

from pipeline.runtimes.kafka import app, worker
from pipeline.runtimes.kafka.partition import StagePartition
from pipeline.runtimes.kafka.worker import Owned, Ownership
from pipeline.settings import WorkerSettings
from pipeline.telemetry import PipelineTelemetry
from pipeline.topology import Stage
from schemas.brokers import Brokers
from schemas.topics import CUSTOMER_TOUCHPOINTS
from tests.builders import NO_MISSIONS
from tests.unit.runtimes.counting import NOON, Clock
from tests.unit.runtimes.kafka.test_partition import record, taken
from tests.unit.runtimes.stages import STITCH

BROKERS = Brokers(bootstrap_servers="127.0.0.1:1")
THREADS = 2


class Closing:
    """A changelog that can only be let go of."""

    def __init__(self, number: int, closed: list[int]) -> None:
        self._number, self._closed = number, closed

    def close(self) -> None:
        self._closed.append(self._number)


class Slow(Ownership):
    """Takes over once it is let; so many at a time."""

    def __init__(self) -> None:
        super().__init__(
            BROKERS,
            NO_MISSIONS,
            WorkerSettings(),
            PipelineTelemetry(CollectorRegistry()),
            clock=Clock(),
            stages=(STITCH,),
        )
        self.go, self.begun = Event(), Event()
        self.taken: Counter[int] = Counter()
        self.closed: list[int] = []

    def _take_over(self, stage: Stage, number: int) -> Owned:
        self.taken[number] += 1
        self.begun.set()
        assert self.go.wait(20)
        changelog: Any = Closing(number, self.closed)
        return Owned(stage, number, StagePartition(stage, NO_MISSIONS, 10, number), changelog)

    @property
    def numbers(self) -> list[int]:
        return sorted(one.number for one in self.owned)


def partitions(*numbers: int) -> set[TP]:
    return {TP(CUSTOMER_TOUCHPOINTS, number) for number in numbers}


async def broken_off(ownership: Slow, *numbers: int) -> None:
    """A take-over that a rebalance cancels once it has begun."""
    first = asyncio.create_task(ownership.restore(partitions(*numbers)))
    await asyncio.to_thread(ownership.begun.wait, 20)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.fixture
async def ownership(monkeypatch):
    monkeypatch.setattr(worker, "THREADS", THREADS)
    made = Slow()
    yield made
    made.go.set()
    await made.close()


async def test_what_is_ours_after_it_too_is_taken_over_once(ownership):
    await broken_off(ownership, 0)

    again = asyncio.create_task(ownership.restore(partitions(0, 1)))
    ownership.go.set()
    await again

    assert ownership.numbers == [0, 1]
    assert ownership.taken == {0: 1, 1: 1}
    assert ownership.closed == []


async def test_what_is_anothers_after_it_is_given_back_or_not_begun(ownership):
    await broken_off(ownership, *range(10))
    begun = set(ownership.taken)

    ownership.go.set()
    await ownership.restore(partitions(20))

    assert ownership.numbers == [20]
    assert len(begun) <= THREADS
    assert set(ownership.taken) == {*begun, 20}
    assert sorted(ownership.closed) == sorted(begun)


async def test_a_stop_lets_go_of_what_was_being_taken_over(ownership):
    await broken_off(ownership, 0)

    ownership.go.set()
    await ownership.close()

    assert ownership.closed == [0]


async def test_what_a_state_knows_nothing_of_is_read_from_its_beginning(ownership, monkeypatch):
    made = app.create(BROKERS, WorkerSettings(), ownership, clock=Clock(), fail=pytest.fail)

    async def nothing(*_: Any) -> None:
        return

    consumer: Any = made.transport.create_consumer(
        callback=nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing
    )
    known, new = sorted(partitions(0, 1))
    sought: dict[TP, int] = {}

    async def restore(_: set[TP]) -> dict[TP, int]:
        return {known: 40}

    async def earliest(*asked: TP) -> dict[TP, int]:
        return dict.fromkeys(asked, 7)

    async def seek(tp: TP, offset: int) -> None:
        sought[tp] = offset

    monkeypatch.setattr(driver.Consumer, "perform_seek", nothing)
    for name, fake in (("restore", restore), ("earliest_offsets", earliest), ("seek", seek)):
        monkeypatch.setattr(consumer, name, fake)
    monkeypatch.setattr(consumer, "assignment", lambda: {known, new})

    await consumer.perform_seek()
    consumer._thread.thread_loop.close()  # its thread never started

    assert sought == {known: 40, new: 7}


class Waiting:
    """A changelog whose commits wait until they are let."""

    def __init__(self) -> None:
        self.begun, self.go = Event(), Event()
        self.commits = 0

    def commit(self, *_: Any) -> None:
        self.begun.set()
        assert self.go.wait(20)
        self.commits += 1

    def close(self) -> None:
        return


async def test_what_the_clock_began_is_done_before_partitions_become_anothers(ownership):
    made = app.create(BROKERS, WorkerSettings(), ownership, clock=Clock(), fail=pytest.fail)
    changelog: Any = Waiting()
    for number in range(2):
        partition = StagePartition(STITCH, NO_MISSIONS, 10, number)
        taken(partition, record(number, customer=f"c-{number}"))
        one = Owned(STITCH, number, partition, changelog)
        one.active_at = NOON
        ownership._owned[STITCH.name, number] = one
    rebalancing: list[bool] = []

    ticking = asyncio.create_task(
        ownership.tick(NOON + timedelta(days=1), lambda *_: True, lambda: not rebalancing)
    )
    await asyncio.to_thread(changelog.begun.wait, 20)
    rebalancing.append(True)
    revoked = asyncio.create_task(made.on_partitions_revoked.send(partitions(0, 1)))
    early, _ = await asyncio.wait([revoked], timeout=0.3)
    changelog.go.set()
    await revoked
    done = changelog.commits
    await ticking

    assert not early
    assert (done, changelog.commits) == (1, 1)


async def test_a_stop_that_takes_too_long_ends_the_worker(ownership, monkeypatch):
    class Ended(Exception):
        """In place of the process."""

    def end(error: BaseException) -> None:
        raise Ended from error

    made: Any = app.create(BROKERS, WorkerSettings(), ownership, clock=Clock(), fail=end)
    monkeypatch.setattr(app, "STOP_MAX", 0.01)
    monkeypatch.setattr(Ownership, "commit_max", 0.05)  # the longer of both

    async def started() -> None:
        return

    async def endless() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(made, "start", started)
    monkeypatch.setattr(made, "stop", endless)

    async with asyncio.timeout(20):
        with pytest.raises(Ended) as ended:
            async with app.running(made, ownership):
                pass

    assert "expected to stop within 0.05 s" in str(ended.value.__cause__)
    made.consumer._thread.thread_loop.close()  # its thread never started
