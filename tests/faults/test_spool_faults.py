"""What the spool survives: kill -9, a full disk, a failed fsync, flipped bits, a second process."""

import asyncio
import json
import os
import random
import resource
import sqlite3
from contextlib import closing

import pytest

from listeners.errors import SpoolInUse, SpoolUnreadable, Unavailable
from listeners.publishers.spool_layout import SPOOL_NAME
from tests.faults.killing import kill_rounds, started
from tests.unit.listeners.publishers.spools import (
    Bench,
    FaultyConnection,
    publish_until_refused,
    records,
)

SPOOLING = """
import asyncio, sys
from pathlib import Path
from tests.unit.listeners.publishers.spools import Bench, records

async def publish_for_ever(spool, key, first):
    number = first
    while True:
        await spool.publish(records(*(f"{key} {number + i}" for i in range(3)), key=key))
        print("\\n".join(f"{key} {number + i}" for i in range(3)), flush=True)
        number += 3

async def drain_for_ever(spool):
    while True:
        head = await spool.head(20_000)
        if head is None or not head.records:
            await asyncio.sleep(0.002)
            continue
        with open(Path(sys.argv[1]) / "delivered", "a") as file:
            file.write("".join(one.value.decode() + "\\n" for one in head.records))
        await spool.remove(head)

async def main():
    first = int(sys.argv[2])
    spool = Bench(Path(sys.argv[1])).spool()
    await spool.start()
    await asyncio.gather(
        *(publish_for_ever(spool, f"k{one}", first) for one in range(8)),
        *([drain_for_ever(spool)] if sys.argv[3] == "drain" else []),
    )

asyncio.run(main())
"""


def killed(directory, rounds, chance, drain):
    return kill_rounds(lambda first: started(SPOOLING, directory, first, drain), rounds, chance)


async def assert_nothing_lost_nothing_out_of_order(bench, acknowledged):
    delivered = bench.directory / "delivered"
    said = delivered.read_text().splitlines() if delivered.exists() else []
    held = [one.value.decode() for one in await bench.held()]
    arrived = list(dict.fromkeys(said + held))  # ids absorb the repeat: the first one counts

    assert not set(acknowledged) - set(arrived), "acknowledged and lost"
    for key in {one.split()[0] for one in arrived}:
        numbers = [int(one.split()[1]) for one in arrived if one.split()[0] == key]
        assert numbers == sorted(numbers), "out of order"
    assert bench.counted("spool_set_aside_total", reason="damaged") == 0


@pytest.mark.parametrize("drain", ["keep", "drain"])
async def test_kill_9_loses_nothing_that_was_acknowledged_and_keeps_the_order(tmp_path, drain):
    acknowledged = await asyncio.to_thread(killed, tmp_path, 4, random.Random(1), drain)

    assert len(acknowledged) > 100
    await assert_nothing_lost_nothing_out_of_order(Bench(tmp_path), acknowledged)


@pytest.mark.torture
@pytest.mark.parametrize("drain", ["keep", "drain"])
async def test_a_hundred_kills_lose_nothing_and_keep_the_order(tmp_path, drain, capsys):
    acknowledged = await asyncio.to_thread(killed, tmp_path, 100, random.Random(2), drain)

    with capsys.disabled():
        print(f"\n100 kills, {drain}: {len(acknowledged):,} acknowledged", end="")  # noqa: T201
    assert len(acknowledged) > 50_000
    await assert_nothing_lost_nothing_out_of_order(Bench(tmp_path), acknowledged)


@pytest.fixture
def faults():
    yield FaultyConnection
    FaultyConnection.mend()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE])
async def test_a_full_disk_is_never_acknowledged_and_it_goes_on_when_there_is_space(
    tmp_path, faults, code
):
    bench = Bench(tmp_path)
    spool = bench.spool(connection=FaultyConnection)
    await spool.start()
    await spool.publish(records(1))
    faults.code = code
    with pytest.raises(Unavailable, match="disk is full") as refused:
        await spool.publish(records(2))
    with pytest.raises(Unavailable, match="disk is full"):
        await spool.ready()

    faults.code = None
    await spool.ready()
    await spool.publish(records(3))
    await spool.stop()

    assert refused.value.retry_after.total_seconds() > 0
    assert spool.failure is None
    assert await bench.held() == records(1, 3)


