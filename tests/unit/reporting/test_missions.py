"""How each mission does: outcomes, promises, the ways customers take, effort."""

from datetime import timedelta

import pytest

from pipeline.reporting.inference import rate
from pipeline.reporting.missions import efforts_of, missions_of
from pipeline.reporting.report import OfMission
from pipeline.reporting.results import Journey
from schemas.records import Counts, JourneyOutcome, Touchpoint
from tests.builders import RULES, at, touchpoint
from tests.unit.reporting.reports import gathered, pays, reported


def journey(
    number: int, *, effort: float = 7.0, asked: float | None = None, minutes: int = 5, **fields
) -> Journey:
    given = {"mission": "pay-bill", "outcome": "completed", "microjourney": ("pay-online", "paid")}
    outcome = JourneyOutcome(
        **(given | fields),
        journey_id=f"j-{number}",
        revision=1,
        customer=f"c-{number}",
        reason="completing_touchpoint",
        started_at=at("10:00"),
        ended_at=at("10:00") + timedelta(minutes=minutes),
        phases=(),
        channels=("web",),
        effort=effort,
        verdicts=Counts(functional=2),
    )
    return Journey(outcome=outcome, interactions=(), asked=asked)


def only(journeys: list[Journey]) -> OfMission:
    (found,) = missions_of(journeys, RULES)
    return found


def test_a_mission_has_its_outcomes_and_the_value_of_those_that_failed():
    ends = ["completed", "completed", "frustrated", "abandoned", "abandoned"]

    found = only([journey(n, outcome=end) for n, end in enumerate(ends)])

    assert (found.completed, found.frustrated, found.abandoned) == (rate(2, 5), 1, 2)
    assert found.value_lost is not None
    assert found.value_lost.amount == 3 * 38.5


def test_a_promise_of_time_is_held_against_those_who_got_what_they_wanted():
    told = [
        journey(0, minutes=10),  # exactly the time promised is within it
        journey(1, minutes=11),
        journey(2, minutes=60, outcome="abandoned"),
    ]

    (duration,) = [one for one in only(told).objectives if one.what == "duration_max"]

    assert (duration.target, duration.kept, duration.met) == (600.0, rate(1, 2), None)


def test_a_promise_of_touchpoints_counts_all_that_happened_not_the_shortened_path():
    crowded = [*pays("anna", until="pay-online")]
    crowded += [
        touchpoint(f"10:01:0{n}", name="pay-online", user_id="anna", id=f"again {n}")
        for n in range(1, 4)
    ]
    crowded.append(touchpoint("10:03", name="seen", location="/paid", user_id="anna"))

    report = reported([*crowded, *pays("ben")])

    (few,) = [one for one in report.missions[0].objectives if one.what == "touchpoints_max"]
    assert few.kept == rate(1, 2)


def test_ways_are_told_apart_with_how_they_went_the_most_frequent_first():
    told = [journey(n) for n in range(3)]
    told.append(journey(3, microjourney=("view-bill",), outcome="abandoned", effort=5.0))

    found = only(told)

    assert found.paths == 2
    first, second = found.microjourneys
    assert (first.path, first.journeys, first.completed) == (("pay-online", "paid"), 3, rate(3, 3))
    assert (second.path, second.abandoned, second.effort) == (("view-bill",), 1, 5.0)


def test_effort_said_and_inferred_are_compared_by_mission_and_over_all():
    told = [journey(n, effort=7.0 - n, asked=6.0 - n) for n in range(3)]
    told.append(journey(3, effort=2.0, asked=7.0, mission="get-help"))

    over_all, helped, paid = efforts_of([*told, journey(9)], RULES)

    assert (over_all.mission, over_all.pairs) == (None, 4)
    assert (helped.mission, helped.correlation) == ("get-help", None)
    assert (paid.correlation, paid.asked, paid.inferred) == (1.0, 5.0, 6.0)
    assert paid.divisor is None  # three answers fit nothing


def test_from_thirty_answers_on_the_divisor_that_fits_them_is_told():
    # A load of 3 costs one point inferred; those asked felt it to cost half a point.
    told = [journey(n, effort=6.0, asked=6.5) for n in range(30)]

    assert efforts_of(told, RULES)[0].divisor == pytest.approx(6.0)


def test_without_answers_there_is_nothing_to_compare():
    assert efforts_of([journey(1)], RULES) == ()


def survey(clock: str, value: float, **fields) -> Touchpoint:
    return touchpoint(clock, name="asked", channel="survey", rating=("ces", value), **fields)


def test_an_answer_after_the_journey_is_about_the_latest_one_of_the_session_it_refers_to():
    told = [
        touchpoint("10:00", name="view-bill", user_id="anna", session_hint="s-1"),
        touchpoint("10:03", name="seen", location="/paid", user_id="anna", session_hint="s-1"),
        survey("10:05", 2, user_id="anna", session_hint="s-1"),
    ]

    (paid,) = gathered(told).results().journeys

    assert paid.asked == 2
