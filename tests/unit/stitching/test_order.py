"""The order of a session: by the emitter's numbers where it sends them, else by time, by id."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from pipeline.runtimes.engine import Engine
from pipeline.stitching.kept import CustomerState
from schemas.records import Touchpoint
from tests.builders import (
    NO_MISSIONS,
    Results,
    arriving,
    at,
    contents,
    process,
    restarted,
    touchpoint,
)
from tests.oracle.contents import contents_of


def numbered(clock: str, name: str, sequence: int | None, **fields: Any) -> Touchpoint:
    given = {"session_hint": "s-1", **fields}
    return touchpoint(clock, id=name, name=name, sequence=sequence, **given)


def paths(*touchpoints: Touchpoint) -> list[tuple[str, ...]]:
    """Of each session, in the order in which they began."""
    told = process(touchpoints, NO_MISSIONS)
    sat = sorted(told.live_sessions.values(), key=lambda one: one.started_at)
    return [tuple(_by_time(told, one.session_id)) for one in sat]


def _by_time(told: Results, session: str) -> list[str]:
    theirs = [one for one in told.verdicts.values() if one.session_id == session]
    return [one.id for one in sorted(theirs, key=lambda one: one.occurred_at)]


def test_numbers_go_before_a_clock_that_was_set_back() -> None:
    look, pay = numbered("10:20", "look", 1), numbered("10:00", "pay", 2)

    told = process([look, pay], NO_MISSIONS)

    (session,) = told.live_sessions.values()
    assert _by_time(told, session.session_id) == ["look", "pay"]
    assert session.microjourney == ("other",)
    assert (session.started_at, session.ended_at) == (pay.occurred_at, look.occurred_at)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_one_millisecond_they_tell_the_order_in_whatever_order_they_arrive(
    order: tuple[int, ...],
) -> None:
    look, pay = numbered("10:00", "view-bill", 1), numbered("10:00", "pay-online", 2)
    done = numbered("10:00", "a-receipt", 3, location="/paid")  # first of them by its id
    arrived = [(look, pay, done)[at] for at in order]

    told = process(arriving(arrived))

    (journey,) = told.live_journeys.values()
    assert journey.microjourney == ("view-bill", "pay-online", "paid")
    assert journey.outcome == "completed"


def test_without_numbers_the_id_tells_what_the_time_does_not() -> None:
    later, first = numbered("10:00", "b", None), numbered("10:00", "a", None)

    told = process([later, first], NO_MISSIONS)

    assert next(iter(told.live_sessions.values())).count == 2
    assert contents(told) == contents_of([later, first], NO_MISSIONS)
    assert told.verdicts["b"].revision == told.verdicts["a"].revision == 1


def test_numbers_of_two_sessions_are_not_compared() -> None:
    laptop = numbered("10:00", "laptop", 9), numbered("10:02", "later", 10)
    phone = numbered("10:01", "phone", 1, session_hint="s-2")

    assert paths(*laptop, phone) == [("laptop", "later"), ("phone",)]


def test_what_has_no_number_keeps_its_time_among_those_that_have() -> None:
    second, plain = numbered("10:00", "second", 2), numbered("10:01", "plain", None)
    first = numbered("10:02", "first", 1)

    assert paths(second, plain, first) == [("first", "plain", "second")]


def test_without_a_session_a_number_says_nothing() -> None:
    second = numbered("10:00", "by-time", 2, session_hint=None)
    first = numbered("10:02", "then", 1, session_hint=None)

    assert paths(second, first) == [("by-time", "then")]


def test_an_id_that_names_the_person_numbers_each_conversation_anew() -> None:
    chat = [
        numbered("10:00", "hello", 1, channel="chatbot"),
        numbered("10:01", "bye", 2, channel="chatbot"),
        numbered("11:00", "hello-again", 1, channel="chatbot"),
    ]

    assert paths(*chat) == [("hello", "bye"), ("hello-again",)]


def test_a_supplied_id_numbers_anew_after_the_longest_duration() -> None:
    first = numbered("10:00", "monday", 7)
    second = numbered("10:01", "wednesday", 1, day=2)

    assert paths(first, second) == [("monday",), ("wednesday",)]


def test_whose_it_is_is_told_by_its_own_clock_and_not_by_the_time_it_was_dealt() -> None:
    tablet = {"anonymous_id": "tablet"}
    seen = [
        numbered("09:59", "ann-in", None, **tablet, user_id="ann"),
        numbered("10:00", "by-ann", 2, **tablet),
        numbered("10:10", "by-bob", 1, **tablet),
        numbered("10:05", "bob-in", None, **tablet, user_id="bob"),
    ]

    for order in list(permutations(seen)):
        told = process(arriving(order), NO_MISSIONS)

        assert contents(told) == contents_of(seen, NO_MISSIONS)
        assert set(told.members("customer").values()) == {
            frozenset({"ann-in", "by-ann"}), frozenset({"by-bob", "bob-in"}),
        }  # fmt: skip


def test_of_a_repeat_the_earlier_counts_by_its_own_clock() -> None:
    later, first = numbered("10:00", "later", 2), numbered("10:20", "first", 1)
    again = msgspec.structs.replace(first, occurred_at=numbered("10:10", "", 0).occurred_at)

    told = process(arriving([later, first, again]), NO_MISSIONS)

    assert told.live_sessions[told.verdicts["later"].session_id].ended_at == again.occurred_at


def once_sealed(before: list[Touchpoint], *after: Touchpoint) -> Results:
    """After `before`, eleven hours go by, in which what is a day older is let go of."""

    def look(running: Engine, number: int) -> Engine:
        if number != len(before):
            return running
        running.tick(before[-1].received_at + timedelta(hours=11))
        return restarted(running)

    return process([*before, *after], NO_MISSIONS, between=look)


def test_a_repeat_goes_by_its_own_clock_when_an_older_session_has_been_let_go_of() -> None:
    older = touchpoint("08:00", id="older")
    look, pay = numbered("10:20", "look", 1, day=2), numbered("10:00", "pay", 2, day=2)
    pay = msgspec.structs.replace(pay, received_at=look.received_at)
    later = at("22:00", day=2)

    for repeat in (look, pay):
        told = once_sealed([older, look, pay], *arriving([repeat], later))

        assert told.verdicts["look"].occurred_at == pay.occurred_at
        assert told.verdicts["pay"].occurred_at == look.occurred_at
        assert contents(told) == contents_of([older, look, pay], NO_MISSIONS)


def test_an_earlier_repeat_counts_when_an_older_session_has_been_let_go_of() -> None:
    older = touchpoint("08:00", id="older")
    later, first = numbered("10:00", "later", 2, day=2), numbered("10:20", "first", 1, day=2)
    again = msgspec.structs.replace(first, occurred_at=at("10:10", day=2))

    told = once_sealed([older, later, first], *arriving([again], at("22:00", day=2)))

    assert contents(told) == contents_of([older, later, again], NO_MISSIONS)


def test_times_shared_by_two_sessions_stand_when_the_earlier_is_let_go_of() -> None:
    # The bot ends the first, but its numbers go on within the gap: they order both.
    def said(clock: str, name: str, number: int | None, *signals: str, **fields: Any) -> Touchpoint:
        given = {"channel": "chatbot", "sequence": number, "session_hint": "s-1", **fields}
        return touchpoint(clock, *signals, id=name, name=name, **given)

    gap = NO_MISSIONS.sessions["chatbot"].gap
    came = [
        said("10:00", "b", 2), said("10:01", "d", 4), said("10:02", "bye", None, "bot_end"),
        said("10:03", "c", 3), said("10:04", "a", 1), said("10:05", "e", 5),
        said("10:02", "next-day", None, day=1, session_hint="s-2"),
    ]  # fmt: skip
    late = said("10:01", "late", None, day=1, session_hint="s-2")
    until = at("10:03", day=1) + gap

    def look(running: Engine, number: int) -> Engine:
        if number != len(came):
            return running
        running.tick(until + NO_MISSIONS.out_of_order)
        stored = running._stores["stitch"].states  # type: ignore[attr-defined]
        (kept,) = (one for one in stored.values() if isinstance(one, CustomerState))
        assert [one.id for one in kept.tail] == ["c", "d", "e", "next-day"]
        return restarted(running)

    told = process([*came, *arriving([late], until)], NO_MISSIONS, between=look)

    assert told.dead_letters() == []
    assert contents(told) == contents_of([*came, late], NO_MISSIONS)


def test_a_repeat_goes_by_its_own_clock_when_too_many_had_to_be_let_go_of() -> None:
    few = msgspec.structs.replace(NO_MISSIONS, touchpoints_max=8)
    numbers = [*range(60), 63, 62, 61, 60]
    visits = [
        numbered(f"10:{at // 2:02d}:{at % 2}", f"v{at}", number)
        for at, number in enumerate(numbers)
    ]

    for repeat in visits[60:]:
        arrived = [*visits, *arriving([repeat], visits[-1].occurred_at)]
        told = process(arrived, few, between=lambda running, _: restarted(running, few))

        assert contents(told) == contents(process(visits, few))
        assert [told.verdicts[f"v{at}"].occurred_at for at in (63, 62, 61, 60)] == [
            one.occurred_at for one in visits[60:]
        ]


def test_what_had_to_be_let_go_of_stays_before_what_is_kept() -> None:
    few = msgspec.structs.replace(NO_MISSIONS, touchpoints_max=8)
    visits = [numbered(f"10:{at // 2:02d}:{at % 2}", f"v{at}", 100 - at) for at in range(70)]

    told = process(visits, few)

    (session,) = told.live_sessions.values()
    assert session.count == 70
    assert sorted(one.occurred_at for one in told.verdicts.values()) == [
        visit.occurred_at for visit in visits
    ]