async def test_on_a_full_disk_delivered_records_are_forgotten_later_and_once(tmp_path, faults):
    bench = Bench(tmp_path)
    spool = bench.spool(connection=FaultyConnection)
    await spool.start()
    await spool.publish(records(1, 2))
    head = await spool.head(1)
    faults.code = sqlite3.SQLITE_FULL
    with pytest.raises(Unavailable):
        await spool.remove(head, [1], "too large")
    faults.code = None
    await spool.remove(head, [1], "too large")
    await spool.stop()

    assert bench.counted("drained_total") == 1
    assert bench.counted("spool_set_aside_total", reason="refused") == 1


async def test_a_failed_fsync_ends_it_and_nothing_more_is_written(tmp_path, faults):
    bench = Bench(tmp_path)
    spool = bench.spool(connection=FaultyConnection)
    await spool.start()
    await spool.publish(records(1))
    faults.code = sqlite3.SQLITE_IOERR_FSYNC
    with pytest.raises(Unavailable):
        await spool.publish(records(2))
    faults.code = None
    with pytest.raises(Unavailable):
        await spool.publish(records(3))
    with pytest.raises(Unavailable):
        await spool.ready()
    await spool.stop()

    assert faults.later == [], "written after a failed fsync"
    assert SPOOL_NAME in str(spool.failure)
    assert "Check the disk" in str(spool.failure)


