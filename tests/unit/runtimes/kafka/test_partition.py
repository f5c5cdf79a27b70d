"""One stage's partition without a broker: batches in, what is to be committed out."""

import re
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import pytest

from pipeline.runtimes.errors import ProcessingHalted
from pipeline.runtimes.kafka.batch import TIME_KEY, Batch, Telling
from pipeline.runtimes.kafka.changelog import FORMAT, Progress, Restored
from pipeline.runtimes.kafka.partition import (
    FAILURES_MAX,
    StagePartition,
)
from pipeline.runtimes.kafka.sending import VERSION_HEADER
from pipeline.runtimes.kafka.states import STATE_BYTES_MAX
from schemas import codec
from schemas.controls import Reached
from schemas.letters import DeadLetter
from schemas.records import Session
from schemas.topics import CUSTOMER_TOUCHPOINTS, DEAD_LETTERS, SESSIONS, TOUCHPOINTS
from tests.builders import NO_MISSIONS
from tests.unit.runtimes.counting import GAP, NOON, touchpoint
from tests.unit.runtimes.stages import IDENTIFY, STITCH


class Record(NamedTuple):
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def record(number: int, **fields: str) -> Record:
    """As `stitch` gets it, keyed by the customer; its offset is its number."""
    _, key, value = touchpoint(number, **fields)
    return Record(number, key.partition(":")[2].encode(), value)


def keyed(number: int, **fields: str) -> Record:
    """As `identify` gets it: keyed by the identifier."""
    _, key, value = touchpoint(number, **fields)
    return Record(number, key.encode(), value)


def stitching(unpacked_max: int = 100) -> StagePartition:
    return StagePartition(STITCH, NO_MISSIONS, unpacked_max)


def taken(
    partition: StagePartition, *records: Record, topic: str = CUSTOMER_TOUCHPOINTS
) -> list[Batch]:
    """All batches of these records, each committed."""
    batches = []
    while (batch := partition.take(topic, records, NOON)) is not None:
        partition.commit(batch)
        batches.append(batch)
    return batches


def counts(batches: list[Batch]) -> list[int]:
    return [
        codec.decode(output.value, Session).count
        for batch in batches
        for output in batch.outputs
        if output.topic == SESSIONS
    ]


def letters(batches: list[Batch]) -> list[DeadLetter]:
    return [
        codec.decode(output.value, DeadLetter)
        for batch in batches
        for output in batch.outputs
        if output.topic == DEAD_LETTERS
    ]


def restored(batches: list[Batch]) -> Restored:
    """What the changelog says after these batches."""
    states: dict[bytes, bytes] = {}
    for batch in batches:
        for key, value in batch.states:
            if value is None:
                states.pop(key.encode(), None)
            else:
                states[key.encode()] = value
    return Restored(states, batches[-1].progress)


def test_a_batch_is_results_states_and_the_offset_to_read_next() -> None:
    (batch,) = taken(stitching(), record(0), record(1), record(2, customer="b"))

    assert counts([batch]) == [1, 2, 1]
    assert [key for key, _ in batch.states] == ["a", "b"]
    assert batch.progress.offsets == {CUSTOMER_TOUCHPOINTS: 3}


def test_what_is_known_already_is_not_taken_again() -> None:
    partition = stitching()
    taken(partition, record(0), record(1))

    again = taken(partition, record(0), record(1), record(2))

    assert counts(again) == [3]
    assert partition.take(CUSTOMER_TOUCHPOINTS, [record(2)], NOON) is None


def test_a_restored_partition_goes_on_where_the_changelog_ends() -> None:
    first = taken(stitching(), record(0), record(1))
    partition = stitching()

    partition.restore(restored(first))

    assert counts(taken(partition, record(1), record(2))) == [3]


def test_what_was_not_committed_did_not_happen() -> None:
    partition = stitching()
    taken(partition, record(0))
    assert partition.take(CUSTOMER_TOUCHPOINTS, [record(1)], NOON) is not None

    partition.rollback()

    assert counts(taken(partition, record(1))) == [2]


def test_a_record_that_fails_is_a_dead_letter_and_the_others_count() -> None:
    bad = record(1, name="poison", location="stitch")

    batches = taken(stitching(), record(0), bad, record(2))

    assert counts(batches) == [1, 2]
    assert [(one.where, one.content) for one in letters(batches)] == [("stitch", bad.value)]
    assert batches[-1].progress.offsets == {CUSTOMER_TOUCHPOINTS: 3}


