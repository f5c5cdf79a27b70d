"""What the embedded runtime survives: kill -9, a full disk, a failed fsync, a second process."""

import asyncio
import json
import os
import random
import resource
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import timedelta

import pytest

from pipeline.runtimes.embedded.database import DATABASE_NAME, FORMAT
from pipeline.runtimes.embedded.reader import LogReader
from pipeline.runtimes.errors import AlreadyRunning, StorageFailed, StorageUnreadable
from schemas import codec
from schemas.records import Session
from schemas.topics import CUSTOMER_TOUCHPOINTS, DEAD_LETTERS, SESSIONS, TOUCHPOINTS
from tests.faults.killing import kill_rounds, started
from tests.unit.runtimes.counting import NOON, Bench, Unavailable, ids, touchpoint

PUBLISHING = """
import asyncio, sys
from pathlib import Path
from tests.unit.runtimes.counting import Bench, touchpoint

async def publish_for_ever(runtime, publisher, first):
    number = first
    while True:
        await runtime.publish([touchpoint(number + i, customer=f"c{publisher}") for i in range(3)])
        print("\\n".join(f"t-{number + i}" for i in range(3)), flush=True)
        number += 3

async def main():
    first = int(sys.argv[2])
    async with Bench(Path(sys.argv[1])).runtime() as runtime:
        await asyncio.gather(
            *(publish_for_ever(runtime, one, first + one * 1_000_000) for one in range(8))
        )

asyncio.run(main())
"""


def killed(directory, rounds, chance):
    return kill_rounds(lambda first: started(PUBLISHING, directory, first), rounds, chance)


async def assert_exactly_once(directory, acknowledged):
    bench = Bench(directory)
    async with bench.runtime() as runtime:
        await runtime.advance(NOON)
        log = ids(runtime.read(TOUCHPOINTS, 0, 10_000_000))
        forwarded = ids(runtime.read(CUSTOMER_TOUCHPOINTS, 0, 10_000_000))
        sessions = [
            codec.decode(one.value, Session) for one in runtime.read(SESSIONS, 0, 10_000_000)
        ]

    assert not set(acknowledged) - set(log), "acknowledged and lost"
    assert max(Counter(log).values()) == 1, "in the log twice"
    assert forwarded == log, "processed other than exactly once, in order"
    for customer in {one.customer for one in sessions}:
        counts = [one.count for one in sessions if one.customer == customer]
        assert counts == list(range(1, len(counts) + 1)), "state and results differ"
    assert bench.engine.total == len(log)


async def test_kill_9_loses_nothing_that_was_acknowledged_and_doubles_nothing(tmp_path):
    acknowledged = await asyncio.to_thread(killed, tmp_path, 6, random.Random(1))

    assert len(acknowledged) > 100
    await assert_exactly_once(tmp_path, acknowledged)


@pytest.mark.torture
async def test_two_hundred_kills_lose_and_double_nothing(tmp_path):
    acknowledged = await asyncio.to_thread(killed, tmp_path, 200, random.Random(2))

    assert len(acknowledged) > 100_000
    await assert_exactly_once(tmp_path, acknowledged)


class FaultyConnection(sqlite3.Connection):
    """A connection whose commits fail on cue, as the disk would make them fail."""

    code: int | None = None

    def execute(self, sql, *arguments):
        if FaultyConnection.code is not None and sql == "COMMIT":
            error = sqlite3.OperationalError("the disk said no")
            error.sqlite_errorcode = FaultyConnection.code
            error.sqlite_errorname = "SQLITE_CODE"
            raise error
        return super().execute(sql, *arguments)


@pytest.fixture
def faults():
    yield FaultyConnection
    FaultyConnection.code = None


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another thread changes it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE])
async def test_a_full_disk_is_never_acknowledged_and_work_goes_on_when_there_is_space(
    tmp_path, faults, code
):
    bench = Bench(tmp_path)
    async with bench.runtime(connection=FaultyConnection) as runtime:
        await runtime.publish([touchpoint(1)])
        faults.code = code
        with pytest.raises(Unavailable) as refused:
            await runtime.publish([touchpoint(2)])
        await until(lambda: runtime.readiness() == (False, "disk_full"))
        with pytest.raises(Unavailable):
            await runtime.publish([touchpoint(3)])

        faults.code = None
        await until(lambda: runtime.readiness() == (True, ""))
        await runtime.publish([touchpoint(4)])
        await runtime.advance(NOON)

        assert refused.value.reason == "disk_full"
        assert refused.value.retry_after > timedelta(0)
        assert ids(runtime.read(TOUCHPOINTS, 0, 10)) == ["t-1", "t-4"]
        assert ids(runtime.read(CUSTOMER_TOUCHPOINTS, 0, 10)) == ["t-1", "t-4"]
        assert bench.engine.total == 2


async def test_a_failed_fsync_stops_the_engine_and_says_so(tmp_path, faults):
    bench = Bench(tmp_path)
    runtime = bench.runtime(connection=FaultyConnection)
    await runtime.start()
    await runtime.publish([touchpoint(1)])

    faults.code = sqlite3.SQLITE_IOERR_FSYNC
    with pytest.raises(Unavailable):
        await runtime.publish([touchpoint(2)])
    await until(lambda: runtime.failure is not None)
    faults.code = None

    ready, reason = runtime.readiness()
    assert not ready
    assert DATABASE_NAME in reason
    with pytest.raises(Unavailable):
        await runtime.publish([touchpoint(3)])
    await runtime.stop()

    async with bench.runtime() as again:
        assert ids(again.read(TOUCHPOINTS, 0, 10)) == ["t-1"]


async def publish_until_refused(runtime, accepted):
    for number in range(1, 100_000, 50):
        await runtime.publish([touchpoint(number + one) for one in range(50)])
        accepted += [f"t-{number + one}" for one in range(50)]


