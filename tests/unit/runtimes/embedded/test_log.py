"""The log and its reader: chunks, offsets, references."""

import asyncio
from datetime import timedelta

import pytest

from pipeline.runtimes.embedded.database import open_writer
from pipeline.runtimes.embedded.log import CHUNK_BYTES_MAX, CHUNK_RECORDS_MAX, Log, chunks_from
from pipeline.runtimes.embedded.reader import LogReader
from pipeline.runtimes.errors import StorageUnreadable
from schemas.topics import CUSTOMER_TOUCHPOINTS, SESSIONS, TOUCHPOINTS
from tests.unit.runtimes.counting import NOON


class Writing:
    """A log and the transaction around it."""

    def __init__(self, directory):
        self.connection = open_writer(directory, ())
        self.log = Log(self.connection)

    def commit(self, *records, now=NOON):
        self.connection.execute("BEGIN IMMEDIATE")
        for topic, key, value in records:
            self.log.append(topic, key, value)
        self.log.write(now)
        self.connection.execute("COMMIT")
        self.log.commit()


@pytest.fixture
def writing(tmp_path):
    writing = Writing(tmp_path)
    yield writing
    writing.connection.close()


@pytest.fixture
def reader(writing, tmp_path):
    with LogReader(tmp_path) as reader:
        yield reader


def values(records):
    return [record.value for record in records]


def test_offsets_are_known_before_the_commit_and_visible_only_after_it(writing, reader):
    writing.connection.execute("BEGIN IMMEDIATE")
    offsets = [writing.log.append(SESSIONS, "a", b"1"), writing.log.append(SESSIONS, "a", b"2")]
    writing.log.write(NOON)
    before = reader.read(SESSIONS, 0, 10)
    writing.connection.execute("COMMIT")

    assert offsets == [0, 1]
    assert before == []
    assert values(reader.read(SESSIONS, 0, 10)) == [b"1", b"2"]


def test_a_rollback_gives_the_offsets_to_what_comes_next(writing, reader):
    writing.commit((SESSIONS, "a", b"kept"))
    writing.log.append(SESSIONS, "a", b"never was")
    writing.log.rollback()

    writing.commit((SESSIONS, "a", b"next"))

    assert [(one.offset, one.value) for one in reader.read(SESSIONS, 0, 10)] == [
        (0, b"kept"),
        (1, b"next"),
    ]


def test_offsets_go_on_after_everything_was_removed(writing, tmp_path):
    writing.commit((SESSIONS, "a", b"1"))
    writing.connection.execute("DELETE FROM chunks")

    again = Log(writing.connection)

    assert again.next_offset(SESSIONS) == 1


def test_a_large_commit_is_cut_into_chunks_by_records_and_by_bytes(writing, reader):
    many = [(SESSIONS, "a", b"%d" % number) for number in range(2 * CHUNK_RECORDS_MAX + 1)]
    big = [(TOUCHPOINTS, "a", bytes(CHUNK_BYTES_MAX // 2))] * 5
    writing.commit(*many, *big)

    counts = {
        topic: [
            len(one.entries) for one in chunks_from(writing.connection, writing.log.ids[topic], 0)
        ]
        for topic in (SESSIONS, TOUCHPOINTS)
    }
    assert counts == {SESSIONS: [CHUNK_RECORDS_MAX, CHUNK_RECORDS_MAX, 1], TOUCHPOINTS: [2, 2, 1]}
    assert values(reader.read(SESSIONS, 0, 9999)) == [value for _, _, value in many]


@pytest.mark.parametrize("start", range(8))
def test_reading_may_start_anywhere_in_a_chunk(writing, reader, start):
    writing.commit(*[(SESSIONS, "a", b"%d" % number) for number in range(3)])
    writing.commit(*[(SESSIONS, "a", b"%d" % number) for number in range(3, 7)])

    assert values(reader.read(SESSIONS, start, 10)) == [b"%d" % one for one in range(start, 7)]


def test_a_reference_reads_as_the_touchpoint_it_stands_for(writing, reader):
    writing.commit(*[(TOUCHPOINTS, "d", b"%d" % number) for number in range(5)])
    writing.commit((CUSTOMER_TOUCHPOINTS, "c", 3), (CUSTOMER_TOUCHPOINTS, "c", b"control"))
    writing.commit((CUSTOMER_TOUCHPOINTS, "c", 0), (TOUCHPOINTS, "d", b"5"))
    writing.commit((CUSTOMER_TOUCHPOINTS, "c", 5))

    records = reader.read(CUSTOMER_TOUCHPOINTS, 0, 10)

    assert [(one.key, one.value) for one in records] == [
        ("c", b"3"),
        ("c", b"control"),
        ("c", b"0"),
        ("c", b"5"),
    ]


def test_a_reference_whose_touchpoint_is_gone_is_left_out(writing, reader):
    writing.commit((TOUCHPOINTS, "d", b"old"))
    writing.commit((TOUCHPOINTS, "d", b"new"))
    writing.commit((CUSTOMER_TOUCHPOINTS, "c", 0), (CUSTOMER_TOUCHPOINTS, "c", 1))
    writing.connection.execute(
        "DELETE FROM chunks WHERE topic = ? AND base = 0", (writing.log.ids[TOUCHPOINTS],)
    )

    assert values(reader.read(CUSTOMER_TOUCHPOINTS, 0, 10)) == [b"new"]


def test_appended_at_never_goes_back_when_the_clock_does(writing, reader):
    writing.commit((SESSIONS, "a", b"1"))
    writing.commit((SESSIONS, "a", b"2"), now=NOON - timedelta(hours=1))

    assert [one.appended_at for one in reader.read(SESSIONS, 0, 10)] == [NOON, NOON]


def test_an_idle_reader_sees_that_nothing_changed(writing, reader):
    first, idle = reader.changed(), reader.changed()
    writing.commit((SESSIONS, "a", b"1"))

    assert (first, idle, reader.changed(), reader.changed()) == (True, False, True, False)


async def test_following_gives_what_is_there_and_then_what_comes(writing, reader):
    writing.commit(*[(SESSIONS, "a", b"%d" % number) for number in range(1200)])
    seen = []

    async def follow():
        async for record in reader.follow(SESSIONS, 100, timedelta(milliseconds=1)):
            seen.append(record.offset)
            if record.offset == 1200:
                return

    following = asyncio.create_task(follow())
    async with asyncio.timeout(10):
        while len(seen) < 1100:  # noqa: ASYNC110 - the follower polls, too
            await asyncio.sleep(0.001)
        writing.commit((SESSIONS, "a", b"new"))
        await following

    assert seen == list(range(100, 1201))


def test_reading_where_there_is_nothing_says_what_to_start(tmp_path):
    with pytest.raises(StorageUnreadable, match="touchpoints up"):
        LogReader(tmp_path / "nowhere")
