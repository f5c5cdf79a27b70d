"""Two sources may give one id, as vendors' counters do: they are two touchpoints all the same."""

from datetime import timedelta
from typing import Any

import msgspec

from pipeline.stitching.customer import Arriving
from pipeline.stitching.kept import CustomerState, interaction_of, pack, unpack
from schemas.records import Touchpoint, Verdict
from tests.builders import RULES, Results, arriving, contents, engine, process, touchpoint
from tests.oracle.contents import contents_of

WEB = [
    touchpoint("10:00", id="1", source="shop", name="bill", user_id="ann"),
    touchpoint("10:02", "http_5xx", id="2", source="shop", name="pay-online", user_id="ann"),
]
CALL = [
    touchpoint("10:01", id="1", source="phone", channel="ivr", name="main-menu", user_id="ann"),
    touchpoint("10:03", id="2", source="phone", channel="agent", name="talk", user_id="ann"),
]
INTERLEAVED = [WEB[0], CALL[0], WEB[1], CALL[1]]


def told_of(results: Results) -> list[tuple[str, str, str]]:
    judged = sorted(results.judged.values(), key=lambda one: one.occurred_at)
    return [(one.source, one.id, one.touchpoint) for one in judged]


EACH = [
    ("shop", "1", "view-bill"),
    ("phone", "1", "main-menu"),
    ("shop", "2", "pay-online"),
    ("phone", "2", "talk"),
]


def test_of_one_customer_each_has_its_own_verdict_and_none_is_taken_for_a_repeat() -> None:
    told = process(INTERLEAVED)

    assert told_of(told) == EACH
    assert {one.revision for one in told.records("verdicts")} <= {1, 2}
    assert sum(one.count for one in told.live_sessions.values()) == 4
    assert contents(told) == contents_of(INTERLEAVED, RULES)


def test_so_it_is_of_two_customers() -> None:
    others = [msgspec.structs.replace(one, identifiers={"user_id": "bob"}) for one in CALL]
    arrivals = [WEB[0], others[0], WEB[1], others[1]]

    told = process(arrivals)

    assert told_of(told) == EACH
    assert len(told.members("customer", by="ref")) == 2
    assert contents(told) == contents_of(arrivals, RULES)


def test_so_it_is_in_whatever_order_they_come_and_however_often() -> None:
    for arrivals in (INTERLEAVED[::-1], [CALL[1], WEB[1], CALL[0], WEB[0]], INTERLEAVED * 2):
        told = process(arriving(arrivals))

        assert contents(told) == contents_of(INTERLEAVED, RULES)


def test_so_it_is_of_what_comes_in_one_batch() -> None:
    together = Arriving(CustomerState(customer="c"), RULES)
    for one in INTERLEAVED:
        together.touchpoint(interaction_of(one, "d", (), RULES))
    change = together.settled()

    assert len(change.state.tail) == 4
    assert {(one.source, one.id) for one in verdicts(change.results)} == {
        ("shop", "1"), ("phone", "1"), ("shop", "2"), ("phone", "2"),
    }  # fmt: skip


def verdicts(messages: list) -> list[Verdict]:
    return [one.record for one in messages if isinstance(one.record, Verdict)]


def test_at_one_moment_their_order_is_that_of_the_sources_whichever_came_first() -> None:
    alike = [
        touchpoint("10:00", id="1", source="b", name="bill"),
        touchpoint("10:00", id="1", source="a", name="pay-online"),
    ]

    for arrivals in (alike, alike[::-1]):
        (session,) = process(arriving(arrivals)).live_sessions.values()
        assert session.microjourney == ("pay-online", "view-bill")


def test_a_repeat_is_still_absorbed_by_source_and_id() -> None:
    running = engine()
    for one in INTERLEAVED:
        running.books.account(one.source).accepted += 2
    told = process(INTERLEAVED * 2, running=running)

    assert len(told.judged) == 4
    accounts = running.books.accounts
    assert {name: (one.results, one.repeated) for name, one in accounts.items()} == {
        "shop": (2, 2),
        "phone": (2, 2),
    }


