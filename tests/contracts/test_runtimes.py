"""One behavioural suite for every runtime; each runtime is a few lines of fixture."""

import asyncio
from datetime import timedelta

import pytest

from schemas import codec
from schemas.letters import DeadLetter
from schemas.records import Session
from schemas.topics import CUSTOMER_TOUCHPOINTS, DEAD_LETTERS, SESSIONS, TOUCHPOINTS
from tests.unit.runtimes.counting import NOON, Bench, Unavailable, ids, touchpoint


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.integration)])
def bench(request, tmp_path):
    if request.param == "embedded":
        return Bench(tmp_path / "data")
    from tests.contracts.kafka_bench import KafkaBench

    return KafkaBench(request.getfixturevalue("kafka"))


def differs_on_kafka(bench, request, because):
    """A known difference: the test must fail there, and pass everywhere else."""
    if not isinstance(bench, Bench):
        request.node.add_marker(pytest.mark.xfail(reason=because, strict=True))


def sessions(runtime, topic=SESSIONS):
    return [codec.decode(record.value, Session) for record in runtime.read(topic, 0, 10_000)]


async def test_what_was_published_stands_on_the_topic_in_order_with_rising_offsets(bench):
    async with bench.runtime() as runtime:
        await runtime.publish([touchpoint(1), touchpoint(2)])
        await runtime.publish([touchpoint(3)])

        records = runtime.read(TOUCHPOINTS, 0, 10)

    assert ids(records) == ["t-1", "t-2", "t-3"]
    assert [record.offset for record in records] == [0, 1, 2]
    assert records[0].key == "anonymous_id:a"


async def test_reading_starts_at_the_offset_and_stops_at_the_limit(bench):
    async with bench.runtime() as runtime:
        await runtime.publish([touchpoint(number) for number in range(10)])

        records = runtime.read(TOUCHPOINTS, 3, 4)

    assert ids(records) == ["t-3", "t-4", "t-5", "t-6"]


async def test_the_latest_offset_is_that_of_the_newest_record_and_minus_one_before_it(bench):
    async with bench.runtime() as runtime:
        before = runtime.latest_offset(TOUCHPOINTS)
        await runtime.publish([touchpoint(1), touchpoint(2)])

        assert (before, runtime.latest_offset(TOUCHPOINTS)) == (-1, 1)


async def test_every_touchpoint_is_processed_and_its_results_are_published(bench):
    async with bench.runtime() as runtime:
        await runtime.publish([touchpoint(1), touchpoint(2), touchpoint(3, customer="b")])
        await runtime.advance(NOON)

        assert [(one.customer, one.count) for one in sessions(runtime)] == [
            ("a", 1),
            ("a", 2),
            ("b", 1),
        ]


async def test_a_forwarded_touchpoint_has_the_bytes_that_were_published(bench):
    published = [touchpoint(1), touchpoint(2, customer="b")]
    async with bench.runtime() as runtime:
        await runtime.publish(published)
        await runtime.advance(NOON)

        records = runtime.read(CUSTOMER_TOUCHPOINTS, 0, 10)

    assert [(one.key, one.value) for one in records] == [
        ("a", published[0][2]),
        ("b", published[1][2]),
    ]


async def test_silence_closes_what_is_due_and_leaves_what_is_not(bench):
    async with bench.runtime() as runtime:
        await runtime.publish([touchpoint(0), touchpoint(60, customer="b")])

        await runtime.advance(NOON + timedelta(minutes=30))

        closed = [one.customer for one in sessions(runtime) if one.state == "closed"]
        assert closed == ["a"]


async def test_a_restart_changes_nothing_and_the_count_goes_on(bench):
    async with bench.runtime() as runtime:
        await runtime.publish([touchpoint(1), touchpoint(2)])
    async with bench.runtime() as runtime:
        await runtime.publish([touchpoint(3)])
        await runtime.advance(NOON)

        assert [one.count for one in sessions(runtime)] == [1, 2, 3]
        assert bench.engine.total == 3


async def test_what_was_accepted_before_a_stop_is_durable_after_it(bench):
    runtime = bench.runtime()
    await runtime.start()
    await runtime.publish([touchpoint(number) for number in range(2000)])
    await runtime.stop()

    async with bench.runtime() as again:
        await again.advance(NOON)
        assert again.latest_offset(TOUCHPOINTS) == 1999
        assert sessions(again)[-1].count == 2000


