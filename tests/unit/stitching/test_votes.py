"""Votes: who casts one, where, how often; and that totals follow what is corrected."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from pipeline.stitching.change import Change
from pipeline.stitching.tallies import PROMPT_MAX, SOURCES_MAX, Tally, count, due_at, expire
from pipeline.stitching.votes import Ballot, Shift, minute_of
from schemas.records import Touchpoint, Votes
from tests.builders import RULES, arriving, at, process, touchpoint


def paying(clock: str, *signals: str, **fields: object) -> Touchpoint:
    """Paying in the app, a step of the mission `pay-bill`."""
    given = {"channel": "app", "name": "pay-in-app", "device_id": "d", **fields}
    return touchpoint(clock, *signals, **given)


def totals(touchpoints: Iterable[Touchpoint]) -> dict[tuple[str, str | None], tuple[int, int, int]]:
    """Votes, broken and customers as they stand, by minute and mission, of paying in the app."""
    found = {}
    for one in last_of(process(touchpoints).records("votes"), "pay-in-app"):
        counts = (one.votes, one.broken, one.customers)
        if any(counts):
            found[f"{one.minute:%H:%M}", one.mission] = counts
    return found


def last_of(sent: list[Votes], at_touchpoint: str) -> list[Votes]:
    latest = {(one.minute, one.mission): one for one in sent if one.touchpoint == at_touchpoint}
    return list(latest.values())


def test_an_interaction_casts_a_vote_for_its_mission_and_one_over_all():
    assert totals([paying("10:00")]) == {
        ("10:00", "pay-bill"): (1, 0, 0),
        ("10:00", None): (1, 0, 0),
    }


def test_a_session_votes_once_and_its_worst_verdict_counts_in_the_minute_that_decided():
    told = totals([paying("10:00"), paying("10:02", "http_5xx"), paying("10:04", "crash")])

    assert told == {("10:02", "pay-bill"): (1, 1, 1), ("10:02", None): (1, 1, 1)}


def test_another_session_votes_again_but_the_same_customer_counts_once_within_an_hour():
    told = totals(
        [paying("10:00", "http_5xx"), paying("10:40", "http_5xx"), paying("11:50", "http_5xx")]
    )

    assert [told[clock, None] for clock in ("10:00", "10:40", "11:50")] == [
        (1, 1, 1),
        (1, 1, 0),
        (1, 1, 1),
    ]


def test_two_customers_in_one_minute_are_two():
    told = totals([paying("10:00", "http_5xx"), paying("10:00:30", "crash", device_id="e")])

    assert told["10:00", "pay-bill"] == (2, 2, 2)


def test_totals_say_why_it_broke_and_name_some_that_did():
    sent = process([paying("10:00", "http_5xx", id="1"), paying("10:01", "crash", id="2")])

    (one,) = [one for one in last_of(sent.records("votes"), "pay-in-app") if one.mission]
    assert one.reasons == {"http_5xx": 1}
    assert one.touchpoints == ("1",)


def test_a_call_casts_a_broken_vote_when_it_comes_and_the_sound_one_stays():
    told = totals(
        [
            paying("10:00", account_id="ann"),
            touchpoint("10:12", channel="ivr", name="main-menu", account_id="ann", intent="bill"),
        ]
    )

    assert told["10:00", "pay-bill"] == (1, 0, 0)
    assert told["10:12", "pay-bill"] == (1, 1, 1)


def test_a_call_adds_nothing_to_what_was_broken_before_it():
    told = totals(
        [
            paying("10:00", "http_5xx", account_id="ann"),
            touchpoint("10:12", channel="ivr", name="main-menu", account_id="ann", intent="bill"),
        ]
    )

    assert told == {("10:00", "pay-bill"): (1, 1, 1), ("10:00", None): (1, 1, 1)}


def test_a_machine_casts_no_vote_also_for_what_it_did_before_it_was_known_as_one():
    swift = [paying(f"10:00:{n // 4:02d}", "http_5xx", id=f"{n:03d}") for n in range(150)]

    assert totals(swift) == {}


def test_a_test_source_casts_no_vote():
    assert totals([paying("10:00", "crash", source="test-robot")]) == {}


def test_a_late_touchpoint_moves_the_vote_to_the_minute_that_decided():
    late = paying("10:01", "http_5xx", arrives="10:09")

    assert totals([paying("10:00"), paying("10:05", "crash"), late]) == {
        ("10:01", "pay-bill"): (1, 1, 1),
        ("10:01", None): (1, 1, 1),
    }


def test_two_devices_that_turn_out_to_be_one_person_broke_for_one_customer():
    apart = [
        paying("10:00", "http_5xx", device_id="d"),
        paying("10:01", "http_5xx", device_id="e"),
    ]
    known = [
        touchpoint("10:02", channel="app", name="open", device_id=device, user_id="ann")
        for device in ("d", "e")
    ]

    assert totals(apart)["10:01", None] == (1, 1, 1)
    assert totals([*apart, *known]) == {
        ("10:00", "pay-bill"): (1, 1, 1),
        ("10:00", None): (1, 1, 1),
        ("10:01", "pay-bill"): (1, 1, 0),
        ("10:01", None): (1, 1, 0),
    }


def test_a_vote_without_a_mission_counts_over_all_only():
    told = process([touchpoint("10:00", name="elsewhere")])

    assert [(one.touchpoint, one.mission) for one in told.records("votes")] == [
        ("other", None),
        ("source shop", None),
    ]


NOON = minute_of(at("12:00"))


def ballot(clock: str, *shifts: Shift) -> Ballot:
    return Ballot(touchpoint="pay", block=NOON, at=at(clock), shifts=shifts)


SOUND = Shift("", NOON, 1)
BROKEN = Shift("", NOON, 1, 1, 1, {"crash": 1}, ("1",))


def sent(change: Change[Tally | None]) -> list[tuple[int, int]]:
    return [(m.record.votes, m.record.broken) for m in change.results]  # type: ignore[attr-defined]


def test_what_broke_is_sent_at_once_and_takes_along_what_waited():
    waits = count(None, [ballot("12:00:01", SOUND)], None, RULES)
    goes = count(waits.state, [ballot("12:00:02", BROKEN)], None, RULES)

    assert (sent(waits), sent(goes)) == ([], [(2, 1)])


def test_the_first_of_a_minute_to_break_are_sent_at_once_each():
    state, found = None, []
    for _ in range(PROMPT_MAX):
        change = count(state, [ballot("12:00:01", BROKEN)], at("11:58"), RULES)
        state = change.state
        found += sent(change)

    assert found == [(number, number) for number in range(1, PROMPT_MAX + 1)]


def test_within_a_second_of_the_last_totals_further_ones_wait():
    before, state = at("11:58"), None
    for _ in range(PROMPT_MAX):
        state = count(state, [ballot("12:00:01", BROKEN)], before, RULES).state
    waits = count(state, [ballot("12:00:01.5", BROKEN)], before, RULES)

    assert sent(waits) == []
    assert waits.state is not None
    assert due_at(waits.state, RULES) == before + timedelta(seconds=1)
    whole = PROMPT_MAX + 1
    assert sent(expire(waits.state, before + timedelta(seconds=1), RULES)) == [(whole, whole)]


def test_what_is_taken_back_is_not_prompt():
    state = count(None, [ballot("12:00:01", BROKEN)], None, RULES).state
    back = Shift("", NOON, 0, -1, -1, {"crash": -1})

    assert sent(count(state, [ballot("12:00:01.5", back)], None, RULES)) == []


def test_sound_votes_wait_for_twenty_seconds_at_most():
    state = count(None, [ballot("12:00:01", SOUND)], at("11:58"), RULES).state

    assert state is not None
    assert due_at(state, RULES) == at("11:58:20")


def test_a_tally_is_forgotten_two_hours_after_its_minutes():
    state = count(None, [ballot("12:00:01", BROKEN)], at("11:58"), RULES).state

    assert state is not None
    assert due_at(state, RULES) == at("14:10")
    assert expire(state, at("14:10"), RULES).state is None


@pytest.mark.parametrize(("watermark", "kept"), [("14:09:59", True), ("14:10", False)])
def test_what_is_older_than_what_is_kept_is_not_counted_any_more(watermark, kept):
    change = count(None, [ballot("12:00:01", BROKEN)], at(watermark), RULES)

    assert (change.state is not None) == kept


def test_what_was_never_counted_cannot_be_taken_back():
    state = count(None, [ballot("12:00:01", BROKEN)], None, RULES).state
    back = Shift("", NOON, -2, -2, -2, {"crash": -2})

    assert sent(count(state, [ballot("12:00:09", back)], None, RULES)) == [(0, 0)]


def for_sources(touchpoints: Iterable[Touchpoint]) -> dict[tuple[str, str], int]:
    """Votes for sources as they stand, by source and minute."""
    sent = process(touchpoints).records("votes")
    sources = {one.touchpoint for one in sent if one.touchpoint.startswith("source ")}
    return {
        (source, f"{one.minute:%H:%M}"): one.votes
        for source in sources
        for one in last_of(sent, source)
        if one.votes
    }


def test_a_session_casts_one_vote_for_each_source_it_is_heard_of_by():
    told = for_sources(
        [
            paying("10:00", source="android"),
            paying("10:01", "http_5xx", source="android"),
            paying("10:02", source="backend"),
            paying("10:03", source="android"),
            paying("12:00", source="android"),
        ]
    )

    assert told == {
        ("source android", "10:00"): 1,
        ("source backend", "10:02"): 1,
        ("source android", "12:00"): 1,
    }


def test_what_is_not_judged_speaks_for_no_source():
    assert for_sources([paying("10:00", source="test-robot")]) == {}


def test_totals_over_all_name_the_sources_the_touchpoint_was_heard_of_by():
    sent = process(
        [
            paying("10:00", source="android"),
            paying("10:01", source="backend", device_id="another"),
        ]
    ).records("votes")

    last = {one.mission: one.sources for one in last_of(sent, "pay-in-app")}
    assert last == {"pay-bill": (), None: ("android", "backend")}


def test_of_many_sources_the_same_are_named_in_whatever_order_they_come():
    sources = [f"shop-{number:02d}" for number in range(SOURCES_MAX + 4)]
    visits = [
        paying("10:00", source=source, id=source, device_id=source, session_hint=source)
        for source in sources
    ]

    for came in (visits, visits[::-1], visits[5:] + visits[:5]):
        sent = process(arriving(came)).records("votes")

        last = {one.mission: one.sources for one in last_of(sent, "pay-in-app")}
        assert last[None] == tuple(sources[:SOURCES_MAX])