def test_a_log_in_that_joins_two_customers_of_one_id_keeps_both() -> None:
    arrivals = [
        touchpoint("10:00", id="1", source="shop", name="bill", anonymous_id="a"),
        touchpoint("10:01", id="1", source="kiosk", name="pay-online", anonymous_id="b"),
        touchpoint("10:02", id="2", source="shop", anonymous_id="a", user_id="ann"),
        touchpoint("10:03", id="2", source="kiosk", anonymous_id="b", user_id="ann"),
    ]

    told = process(arrivals)

    assert contents(told) == contents_of(arrivals, RULES)
    (ids,) = told.members("customer", by="ref").values()
    assert ids == {"shop/1", "kiosk/1", "shop/2", "kiosk/2"}


def late_between_two_visits(first: str, bridge: str, second: str) -> list[Touchpoint]:
    """Two visits that turn out to be one; each touchpoint by its source, all of one id."""
    return [
        touchpoint("10:00", id="1", source=first),
        touchpoint("10:50", id="1", source=second),
        touchpoint("10:25", id="1", source=bridge, arrives="10:55"),
    ]


def test_of_two_visits_that_turn_out_to_be_one_the_first_goes_on_and_the_other_is_absorbed() -> (
    None
):
    told = process(late_between_two_visits("shop", "app", "kiosk"))

    states = sorted((one.state, one.count) for one in told.sessions.values())
    assert states == [("absorbed", 0), ("closed", 3)]
    (closed,) = told.live_sessions.values()
    assert {one.absorbed_by for one in told.sessions.values()} == {None, closed.session_id}


def test_an_answer_afterwards_is_no_part_of_the_way_though_a_touchpoint_there_has_its_id() -> None:
    arrivals = [
        touchpoint("10:00", id="1", source="shop", name="bill", session_hint="s"),
        touchpoint("10:01", id="2", source="shop", name="pay-online", session_hint="s"),
        touchpoint("10:02", id="3", source="shop", location="/paid", session_hint="s"),
        touchpoint(
            "10:05", id="2", source="asking", channel="survey", name="answer",
            rating=("ces", 6), session_hint="s",
        ),
    ]  # fmt: skip

    told = process(arrivals)

    (journey,) = told.live_journeys.values()
    assert journey.microjourney == ("view-bill", "pay-online", "paid")
    assert contents(told) == contents_of(arrivals, RULES)


def test_a_state_that_was_stored_still_knows_them_apart() -> None:
    state = CustomerState(customer="c")
    for one in INTERLEAVED:
        arrived = Arriving(unpack(pack(state)), RULES)
        arrived.touchpoint(interaction_of(one, "d", (), RULES))
        state = arrived.settled().state

    again = Arriving(unpack(pack(state)), RULES)
    for one in INTERLEAVED:
        again.touchpoint(interaction_of(one, "d", (), RULES))

    assert again.settled().results == []
    assert timedelta(0) < state.tail[-1].at - state.tail[0].at


def test_an_answer_in_a_state_of_before_is_known_by_its_id_alone() -> None:
    call: dict[str, Any] = {"session_hint": "c", "user_id": "ann"}
    menu = touchpoint("10:00", id="1", channel="ivr", name="main-menu", **call)
    answer = touchpoint("11:00", id="2", channel="survey", name="x", rating=("ces", 5), **call)
    again = touchpoint("11:05", id="3", channel="survey", name="x", rating=("ces", 6), **call)
    told = []
    for before in (False, True):
        running = engine()
        running.process(menu)
        running.process(answer)
        (journey,) = (
            journey
            for state in running._stores["stitch"].states.values()  # type: ignore[attr-defined]
            if isinstance(state, CustomerState)
            for journey in state.picture.journeys
        )
        assert journey.answers == (answer.ref,)
        if before:
            journey.answers = (answer.id,)
        running.process(again)
        told.append([message.record for message in running.outbox])

    assert told[0] == told[1]
