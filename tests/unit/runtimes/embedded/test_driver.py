"""What is the driver's own: how little it writes."""

from pipeline.runtimes.embedded.database import open_reader
from pipeline.runtimes.embedded.log import chunks_from, topic_ids
from schemas.topics import CUSTOMER_TOUCHPOINTS
from tests.unit.runtimes.counting import NOON, Bench, touchpoint


async def test_a_forwarded_touchpoint_is_kept_as_a_reference_not_a_second_time(tmp_path):
    async with Bench(tmp_path).runtime() as runtime:
        await runtime.publish([touchpoint(1), touchpoint(2)])
        await runtime.advance(NOON)

    connection = open_reader(tmp_path)
    forwarded = topic_ids(connection)[CUSTOMER_TOUCHPOINTS]
    entries = [entry for chunk in chunks_from(connection, forwarded, 0) for entry in chunk.entries]
    connection.close()

    assert entries == [("a", 0), ("a", 1)]


async def test_telling_the_time_when_nothing_is_due_writes_nothing(tmp_path):
    async with Bench(tmp_path).runtime() as runtime:
        await runtime.publish([touchpoint(1)])
        await runtime.advance(NOON)
        reader = runtime._started_reader()
        reader.changed()

        for _ in range(3):
            await runtime.advance(NOON)

        assert not reader.changed()