async def test_a_file_that_may_not_grow_refuses_and_recovers(tmp_path):
    """The real thing: the operating system cuts a write short in the middle of a commit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    bench = Bench(tmp_path)
    accepted = []
    async with bench.runtime() as runtime:
        await runtime.publish([touchpoint(0)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        try:
            with pytest.raises(Unavailable):
                await publish_until_refused(runtime, accepted)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await until(lambda: runtime.readiness()[0])
        await runtime.publish([touchpoint(1_000_000)])
        await runtime.advance(NOON)

        expected = ["t-0", *accepted, "t-1000000"]
        assert ids(runtime.read(TOUCHPOINTS, 0, 1_000_000)) == expected
        assert bench.engine.total == len(expected)


async def test_a_second_process_is_told_who_holds_the_folder_and_readers_are_welcome(tmp_path):
    process = await asyncio.to_thread(started, PUBLISHING, tmp_path, 0)
    try:
        await asyncio.to_thread(process.stdout.readline)

        with pytest.raises(AlreadyRunning) as refused:
            await Bench(tmp_path).runtime().start()
        with LogReader(tmp_path) as reader:
            assert ids(reader.read(TOUCHPOINTS, 0, 1))
    finally:
        process.kill()
        process.stdout.close()
        process.wait()

    assert refused.value.pid == process.pid
    for said in (str(process.pid), str(tmp_path), "--data"):
        assert said in str(refused.value)


async def test_a_lock_dies_with_its_process(tmp_path):
    await asyncio.to_thread(killed, tmp_path, 1, random.Random(3))

    async with Bench(tmp_path).runtime() as runtime:
        assert runtime.readiness() == (True, "")


def files_of(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix == ".db"}


def another_program(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
        connection.commit()


def newer_version(path):
    asyncio.run(_once(path.parent))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
        connection.commit()


async def _once(directory):
    async with Bench(directory).runtime() as runtime:
        await runtime.publish([touchpoint(1)])


def no_database(path):
    path.write_bytes(b"these are not the bytes you are looking for" * 100)


def torn(path):
    asyncio.run(_once(path.parent))
    os.truncate(path, 100)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (another_program, "a database of another program"),
        (newer_version, f"format {FORMAT + 1}, newer"),
        (no_database, "file is not a database"),
        (torn, ""),
    ],
)
def test_a_file_that_cannot_be_used_gets_one_clear_message_and_is_not_touched(
    tmp_path, spoil, found
):
    path = tmp_path / DATABASE_NAME
    spoil(path)
    before = files_of(tmp_path)

    with pytest.raises(StorageUnreadable) as refused:
        asyncio.run(Bench(tmp_path).runtime().start())

    assert found in refused.value.found
    assert f"format {FORMAT}" in refused.value.expected
    assert str(path) in str(refused.value)
    assert files_of(tmp_path) == before


async def test_a_clean_stop_leaves_everything_in_one_file_even_while_someone_reads(tmp_path):
    runtime = Bench(tmp_path).runtime()
    await runtime.start()
    await runtime.publish([touchpoint(1)])
    with LogReader(tmp_path) as reader:
        reader.read(TOUCHPOINTS, 0, 1)
        await runtime.stop()

        assert (tmp_path / f"{DATABASE_NAME}-wal").stat().st_size == 0
        assert ids(reader.read(TOUCHPOINTS, 0, 1)) == ["t-1"]


async def test_a_record_whose_bytes_changed_on_the_disk_is_never_guessed_at(tmp_path):
    await _once(tmp_path)
    path = tmp_path / DATABASE_NAME
    content = path.read_bytes()
    assert b'"t-1"' in content
    path.write_bytes(content.replace(b'"t-1"', b'"t-7"'))

    with LogReader(tmp_path) as reader, pytest.raises(StorageFailed, match="damaged") as refused:
        reader.read(TOUCHPOINTS, 0, 1)

    assert TOUCHPOINTS in str(refused.value)


async def test_when_everything_fails_the_stages_halt_and_a_restart_loses_little(tmp_path):
    bench = Bench(tmp_path)
    async with bench.runtime() as runtime:
        bench.engine.broken = True
        await runtime.publish([touchpoint(number) for number in range(200)])
        await until(lambda: runtime.readiness()[1].startswith("halted"))
        await runtime.publish([touchpoint(200)])  # still durable
        letters = runtime.latest_offset(DEAD_LETTERS) + 1

    async with bench.runtime() as mended:
        await mended.advance(NOON)

        assert letters == 50
        assert bench.engine.total == 201 - letters


async def test_a_clock_that_fails_stops_neither_publishing_nor_processing(tmp_path):
    bench = Bench(tmp_path)
    async with bench.runtime() as runtime:
        bench.engine.broken_clock = True
        await runtime.publish([touchpoint(1)])
        await runtime.advance(NOON)
        await runtime.publish([touchpoint(2)])
        await runtime.advance(NOON)

        assert bench.engine.total == 2
        assert bench.counted("ticks_failed_total") >= 2


async def test_a_follower_in_another_process_sees_every_record_soon(tmp_path):
    process = await asyncio.to_thread(started, PUBLISHING, tmp_path, 0)
    try:
        await asyncio.to_thread(process.stdout.readline)
        seen = []
        with LogReader(tmp_path) as reader:
            async with asyncio.timeout(20):
                async for record in reader.follow(SESSIONS, 0):
                    seen.append(record.offset)
                    if len(seen) == 1000:
                        break
    finally:
        process.kill()
        process.stdout.close()
        process.wait()

    assert seen == list(range(1000))
    assert json.loads(record.value)["session_id"].startswith("c")
