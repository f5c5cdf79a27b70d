"""The order of a session: by the emitter's numbers where it sends them, else by time, by id."""

from itertools import permutations
from typing import Any

import msgspec
import pytest

from schemas.records import Touchpoint
from tests.builders import NO_MISSIONS, Results, arriving, contents, process, touchpoint
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


def test_what_had_to_be_let_go_of_stays_before_what_is_kept() -> None:
    few = msgspec.structs.replace(NO_MISSIONS, touchpoints_max=8)
    visits = [numbered(f"10:{at // 2:02d}:{at % 2}", f"v{at}", 100 - at) for at in range(70)]

    told = process(visits, few)

    (session,) = told.live_sessions.values()
    assert session.count == 70
    assert sorted(one.occurred_at for one in told.verdicts.values()) == [
        visit.occurred_at for visit in visits
    ]
