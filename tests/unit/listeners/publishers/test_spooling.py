import asyncio
import logging
import sqlite3
from contextlib import asynccontextmanager

import pytest

from listeners.errors import Unavailable
from listeners.publishers import spooling as module
from listeners.publishers.spooling import SpoolingPublisher
from tests.unit.listeners.publishers.brokers import FakeKafka
from tests.unit.listeners.publishers.spools import Bench, FaultyConnection, records


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def kafka():
    return FakeKafka()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    for name in ("PAUSE_MIN", "PAUSE_MAX"):
        monkeypatch.setattr(module, name, module.PAUSE_MIN / 25)


@pytest.fixture
def disk():
    yield FaultyConnection
    FaultyConnection.mend()


@asynccontextmanager
async def publishing(bench, kafka, **options):
    spool = bench.spool(**options)
    async with SpoolingPublisher(kafka, spool, bench.telemetry) as publisher:
        publisher.spool = spool
        yield publisher


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another task changes it
            await asyncio.sleep(0.005)


async def under_way(awaitable):
    task = asyncio.create_task(awaitable)
    await asyncio.sleep(0)
    return task


async def test_while_kafka_confirms_nothing_is_written_to_the_disk(bench, kafka):
    async with publishing(bench, kafka) as publisher:
        await publisher.publish(records(1, 2))
        await publisher.publish(records(3))

        assert kafka.confirmed == records(1, 2, 3)
        assert bench.counted("spooled_total") == 0


async def test_what_kafka_does_not_confirm_is_spooled_and_sent_in_order_once_it_is_back(
    bench, kafka
):
    async with publishing(bench, kafka) as publisher:
        await publisher.publish(records(1))
        kafka.away = True
        for number in (2, 3, 4):
            await publisher.publish(records(number))
        spooled = bench.counted("spooled_total")
        kafka.away = False
        await until(lambda: publisher.spool.empty)
        await publisher.publish(records(5))

        assert spooled == bench.counted("drained_total") == 3
        assert kafka.confirmed == records(1, 2, 3, 4, 5)


async def test_while_anything_is_spooled_newcomers_go_behind_it(bench, kafka):
    async with publishing(bench, kafka) as publisher:
        kafka.away = True
        await publisher.publish(records(1))
        kafka.gate.clear()
        kafka.away = False
        await until(lambda: kafka.published[-1] == 1)
        await publisher.publish(records(2))
        kafka.gate.set()
        await until(lambda: publisher.spool.empty)

        assert kafka.confirmed == records(1, 2)


async def test_publications_that_fail_together_are_spooled_in_the_order_in_which_they_came(
    bench, kafka
):
    async with publishing(bench, kafka) as publisher:
        kafka.gate.clear()
        tasks = [await under_way(publisher.publish(records(number))) for number in range(20)]
        await until(lambda: kafka.waiting == 20)
        kafka.away = True
        kafka.gate.set()
        await asyncio.gather(*tasks)
        kafka.away = False
        await until(lambda: publisher.spool.empty)

        assert kafka.confirmed == records(*range(20))


async def test_what_an_earlier_process_left_goes_first(bench, kafka):
    kafka.away = True
    async with publishing(bench, kafka) as publisher:
        await publisher.publish(records(1, 2))
    kafka.away = False
    async with publishing(bench, kafka) as publisher:
        await until(lambda: publisher.spool.empty)
        await publisher.publish(records(3))

    assert kafka.confirmed == records(1, 2, 3)


async def test_under_steady_traffic_the_spool_is_left_behind_in_the_end(bench, kafka):
    async with publishing(bench, kafka) as publisher:
        kafka.away = True
        await publisher.publish(records("first"))
        stopping = asyncio.Event()
        sent = []

        async def emit(key):
            number = 0
            while not stopping.is_set():
                number += 1
                one = records(f"{key} {number:06}", key=f"{key}")
                await publisher.publish(one)
                sent.extend(one)

        emitters = [await under_way(emit(key)) for key in range(16)]
        await until(lambda: len(sent) > 500)
        kafka.away = False
        await until(lambda: publisher.spool.empty and bench.counted("drained_total") > 0)
        spooled, before = bench.counted("spooled_total"), len(sent)
        await until(lambda: len(sent) > before + 500)
        direct = bench.counted("spooled_total") == spooled
        stopping.set()
        await asyncio.gather(*emitters)
        await until(lambda: publisher.spool.empty)

        assert direct, "it went on spooling"
        assert set(sent) <= set(kafka.confirmed)
        for key in {one.key for one in sent}:
            values = [one.value for one in kafka.confirmed if one.key == key]
            assert values == sorted(values), "out of order"


async def test_a_failing_send_from_the_spool_is_repeated_from_its_beginning(bench, kafka):
    async with publishing(bench, kafka) as publisher:
        kafka.away = True
        await publisher.publish(records(1))
        await publisher.publish(records(2))
        tries = len(kafka.published)
        await until(lambda: len(kafka.published) > tries + 3)
        held = not publisher.spool.empty
        kafka.away = False
        await until(lambda: publisher.spool.empty)

        assert held
        assert kafka.confirmed == records(1, 2)


