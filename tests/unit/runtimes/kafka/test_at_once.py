"""What a batch has for a key is taken at once: the real stages, and one that fails, no broker."""

from datetime import timedelta
from typing import Any

from pipeline.runtimes.kafka.batch import Batch
from pipeline.runtimes.kafka.partition import StagePartition
from pipeline.runtimes.kafka.slices import SPAN, Slices
from pipeline.stitching.change import Change, Message
from pipeline.stitching.ids import customer_of
from pipeline.topology import IDENTIFY, STITCH
from schemas import codec
from schemas.controls import Handover, Interaction
from schemas.letters import DeadLetter
from schemas.records import Session, Touchpoint, Verdict, Votes
from schemas.topics import (
    CUSTOMER_TOUCHPOINTS,
    DEAD_LETTERS,
    SESSIONS,
    TOUCHPOINTS,
    VERDICTS,
    VOTES,
)
from tests.builders import NO_MISSIONS, RULES, at, touchpoint
from tests.unit.runtimes.kafka.test_partition import Record, counts, taken
from tests.unit.runtimes.kafka.test_partition import record as counted
from tests.unit.runtimes.stages import STITCH as COUNTING

ANN, DEVICE = customer_of("user_id:ann"), customer_of("anonymous_id:a")


def records(key: str, touchpoints: list[Touchpoint]) -> list[Record]:
    return [Record(n, key.encode(), codec.encode(one)) for n, one in enumerate(touchpoints)]


def sent(batches: list[Batch], topic: str, kind: Any) -> list[Any]:
    outputs = [output for batch in batches for output in batch.outputs if output.topic == topic]
    return [codec.decode(output.value, kind) for output in outputs]


BEFORE_AND_AFTER = [
    touchpoint("10:00", id="1", anonymous_id="a"),
    touchpoint("10:01", id="2", anonymous_id="a", user_id="ann"),
    touchpoint("10:02", id="3", anonymous_id="a"),
]


def test_what_was_seen_before_a_login_in_the_same_batch_goes_straight_to_its_owner():
    identifying = StagePartition(IDENTIFY, NO_MISSIONS, 100)

    batches = taken(identifying, *records("anonymous_id:a", BEFORE_AND_AFTER), topic=TOUCHPOINTS)

    to_customers = [o for b in batches for o in b.outputs if o.topic == CUSTOMER_TOUCHPOINTS]
    assert {output.key.decode() for output in to_customers} == {ANN}
    assert [codec.decode_control(output.value) for output in to_customers] == [None] * 3


def test_in_a_later_batch_it_is_handed_over():
    identifying = StagePartition(IDENTIFY, NO_MISSIONS, 100)
    came = records("anonymous_id:a", BEFORE_AND_AFTER)

    batches = [
        *taken(identifying, came[0], topic=TOUCHPOINTS),
        *taken(identifying, *came, topic=TOUCHPOINTS),
    ]

    outputs = [o for b in batches for o in b.outputs if o.topic == CUSTOMER_TOUCHPOINTS]
    assert [output.key.decode() for output in outputs] == [DEVICE, DEVICE, ANN, ANN]
    assert codec.decode_control(outputs[1].value) is not None


def test_a_session_that_opens_and_closes_within_a_batch_is_said_once():
    stitching = StagePartition(STITCH, NO_MISSIONS, 100, watching=False)
    came = [touchpoint(clock, user_id="ann") for clock in ("10:00", "10:01", "12:00")]

    batches = taken(stitching, *records(ANN, came))

    sessions = sent(batches, SESSIONS, Session)
    assert [(one.state, one.count, one.revision) for one in sessions] == [
        ("closed", 2, 1),
        ("open", 1, 1),
    ]
    assert [one.revision for one in sent(batches, VERDICTS, Verdict)] == [1, 1, 1]


