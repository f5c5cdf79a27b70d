import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from listeners.errors import Unavailable
from listeners.publishers import spool as module
from listeners.publishers.spool_layout import CHUNK_RECORDS_MAX, SPOOL_NAME
from tests.unit.listeners.publishers.spools import Bench, contents, publish_until_refused, records


@asynccontextmanager
async def spooling(bench, **options):
    spool = bench.spool(**options)
    await spool.start()
    yield spool
    await spool.stop()


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


async def test_what_is_published_comes_out_in_the_order_in_which_it_went_in(bench):
    async with spooling(bench) as spool:
        await spool.publish(records(1, 2))
        await spool.publish(records(3))

        assert await contents(spool) == records(1, 2, 3)
        assert not spool.empty


async def test_it_goes_on_where_another_process_stopped(bench):
    async with spooling(bench) as spool:
        await spool.publish(records(1))
    async with spooling(bench) as spool:
        await spool.publish(records(2))

    assert await bench.held() == records(1, 2)


async def test_publications_that_come_while_it_writes_share_a_commit(bench, monkeypatch):
    commits = []
    async with spooling(bench) as spool:
        append = module.SpoolFile.append
        monkeypatch.setattr(
            module.SpoolFile, "append", lambda *given: commits.append(1) or append(*given)
        )
        await asyncio.gather(*(spool.publish(records(number)) for number in range(100)))

        assert await contents(spool) == records(*range(100))
    assert len(commits) < 10


async def test_the_head_is_about_as_large_as_asked_for_and_the_rest_stays_behind_it(bench):
    many = records(*range(3 * CHUNK_RECORDS_MAX))
    async with spooling(bench) as spool:
        await spool.publish(many)

        head = await spool.head(1)
        assert head.records == many[:CHUNK_RECORDS_MAX]
        assert not head.whole
        await spool.remove(head)
        assert await contents(spool) == many[CHUNK_RECORDS_MAX:]


async def test_what_was_delivered_is_gone_after_a_restart(bench):
    async with spooling(bench) as spool:
        await spool.publish(records(1))
        head = await spool.head(1)
        await spool.publish(records(2))
        await spool.remove(head)

        assert bench.counted("drained_total") == 1
    assert await bench.held() == records(2)


async def test_an_emptied_spool_takes_no_room_and_is_empty(bench):
    async with spooling(bench) as spool:
        await spool.publish(records(*("x" * 10_000 for _ in range(7_000))))
        before = (bench.directory / SPOOL_NAME).stat().st_size
        await spool.remove(await spool.head(2**40))

        assert spool.empty
        assert bench.counted("spool_bytes") == 0
        assert (bench.directory / SPOOL_NAME).stat().st_size < before / 100


async def test_nobody_is_overtaken_while_something_is_on_its_way_in(bench):
    async with spooling(bench) as spool:
        task = asyncio.create_task(spool.publish(records(1)))
        await asyncio.sleep(0)

        assert not spool.empty
        await task


async def test_beyond_its_size_it_refuses_and_takes_again_once_there_is_room(bench):
    async with spooling(bench, bytes_max=200_000) as spool:
        taken = []
        with pytest.raises(Unavailable, match="spool_bytes_max") as refused:
            await publish_until_refused(spool, taken)
        size = (bench.directory / SPOOL_NAME).stat().st_size
        with pytest.raises(Unavailable):
            await spool.ready()
        assert await contents(spool) == taken
        await spool.remove(await spool.head(2**40))
        await spool.ready()
        await spool.publish(records("again"))

        assert 150_000 < size < 200_000 + 2 * 4_096  # pages of the file are what is counted
        assert refused.value.retry_after == module.RETRY_FULL
        assert bench.counted("spool_refused_total", limit="spool_bytes_max") == 1


async def test_once_its_oldest_record_is_too_old_it_refuses_and_keeps_what_it_has(bench):
    async with spooling(bench, age_max=timedelta(hours=24)) as spool:
        await spool.publish(records(1))
        bench.now += timedelta(hours=24)
        await spool.publish(records(2))
        bench.now += timedelta(seconds=1)

        with pytest.raises(Unavailable, match="spool_age_max"):
            await spool.publish(records(3))
        with pytest.raises(Unavailable):
            await spool.ready()
        assert bench.counted("spool_oldest_seconds") == 86_401
        assert await contents(spool) == records(1, 2)


async def test_the_age_is_that_of_the_oldest_record_also_after_a_restart(bench):
    async with spooling(bench) as spool:
        await spool.publish(records(1))
    bench.now += timedelta(hours=25)
    async with spooling(bench) as spool:
        with pytest.raises(Unavailable, match="spool_age_max"):
            await spool.publish(records(2))


async def test_too_many_waiting_for_their_commit_are_refused(bench, monkeypatch):
    monkeypatch.setattr(module, "QUEUED_RECORDS_MAX", 2)
    async with spooling(bench) as spool:
        first = asyncio.create_task(spool.publish(records(1, 2)))
        await asyncio.sleep(0)

        with pytest.raises(Unavailable, match="queue"):
            await spool.publish(records(3))
        await first
        await spool.publish(records(4))

        assert await contents(spool) == records(1, 2, 4)


async def test_a_publication_larger_than_the_queue_is_taken_when_the_queue_is_empty(
    bench, monkeypatch
):
    monkeypatch.setattr(module, "QUEUED_RECORDS_MAX", 2)
    async with spooling(bench) as spool:
        await spool.publish(records(1, 2, 3))

        assert await contents(spool) == records(1, 2, 3)


async def test_what_the_brokers_will_never_take_is_set_aside_and_tried_again_by_the_next_start(
    bench,
):
    async with spooling(bench) as spool:
        await spool.publish(records(1, "large", 3))
        await spool.remove(await spool.head(2**40), [1], "too large")

        assert await contents(spool) == []
        assert spool.empty
        assert bench.counted("drained_total") == 2
        assert bench.counted("spool_set_aside_total", reason="refused") == 1
        assert bench.counted("spool_bytes") > 0
    assert await bench.held() == records("large")


async def test_what_was_refused_at_the_door_is_set_aside_too(bench):
    async with spooling(bench) as spool:
        await spool.set_aside(records("large"), "too large")

        assert spool.empty
        assert bench.counted("spool_set_aside_total", reason="refused") == 1
    assert await bench.held() == records("large")


async def test_a_stop_waits_for_the_commit_under_way(bench):
    spool = bench.spool()
    await spool.start()
    task = asyncio.create_task(spool.publish(records(1)))
    await asyncio.sleep(0)
    await spool.stop()
    await spool.stop()

    await task
    assert await bench.held() == records(1)