def test_no_record_is_taken_in_more_than_twice_for_its_neighbours() -> None:
    steps: list[str] = []

    def counted(state: Any, key: str, message: Any, *rest: Any) -> Any:
        steps.append(message.record.id)
        return STITCH.step(state, key, message, *rest)

    stage = STITCH._replace(step=counted)
    records = [
        record(number, name="poison" if number % 2 else "seen", location="stitch")
        for number in range(40)
    ]

    taken(StagePartition(stage, NO_MISSIONS, 100), *records)

    assert max(steps.count(name) for name in steps) == 2


def test_a_state_that_cannot_be_packed_costs_its_own_record_only() -> None:
    unwritable = record(1, name="unwritable", customer="b")

    batches = taken(stitching(), record(0), unwritable, record(2))

    assert counts(batches) == [1, 2]
    assert [one.content for one in letters(batches)] == [unwritable.value]


def test_a_state_too_large_for_a_record_costs_what_made_it_so_and_says_how_large_it_is() -> None:
    huge = record(1, name="huge", customer="b")

    batches = taken(stitching(), record(0), huge, record(2))

    assert counts(batches) == [1, 2]
    assert [one.content for one in letters(batches)] == [huge.value]
    ((_, error),) = [one for batch in batches for one in batch.failed]
    assert re.fullmatch(
        rf"state of one key: expected at most {STATE_BYTES_MAX} bytes, .*; found \d+", str(error)
    )


def test_bytes_that_are_no_record_are_a_dead_letter() -> None:
    batches = taken(stitching(), Record(0, b"a", b'{"id": 1}'), record(1))

    assert [one.source for one in letters(batches)] == ["unknown"]
    assert counts(batches) == [1]


def test_too_many_failures_in_a_row_halt_the_stage() -> None:
    records = [
        record(number, name="poison", location="stitch") for number in range(FAILURES_MAX + 1)
    ]
    partition = stitching()

    with pytest.raises(ProcessingHalted) as caught:
        taken(partition, *records)

    assert caught.value.failures == FAILURES_MAX


def test_where_more_fail_than_do_not_the_line_stops_though_some_succeed() -> None:
    def records(bad_of_ten: int) -> list[Record]:
        return [
            record(n, name="poison" if n % 10 < bad_of_ten else "seen", location="stitch")
            for n in range(8 * FAILURES_MAX)
        ]

    with pytest.raises(ProcessingHalted):
        taken(stitching(), *records(7))

    assert len(letters(taken(stitching(), *records(4)))) == 0.4 * 8 * FAILURES_MAX


def test_a_restart_after_a_halt_buries_no_more_until_something_succeeds() -> None:
    bad = [record(number, name="poison", location="stitch") for number in range(FAILURES_MAX + 1)]
    good = record(FAILURES_MAX + 1)
    buried: list[Batch] = []
    partition = stitching()
    for _ in range(FAILURES_MAX):
        batch = partition.take(CUSTOMER_TOUCHPOINTS, bad, NOON)
        assert batch is not None
        partition.commit(batch)
        buried.append(batch)
    restarted, mended = stitching(), stitching()
    restarted.restore(restored(buried))
    mended.restore(restored(buried))

    with pytest.raises(ProcessingHalted):
        restarted.take(CUSTOMER_TOUCHPOINTS, bad, NOON)

    assert len(letters(buried)) == FAILURES_MAX
    assert counts(taken(mended, good)) == [1]


def test_a_forwarded_touchpoint_keeps_its_bytes_and_shows_its_version() -> None:
    came = keyed(0)

    (batch,) = taken(StagePartition(IDENTIFY, NO_MISSIONS, 100), came, topic=TOUCHPOINTS)

    assert [(one.topic, one.key, one.value, one.headers) for one in batch.outputs] == [
        (CUSTOMER_TOUCHPOINTS, b"a", came.value, [(VERSION_HEADER, b"7")])
    ]


def test_a_touchpoint_whose_key_the_catalogue_blocks_goes_to_the_key_it_has_by_the_rules() -> None:
    came = keyed(0, customer="unknown")  # a placeholder: it identifies nobody

    (batch,) = taken(StagePartition(IDENTIFY, NO_MISSIONS, 100), came, topic=TOUCHPOINTS)

    assert [(one.topic, one.value) for one in batch.outputs] == [(TOUCHPOINTS, came.value)]
    assert batch.outputs[0].key != came.key
    assert batch.states == []


def test_silence_closes_what_is_due_once_all_is_taken_in() -> None:
    partition = stitching()
    taken(partition, record(0))
    late = NOON + GAP + timedelta(minutes=3)

    assert partition.tick(late, caught_up=False) is None
    batch = partition.tick(late, caught_up=True)

    assert batch is not None
    assert counts([batch]) == [1]
    assert [value for _, value in batch.states] == [None]