async def test_a_spool_that_cannot_be_read_just_now_is_read_again_though_nobody_publishes(
    bench, kafka, monkeypatch
):
    async with publishing(bench, kafka) as publisher:
        kafka.away = True
        head, full = (
            publisher.spool.head,
            [Unavailable(retry_after=module.PAUSE_MIN, reason="disk")],
        )

        async def cannot(bytes_max):
            if full:
                raise full.pop()
            return await head(bytes_max)

        monkeypatch.setattr(publisher.spool, "head", cannot)
        await publisher.publish(records(1))
        kafka.away = False
        await until(lambda: publisher.spool.empty)

        assert kafka.confirmed == records(1)


async def test_a_record_that_the_brokers_never_take_is_set_aside_and_blocks_nobody(bench, kafka):
    kafka.never = {b"large"}
    async with publishing(bench, kafka) as publisher:
        await publisher.publish(records(1, "large", 2))
        await publisher.publish(records(3))

        assert kafka.confirmed == records(1, 2, 3)
        assert bench.counted("spool_set_aside_total", reason="refused") == 1
        assert bench.counted("spooled_total") == 0
    assert await bench.held() == records("large")


async def test_such_a_record_in_the_spool_blocks_nobody_either(bench, kafka):
    kafka.never = {b"large"}
    kafka.away = True
    async with publishing(bench, kafka) as publisher:
        await publisher.publish(records(1, "large", 2))
        kafka.away = False
        await until(lambda: publisher.spool.empty)

        assert kafka.confirmed == records(1, 2)
        assert bench.counted("spool_set_aside_total", reason="refused") == 1


async def test_what_is_refused_only_in_company_is_sent_alone(bench, kafka):
    """A broker refuses a batch as a whole, also for one record that is too large."""
    kafka.never_together = {b"2", b"3"}
    kafka.away = True
    async with publishing(bench, kafka) as publisher:
        await publisher.publish(records(1, 2, 3))
        kafka.away = False
        await until(lambda: publisher.spool.empty)

        assert kafka.confirmed == records(1, 2, 3)
        assert bench.counted("spool_set_aside_total", reason="refused") == 0


async def test_when_neither_takes_it_the_spools_refusal_is_told(bench, kafka, disk):
    async with publishing(bench, kafka, connection=disk) as publisher:
        kafka.away, disk.code = True, sqlite3.SQLITE_FULL
        with pytest.raises(Unavailable, match="disk is full") as refused:
            await publisher.publish(records(1))
        with pytest.raises(Unavailable):
            await publisher.ready()
        kafka.away = False
        await publisher.ready()
        await publisher.publish(records(2))

        assert refused.value.retry_after.total_seconds() > 0
        assert kafka.confirmed == records(2)


async def test_with_kafka_away_it_is_ready_as_long_as_the_spool_takes(bench, kafka):
    async with publishing(bench, kafka) as publisher:
        kafka.away = True
        await publisher.publish(records(1))

        await publisher.ready()


async def test_a_full_spool_is_not_ready_whatever_kafka_says(bench, kafka):
    async with publishing(bench, kafka, bytes_max=100_000) as publisher:
        await publisher.ready()
        kafka.away = True
        await publisher.publish(records("x" * 60_000))
        kafka.gate.clear()
        kafka.away = False

        with pytest.raises(Unavailable):
            await publisher.ready()
        kafka.gate.set()


async def test_a_failed_fsync_is_a_reason_to_stop(bench, kafka, disk):
    async with publishing(bench, kafka, connection=disk) as publisher:
        kafka.away, disk.code = True, sqlite3.SQLITE_IOERR_FSYNC
        with pytest.raises(Unavailable):
            await publisher.publish(records(1))

        assert "Check the disk" in str(publisher.failure)


async def test_a_stop_leaves_in_the_spool_what_kafka_does_not_take(bench, kafka):
    kafka.away = True
    async with publishing(bench, kafka) as publisher:
        await publisher.publish(records(1))

    assert kafka.stopped
    assert await bench.held() == records(1)


async def test_a_stop_waits_for_what_is_being_sent(bench, kafka):
    kafka.away = True
    async with publishing(bench, kafka) as publisher:
        await publisher.publish(records(1))
        kafka.gate.clear()
        kafka.away = False
        await until(lambda: publisher._draining is not None)
        await asyncio.sleep(0.05)
        stopping = await under_way(publisher.stop())
        kafka.gate.set()
        await stopping

    assert kafka.confirmed == records(1)
    assert await bench.held() == []


async def test_that_kafka_is_away_and_back_is_said_once_each(bench, kafka, caplog):
    caplog.set_level(logging.INFO, logger="touchpoints.spool")
    async with publishing(bench, kafka) as publisher:
        kafka.away = True
        for number in range(5):
            await publisher.publish(records(number))
        kafka.away = False
        await until(lambda: publisher.spool.empty and publisher._draining is None)

    said = [(one.levelname, one.getMessage()) for one in caplog.records]
    assert [level for level, _ in said] == ["WARNING", "INFO"]
    assert "no broker answers" in said[0][1]
    assert "drained" in said[1][1]