def test_a_repeat_beside_what_was_published_elsewhere_goes_on_from_its_revision():
    stitching = StagePartition(STITCH, NO_MISSIONS, 100, watching=False)
    one = touchpoint("10:00", id="1", user_id="ann")
    given = Interaction(
        id="1",
        at=one.occurred_at,
        channel=one.channel,
        name=one.name,
        location=one.location,
        intent=None,
        hint=None,
        source=one.source,
        signals=(),
        rating=None,
        device="anonymous_id:a",
        path=(("anonymous_id:a", 1),),
        revision=4,
    )
    handover = Record(0, ANN.encode(), codec.encode(Handover("other", (given,))))

    batches = taken(stitching, handover, Record(1, ANN.encode(), codec.encode(one)))

    assert [one.revision for one in sent(batches, VERDICTS, Verdict)] == [5]


def all_of(state: Any, key: str, messages: list[Message], *rest: Any) -> Change[Any]:
    results: list[Message] = []
    for message in messages:
        change = COUNTING.step(state, key, message, *rest)
        state = change.state
        results += change.results
    return Change(state, results[-1:])


def test_where_one_record_fails_each_is_taken_by_itself_and_the_others_count():
    partition = StagePartition(COUNTING._replace(at_once=all_of), NO_MISSIONS, 100)
    bad = counted(1, name="poison", location="stitch")

    batches = taken(partition, counted(0), bad, counted(2))

    assert counts(batches)[-1] == 2
    assert [one.content for one in sent(batches, DEAD_LETTERS, DeadLetter)] == [bad.value]
    assert counts(taken(partition, counted(3), counted(4))) == [4]  # at once again


def test_after_a_failure_no_record_is_taken_more_than_twice_again():
    steps: list[str] = []

    def noted(state: Any, key: str, message: Message, *rest: Any) -> Change[Any]:
        steps.append(message.record.id)  # type: ignore[attr-defined]
        return COUNTING.step(state, key, message, *rest)

    def all_noted(state: Any, key: str, messages: list[Message], *rest: Any) -> Change[Any]:
        steps.extend(message.record.id for message in messages)  # type: ignore[attr-defined]
        return all_of(state, key, messages, *rest)

    partition = StagePartition(COUNTING._replace(step=noted, at_once=all_noted), NO_MISSIONS, 100)

    taken(
        partition,
        *(counted(n, name="poison" if n % 2 else "seen", location="stitch") for n in range(20)),
    )

    assert max(map(steps.count, steps)) <= 3


def test_slices_go_by_time_and_no_key_is_overtaken():
    late = touchpoint("12:00", id="late", user_id="ann")
    early = touchpoint("10:00", id="early", user_id="ann")
    other = touchpoint("10:00", id="other", user_id="bob")
    came = [("ann", late), ("ann", early), ("bob", other)]

    cut = Slices(((Message("t", key, one), b"") for key, one in came), SPAN)

    found = [[(key, len(some)) for key, some in by_key.items()] for by_key in cut.slices]
    assert [one for one in found if one] == [[("bob", 1)], [("ann", 2)]]


def test_votes_of_two_partitions_meet_in_their_minutes():
    def votes(minute: int, partition: int) -> Message:
        when = at("10:00") + timedelta(minutes=minute)
        counts = {"votes": 1, "broken": 0, "customers": 0, "at": when}
        record = Votes(touchpoint="t", mission=None, minute=when, partition=partition, **counts)
        return Message("votes", "t", record)

    came = [votes(minute, partition) for partition in (0, 1) for minute in (0, 10, 20)]

    cut = Slices(((one, b"") for one in came), SPAN)

    assert [len(by_key["t"]) for by_key in cut.slices if by_key] == [2, 2, 2]


def test_without_a_span_nothing_is_cut():
    came = [touchpoint(clock, user_id="ann") for clock in ("10:00", "23:00")]

    (whole,) = Slices(((Message("t", "ann", one), b"") for one in came), None).slices

    assert len(whole["ann"]) == 2


def test_votes_of_a_batch_keep_their_minutes():
    stitching = StagePartition(STITCH, RULES, 100)
    came = [
        touchpoint(f"10:{minute:02d}", "http_5xx", channel="app", name="pay-in-app", device_id="d")
        for minute in range(0, 60, 10)
    ]

    batches = taken(stitching, *records(DEVICE, came))

    times = [one.at for one in sent(batches, VOTES, Votes) if one.broken]
    assert times == sorted(times)