def test_what_only_a_restored_timer_knows_closes_too() -> None:
    first = taken(stitching(), record(0))
    partition = stitching()
    partition.restore(restored(first))

    batch = partition.tick(NOON + GAP + timedelta(minutes=3), caught_up=True)

    assert batch is not None
    assert counts([batch]) == [1]


def test_event_time_is_where_it_was_after_a_restart() -> None:
    partition = stitching()
    first = taken(partition, *(record(number) for number in range(64)))
    again = stitching()

    again.restore(restored(first))

    assert partition.watermark is not None
    assert again.watermark == partition.watermark


def test_states_that_are_packed_between_batches_come_out_the_same() -> None:
    records = [record(n, customer=f"c-{n % 7}") for n in range(70)]

    few = taken(stitching(unpacked_max=1), *records[:35]), stitching(unpacked_max=1)
    few[1].restore(restored(few[0]))

    assert counts(few[0]) + counts(taken(few[1], *records)) == counts(taken(stitching(), *records))


def test_one_state_that_time_cannot_move_keeps_no_other_from_closing() -> None:
    def broken(state: Any, *rest: Any) -> Any:
        if state["key"] == "a":
            error = "cannot be closed"
            raise LookupError(error)
        return STITCH.expire(state, *rest)

    partition = StagePartition(STITCH._replace(expire=broken), NO_MISSIONS, 100)
    taken(partition, record(0), record(1, customer="b"))

    batch = partition.tick(NOON + GAP + timedelta(minutes=3), caught_up=True)

    assert batch is not None
    assert counts([batch]) == [1]
    assert [str(error) for error in batch.unexpired] == ["cannot be closed"]


def reached(offset: int, source: int, minutes: float, sources: int = 2) -> Record:
    told = Reached(source=source, sources=sources, at=NOON + timedelta(minutes=minutes))
    return Record(offset, TIME_KEY, codec.encode(told))


def following() -> StagePartition:
    return StagePartition(STITCH, NO_MISSIONS, 100, follows=True)


def test_a_stage_behind_others_goes_by_the_slowest_partition_before_it() -> None:
    partition = following()
    taken(partition, record(0), reached(1, source=0, minutes=50))
    assert partition.watermark is None  # the other has not said anything

    batches = taken(partition, reached(2, source=1, minutes=20), reached(3, source=1, minutes=31))

    assert partition.watermark == NOON + timedelta(minutes=31)
    assert counts(batches) == [1]
    assert batches[-1].states == [("a", None)]


def test_what_a_slow_partition_still_sends_is_not_late_behind_a_fast_one() -> None:
    partition = following()

    taken(partition, reached(0, source=0, minutes=3 * 24 * 60), reached(1, source=1, minutes=0))

    assert counts(taken(partition, record(2))) == [1]
    assert partition.watermark == NOON


def test_what_partitions_told_is_known_after_a_restart() -> None:
    first = taken(following(), record(0), reached(1, source=0, minutes=50))
    again = following()
    again.restore(restored(first))

    taken(again, reached(2, source=1, minutes=40))

    assert again.watermark == NOON + timedelta(minutes=40)


def telling() -> StagePartition:
    behind = Telling(number=1, sources=4, topics={CUSTOMER_TOUCHPOINTS: 3})
    return StagePartition(IDENTIFY, NO_MISSIONS, 100, telling=behind)


def times_told(batch: Batch) -> list[tuple[int | None, Reached]]:
    controls = [(one.partition, codec.decode_control(one.value)) for one in batch.outputs]
    return [(number, told) for number, told in controls if isinstance(told, Reached)]


def test_a_batch_ends_with_how_far_event_time_is_for_every_partition_behind() -> None:
    partition = telling()

    (batch,) = taken(partition, *(keyed(number) for number in range(64)), topic=TOUCHPOINTS)

    assert partition.watermark is not None
    told = Reached(source=1, sources=4, at=partition.watermark)
    assert times_told(batch) == [(0, told), (1, told), (2, told)]
    assert [one.partition for one in batch.outputs[-3:]] == [0, 1, 2]


def test_time_that_has_hardly_moved_is_not_told_again() -> None:
    partition = telling()
    taken(partition, *(keyed(number) for number in range(64)), topic=TOUCHPOINTS)

    (batch,) = taken(partition, keyed(64), topic=TOUCHPOINTS)

    assert times_told(batch) == []


def test_a_partition_without_touchpoints_tells_the_wall_clock() -> None:
    partition = telling()

    batch = partition.tick(NOON, caught_up=True)

    assert batch is not None
    assert [told.at for _, told in times_told(batch)] == [NOON - timedelta(minutes=2)] * 3


def test_progress_names_its_format() -> None:
    (batch,) = taken(stitching(), record(0))

    written = msgspec.msgpack.decode(msgspec.msgpack.encode(batch.progress), type=Progress)

    assert written.format == FORMAT