async def test_those_who_wait_when_it_is_stopped_get_what_they_wait_for(bench):
    runtime = bench.runtime()
    await runtime.start()
    large = [touchpoint(1)] * 2000  # more of them than one commit takes
    waiting = [asyncio.create_task(runtime.publish(large)) for _ in range(6)]
    await asyncio.sleep(0)  # all of them have asked

    await runtime.stop()
    await asyncio.gather(*waiting)

    async with bench.runtime() as again:
        assert again.latest_offset(TOUCHPOINTS) == 11_999


@pytest.mark.parametrize("stage", ["identify", "stitch"])
async def test_a_touchpoint_the_core_fails_on_goes_to_the_dead_letters_and_the_rest_flows(
    bench, stage, request
):
    if stage == "stitch":
        differs_on_kafka(bench, request, "what identify forwarded is durable when stitch fails")
    bad = touchpoint(2, name="poison", location=stage)
    async with bench.runtime() as runtime:
        await runtime.publish([touchpoint(1), bad, touchpoint(3)])
        await runtime.advance(NOON)

        letters = [codec.decode(one.value, DeadLetter) for one in runtime.read(DEAD_LETTERS, 0, 9)]
        assert [(one.reason, one.where, one.content) for one in letters] == [
            ("processing_failed", stage, bad[2])
        ]
        assert [one.count for one in sessions(runtime)] == [1, 2]
        assert ids(runtime.read(CUSTOMER_TOUCHPOINTS, 0, 9)) == ["t-1", "t-3"]
        assert bench.counted("processing_failed_total", stage=stage) == 1


async def test_many_bad_touchpoints_among_good_ones_stop_nothing(bench):
    published = [
        touchpoint(number, name="poison" if number % 2 else "seen", location="stitch")
        for number in range(160)
    ]
    async with bench.runtime() as runtime:
        await runtime.publish(published)
        await runtime.advance(NOON)

        assert len(runtime.read(DEAD_LETTERS, 0, 100)) == 80
        assert [one.count for one in sessions(runtime)] == list(range(1, 81))
        assert runtime.readiness() == (True, "")


async def test_a_state_that_cannot_be_written_costs_its_own_touchpoint_only(bench):
    async with bench.runtime() as runtime:
        await runtime.publish(
            [touchpoint(1), touchpoint(2, customer="b", name="unwritable"), touchpoint(3)]
        )
        await runtime.advance(NOON)

        letters = [codec.decode(one.value, DeadLetter) for one in runtime.read(DEAD_LETTERS, 0, 9)]
        assert [one.reason for one in letters] == ["processing_failed"]
        assert [(one.customer, one.count) for one in sessions(runtime)] == [("a", 1), ("a", 2)]


async def test_bytes_that_are_no_touchpoint_go_to_the_dead_letters(bench):
    async with bench.runtime() as runtime:
        await runtime.publish([(TOUCHPOINTS, "x", b'{"id": 1}'), touchpoint(1)])
        await runtime.advance(NOON)

        letters = [codec.decode(one.value, DeadLetter) for one in runtime.read(DEAD_LETTERS, 0, 9)]
        assert [(one.source, one.content) for one in letters] == [("unknown", b'{"id": 1}')]
        assert len(sessions(runtime)) == 1


async def test_a_topic_that_the_catalogue_does_not_have_is_refused(bench, request):
    differs_on_kafka(bench, request, "there the brokers know the topics, and refuse unknown ones")
    async with bench.runtime() as runtime:
        with pytest.raises(ValueError, match="expected a topic of the catalogue"):
            await runtime.publish([("touchpoint", "a", b"{}")])


async def test_nothing_is_accepted_after_a_stop_and_the_caller_learns_when_to_come_again(bench):
    runtime = bench.runtime()
    await runtime.start()
    await runtime.stop()

    with pytest.raises(Unavailable) as refused:
        await runtime.publish([touchpoint(1)])

    assert refused.value.retry_after > timedelta(0)
    assert runtime.readiness() == (False, "stopping")


async def test_a_runtime_that_works_is_ready(bench):
    async with bench.runtime() as runtime:
        await runtime.ready()

        assert runtime.readiness() == (True, "")
