"""Disorder that is absorbed, time that passes by itself, and the last moment something counts."""

from datetime import timedelta

import pytest

from listeners.adapters.native import adapt_replay_line, replay_context
from listeners.settings import ListenerSettings
from schemas.records import Touchpoint
from tests.builders import NO_MISSIONS, RULES, Results, at, engine, process, touchpoint


def others(clock: str, day: int = 0) -> list[Touchpoint]:
    """So many of somebody else that event time is read off again."""
    return [
        touchpoint(clock, id=f"{day} {clock} {n}", anonymous_id="other", day=day) for n in range(40)
    ]


@pytest.mark.parametrize(("newest", "states"), [("10:32", 2), ("10:33", 4)])
def test_two_minutes_of_disorder_are_absorbed_and_a_third_takes_back_what_was_said(
    newest: str, states: int
) -> None:
    first, second = touchpoint("10:00", id="1"), touchpoint("10:30", id="2")

    told = process([first, *others(newest), second], NO_MISSIONS)

    session = told.verdicts["1"].session_id
    sent = [one.state for one in told.records("sessions") if one.session_id == session]
    assert told.verdicts["2"].session_id == session
    assert sent == ["open", "closed", "open", "closed"][:states]


def test_the_wall_clock_carries_time_once_nothing_has_come_for_a_minute() -> None:
    running = engine(NO_MISSIONS)
    running.process(touchpoint("09:00", id="1", arrives="10:00"))

    running.tick(at("10:00:59"))
    waiting = [one.state for one in Results(list(running.outbox)).sessions.values()]
    running.tick(at("10:01:00"))

    assert waiting == ["open"]
    assert [one.state for one in Results(running.outbox).sessions.values()] == ["closed"]


@pytest.mark.parametrize(("clock", "counts"), [("09:58", True), ("09:57:59", False)])
def test_a_day_behind_event_time_still_counts_and_a_second_more_does_not(
    clock: str, counts: bool
) -> None:
    late = touchpoint(clock, id="late", anonymous_id="somebody")

    told = process([*others("10:00", day=1), late], NO_MISSIONS)

    assert ("late" in told.verdicts) is counts
    assert told.dead_letters() == ([] if counts else ["too_late"])


@pytest.mark.parametrize(("clock", "counts"), [("12:02", True), ("12:02:01", False)])
def test_a_journey_is_open_to_what_comes_late_for_its_patience_and_a_day(
    clock: str, counts: bool
) -> None:
    bill = touchpoint("10:00", id="bill", name="view-bill")  # patience: two hours
    late = touchpoint("10:00", id="late", location="/paid", anonymous_id="browser")

    told = process([bill, *others(clock, day=1), late])

    (journey,) = told.live_journeys.values()
    assert journey.outcome == ("completed" if counts else "abandoned")
    assert told.dead_letters() == ([] if counts else ["too_late"])


def test_what_is_too_late_is_kept_whole_and_says_why() -> None:
    late = touchpoint("09:00", id="late", anonymous_id="somebody")

    told = process([*others("10:00", day=1), late], NO_MISSIONS)

    (letter,) = told.records("dead-letters")
    assert (letter.reason, letter.where, letter.source) == ("too_late", "$.occurred_at", "shop")
    assert letter.found == late.occurred_at.isoformat()
    assert b'"id":"late"' in letter.content
    assert not letter.truncated


def test_what_was_too_late_is_a_line_of_a_replay() -> None:
    late = touchpoint("09:00", "slow", id="late", rating=("ces", 2), session_hint="s", sequence=3)
    told = process([*others("10:00", day=1), late], NO_MISSIONS)

    (letter,) = told.records("dead-letters")
    again = adapt_replay_line(letter.content, replay_context(ListenerSettings()))

    assert again == late


def test_nothing_changes_any_more_once_the_times_of_its_mission_and_a_day_have_passed() -> None:
    running = engine()
    running.process(touchpoint("10:00", id="bill", name="view-bill"))
    last = RULES.missions.memory_of("pay-bill") + RULES.verdicts.came_back + timedelta(days=1)

    running.tick(at("10:03") + last)
    said = list(running.outbox)
    told = process([touchpoint("10:30", id="late", location="/paid")], running=running)

    assert told.dead_letters() == ["too_late"]
    assert [one.outcome for one in told.journeys.values()] == ["abandoned"]
    assert Results(said).journeys == told.journeys
