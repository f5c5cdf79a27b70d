"""The votes of one partition, and the alerts of another: the real stages, without a broker."""

from datetime import timedelta
from typing import Any, NamedTuple

from pipeline.runtimes.kafka.changelog import Restored
from pipeline.runtimes.kafka.partition import Batch, StagePartition
from pipeline.topology import STITCH, WATCH
from schemas import codec
from schemas.controls import Presence
from schemas.records import Alert, Votes
from schemas.topics import (
    CUSTOMER_TOUCHPOINTS,
    DEAD_LETTERS,
    TOUCHPOINT_ALERTS,
    VERDICTS,
    VOTES,
)
from tests.builders import RULES, at, touchpoint


class Record(NamedTuple):
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def committed(partition: StagePartition, topic: str, records: list[Record]) -> list[Batch]:
    batches = []
    while (batch := partition.take(topic, records, at("12:00"))) is not None:
        partition.commit(batch)
        batches.append(batch)
    return batches


def sent(batches: list[Batch], topic: str) -> list[Any]:
    """The records on a topic, and nothing of what touchpoints tell each other there."""
    kinds: dict[str, Any] = {VOTES: Votes, TOUCHPOINT_ALERTS: Alert}
    outputs = [output for batch in batches for output in batch.outputs if output.topic == topic]
    assert not any(output.topic == DEAD_LETTERS for batch in batches for output in batch.outputs)
    return [
        codec.decode(output.value, kinds[topic])
        for output in outputs
        if codec.decode_control(output.value) is None
    ]


def told(batches: list[Batch]) -> set[type]:
    """The kinds of what touchpoints tell each other."""
    values = [output.value for batch in batches for output in batch.outputs]
    return {type(control) for value in values if (control := codec.decode_control(value))}


def payments(count: int, *signals: str, start: int = 0) -> list[Record]:
    """Each another customer's, ten seconds after the one before."""
    records = []
    for n in range(start, start + count):
        clock = f"10:{n // 6:02d}:{n % 6 * 10:02d}"
        device = f"d-{n}"
        one = touchpoint(
            clock, *signals, channel="app", name="pay-in-app", device_id=device, id=f"{n}"
        )
        records.append(Record(n, f"customer-{n}".encode(), codec.encode(one)))
    return records


def totals(number: int, records: list[Record]) -> list[Votes]:
    stitching = StagePartition(STITCH, RULES, 100, number)
    found: list[Votes] = sent(committed(stitching, CUSTOMER_TOUCHPOINTS, records), VOTES)
    return found


def heard(votes: list[Votes]) -> list[Record]:
    return [Record(n, b"pay-in-app", codec.encode(one)) for n, one in enumerate(votes)]


BREAK = [*payments(90), *payments(30, "http_5xx", start=90)]


def test_totals_name_the_partition_whose_they_are_and_ballots_never_leave_it():
    batches = committed(StagePartition(STITCH, RULES, 100, 5), CUSTOMER_TOUCHPOINTS, BREAK)

    assert {one.partition for one in sent(batches, VOTES)} == {5}
    assert {output.topic for batch in batches for output in batch.outputs} <= set(STITCH.writes)


def test_a_break_that_two_partitions_count_is_one_alert_of_the_third_stage():
    votes = sorted(
        [*totals(0, BREAK[::2]), *totals(1, BREAK[1::2])], key=lambda one: (one.at, one.partition)
    )

    batches = committed(StagePartition(WATCH, RULES, 100), VOTES, heard(votes))

    alerts: list[Alert] = sent(batches, TOUCHPOINT_ALERTS)
    assert {(one.touchpoint, one.state) for one in alerts} == {("pay-in-app", "firing")}
    assert {one.mission for one in alerts if one.within is None} == {"pay-bill"}
    assert Presence in told(batches)


def test_the_wall_clock_ends_the_minutes_when_votes_stop_coming():
    watching = StagePartition(WATCH, RULES, 100)
    calm = payments(90, start=120)
    votes = totals(0, [*BREAK, *calm[:40]])
    committed(watching, VOTES, heard(votes))

    batches = [
        batch
        for minute in range(40)
        if (batch := watching.tick(at("10:24") + timedelta(minutes=minute), caught_up=True))
    ]

    assert {one.state for one in sent(batches, TOUCHPOINT_ALERTS)} == {"resolved"}


def test_a_partition_that_is_taken_over_in_between_says_the_same():
    votes = heard(totals(0, BREAK))
    plain = committed(StagePartition(WATCH, RULES, 100), VOTES, votes)
    first, second = StagePartition(WATCH, RULES, 100), StagePartition(WATCH, RULES, 100)

    before = committed(first, VOTES, votes[: len(votes) // 2])
    states = {key.encode(): value for batch in before for key, value in batch.states if value}
    second.restore(Restored(states, before[-1].progress))
    after = committed(second, VOTES, votes)

    assert sent([*before, *after], TOUCHPOINT_ALERTS) == sent(plain, TOUCHPOINT_ALERTS)


def test_no_vote_leaves_a_partition_where_nobody_watches():
    partition = StagePartition(STITCH, RULES, 100, watching=False)

    batches = committed(partition, CUSTOMER_TOUCHPOINTS, BREAK)

    assert any(one.topic == VERDICTS for batch in batches for one in batch.outputs)
    assert not any(one.topic == VOTES for batch in batches for one in batch.outputs)