async def test_a_file_that_may_not_grow_refuses_and_recovers(tmp_path):
    """The real thing: the operating system cuts a write short in the middle of a commit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    bench = Bench(tmp_path)
    spool = bench.spool()
    await spool.start()
    taken = []
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(Unavailable, match="disk is full"):
            await publish_until_refused(spool, taken)
        with pytest.raises(Unavailable):
            await spool.ready()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await spool.ready()
    await spool.publish(records("again"))
    await spool.stop()

    assert len(taken) > 50
    assert await bench.held() == [*taken, *records("again")]


async def test_a_second_process_is_told_that_the_spool_is_in_use(tmp_path):
    process = await asyncio.to_thread(started, SPOOLING, tmp_path, 0, "keep")
    try:
        await asyncio.to_thread(process.stdout.readline)

        with pytest.raises(SpoolInUse) as refused:
            await Bench(tmp_path).spool().start()
    finally:
        process.kill()
        process.stdout.close()
        process.wait()

    for said in (str(tmp_path), "another process", "--data"):
        assert said in str(refused.value)


async def spooled(directory, count=40):
    """A spool of one chunk for each record, closed."""
    bench = Bench(directory)
    spool = bench.spool()
    await spool.start()
    for number in range(count):
        await spool.publish(records(f"{number:04} {'x' * 500}"))
    await spool.stop()
    return bench, records(*(f"{number:04} {'x' * 500}" for number in range(count)))


async def test_a_record_cut_off_by_a_crash_in_mid_write_is_not_there_and_all_others_are(tmp_path):
    """A copy of the files while a transaction is under way is what a crash leaves behind."""
    _, written = await spooled(tmp_path / "before")
    path = tmp_path / "before" / SPOOL_NAME
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = PERSIST")
        connection.execute("PRAGMA cache_size = 2")  # so that it writes before it commits
        connection.execute("BEGIN")
        for number in range(100, 400):
            connection.execute("INSERT INTO chunks VALUES (?, 0, 0, zeroblob(3000))", (number,))
        connection.execute("UPDATE extent SET next = 400")
        (tmp_path / "after").mkdir()
        for name in (SPOOL_NAME, f"{SPOOL_NAME}-journal"):
            (tmp_path / "after" / name).write_bytes((path.parent / name).read_bytes())
        connection.execute("ROLLBACK")
    torn = Bench(tmp_path / "after")

    assert (tmp_path / "after" / SPOOL_NAME).stat().st_size > 300_000
    assert await torn.held() == written
    assert torn.counted("spool_set_aside_total", reason="damaged") == 0


async def test_a_flipped_bit_costs_its_chunk_which_is_set_aside_and_counted_once(tmp_path):
    bench, written = await spooled(tmp_path)
    path = tmp_path / SPOOL_NAME
    content = path.read_bytes()
    path.write_bytes(content.replace(b"0020 xxx", b"0020 xxy"))

    assert await bench.held() == [one for one in written if not one.value.startswith(b"0020")]
    assert bench.counted("spool_set_aside_total", reason="damaged") == 1
    with closing(sqlite3.connect(path)) as connection:
        ((reason, kept),) = connection.execute("SELECT reason, records FROM set_aside").fetchall()
    assert reason == "damaged"
    assert b"0020 xxy" in kept
    assert len(await bench.held()) == len(written) - 1
    assert bench.counted("spool_set_aside_total", reason="damaged") == 0


async def test_a_bit_that_flips_while_it_runs_is_noticed_too(tmp_path):
    bench, written = await spooled(tmp_path)
    spool = bench.spool()
    await spool.start()
    content = (tmp_path / SPOOL_NAME).read_bytes()
    at = content.index(b"0020 xxx")
    with (tmp_path / SPOOL_NAME).open("r+b") as file:  # past the lock, as a disk would do it
        file.seek(at + 6)
        file.write(b"y")
        os.fsync(file.fileno())
    found = []
    while (head := await spool.head(5_000)) is not None:
        found += head.records
        await spool.remove(head)
    await spool.stop()

    lost = [one for one in written if one not in found]
    assert len(lost) == bench.counted("spool_set_aside_total", reason="damaged") <= 1


async def test_wherever_bits_flip_nothing_is_lost_without_being_counted(tmp_path):
    _, written = await spooled(tmp_path / "whole")
    whole = (tmp_path / "whole" / SPOOL_NAME).read_bytes()
    ended = {"whole": 0, "counted": 0, "unreadable": 0}
    for seed in range(150):
        chance = random.Random(seed)
        content = bytearray(whole)
        for _ in range(chance.choice([1, 1, 3])):
            page, inside = chance.randrange(len(whole) // 4096), chance.choice([100, 4096])
            content[page * 4096 + chance.randrange(inside)] ^= 1 << chance.randrange(8)
        bench = Bench(tmp_path / str(seed))
        bench.directory.mkdir()
        path = bench.directory / SPOOL_NAME
        path.write_bytes(content)
        try:
            found = await bench.held()
        except SpoolUnreadable:
            assert path.read_bytes() == content, "what cannot be read is not changed"
            ended["unreadable"] += 1
            continue
        counted = bench.counted("spool_set_aside_total", reason="damaged")

        assert found == [one for one in written if one in found], f"another order, seed {seed}"
        assert len(written) - len(found) <= counted, f"lost in silence, seed {seed}"
        ended["counted" if counted else "whole"] += 1
    assert min(ended.values()) > 0, ended


async def test_of_a_broken_tree_what_can_be_read_goes_on_and_the_file_is_kept(tmp_path):
    bench, written = await spooled(tmp_path)
    path = tmp_path / SPOOL_NAME
    content = bytearray(path.read_bytes())
    page = content.index(b"0020 xxx") // 4096 * 4096
    content[page : page + 8] = b"\xff" * 8  # the header of a page of the tree
    path.write_bytes(content)

    found = await bench.held()

    lost = [one for one in written if one not in found]
    assert 0 < len(lost) < len(written) / 2
    assert found == [one for one in written if one in found]
    assert bench.counted("spool_set_aside_total", reason="damaged") == len(lost) + 1
    assert (tmp_path / "spool.damaged-1.db").read_bytes() == content


def another_program(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
        connection.commit()


def another_version(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE chunks (a)")
        connection.execute(f"PRAGMA application_id = {0x54505350}")
        connection.execute("PRAGMA user_version = 2")
        connection.commit()


def no_database(path):
    path.write_bytes(json.dumps(["not a database"] * 1000).encode())


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (another_program, "another program"),
        (another_version, "format 2"),
        (no_database, "not a database"),
    ],
)
async def test_a_file_that_cannot_be_used_gets_one_clear_message_and_is_not_touched(
    tmp_path, spoil, found
):
    path = tmp_path / SPOOL_NAME
    spoil(path)
    before = path.read_bytes()

    with pytest.raises(SpoolUnreadable, match=found) as refused:
        await Bench(tmp_path).spool().start()

    assert str(path) in str(refused.value)
    assert path.read_bytes() == before
