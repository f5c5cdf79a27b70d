"""How each mission does: outcomes, promises, the ways customers take, effort."""

from datetime import timedelta

import msgspec
import pytest

from pipeline.reporting.inference import rate
from pipeline.reporting.missions import efforts_of, missions_of
from pipeline.reporting.report import Objective, OfMission
from pipeline.reporting.results import Journey
from pipeline.stitching.missions import Missions, Objectives
from pipeline.stitching.rules import Rules
from schemas.records import Counts, JourneyOutcome, Touchpoint
from tests.builders import PAY_BILL, RULES, at, touchpoint
from tests.unit.reporting.reports import pays, reported


def journey(
    number: int, *, minutes: int = 5, objectives: dict[str, bool] | None = None, **fields
) -> Journey:
    given = {
        "mission": "pay-bill",
        "outcome": "completed",
        "microjourney": ("pay-online", "paid"),
        "effort": 7.0,
        "reason": "completing_touchpoint",
    }
    outcome = JourneyOutcome(
        **(given | fields),
        journey_id=f"j-{number}",
        revision=1,
        customer=f"c-{number}",
        started_at=at("10:00"),
        ended_at=at("10:00") + timedelta(minutes=minutes),
        phases=(),
        channels=("web",),
        objectives=objectives or {},
        verdicts=Counts(functional=2),
    )
    return Journey(outcome=outcome, interactions=())


def only(journeys: list[Journey]) -> OfMission:
    (found,) = missions_of(journeys, RULES)
    return found


def test_a_mission_has_its_outcomes_and_the_value_of_those_that_failed():
    ends = ["completed", "completed", "frustrated", "abandoned", "abandoned"]

    found = only([journey(n, outcome=end, reason="silence") for n, end in enumerate(ends)])

    assert (found.completed, found.frustrated, found.abandoned) == (rate(2, 5), 1, 2)
    assert [(one.word, one.count) for one in found.endings] == [("silence", 3)]
    assert found.value_lost is not None
    assert found.value_lost.amount == 3 * 38.5


def test_a_promise_of_time_is_held_against_those_who_got_what_they_wanted():
    told = [
        *pays("anna", "10:00"),
        *pays("ben", "11:00", until="pay-online"),
        touchpoint("11:21", name="seen", location="/paid", user_id="ben"),
        *pays("carl", "12:00", until="pay-online"),
        touchpoint("12:59", name="pay-online", user_id="carl"),
    ]

    (promise,) = [one for one in objectives_of(told) if one.what == "duration_max"]

    assert (promise.target, promise.kept, promise.met) == (600.0, rate(1, 2), None)


def test_a_promise_of_touchpoints_counts_all_that_happened_not_the_shortened_path():
    crowded = [*pays("anna", until="pay-online")]
    crowded += [
        touchpoint(f"10:01:0{n}", name="pay-online", user_id="anna", id=f"again {n}")
        for n in range(1, 4)
    ]
    crowded.append(touchpoint("10:03", name="seen", location="/paid", user_id="anna"))

    (few,) = [one for one in objectives_of([*crowded, *pays("ben")]) if "touchpoints" in one.what]

    assert few.kept == rate(1, 2)


def test_a_promise_of_completion_is_kept_or_not():
    often, seldom = (
        msgspec.structs.replace(
            RULES,
            missions=Missions(
                (msgspec.structs.replace(PAY_BILL, objectives=Objectives(completion_rate_min=m)),)
            ),
        )
        for m in (0.51, 0.5)
    )
    told = [*pays("anna"), *pays("ben", until="view-bill")]

    assert [one.met for one in objectives_of(told, often)] == [False]
    assert [one.met for one in objectives_of(told, seldom)] == [True]


def test_a_promise_of_ease_is_held_against_every_journey():
    easy = msgspec.structs.replace(PAY_BILL, objectives=Objectives(effort_min=6.5))
    rules = msgspec.structs.replace(RULES, missions=Missions((easy,)))
    hard = pays("anna", "10:00", "rage_click", until="pay-online")

    (promise,) = objectives_of([*hard, *pays("ben")], rules)

    assert (promise.what, promise.target, promise.kept) == ("effort_min", 6.5, rate(1, 2))


def objectives_of(told: list[Touchpoint], rules: Rules = RULES) -> tuple[Objective, ...]:
    (found,) = [one for one in reported(told, rules).missions if one.mission == "pay-bill"]
    return found.objectives


def test_segments_are_told_apart_the_largest_first():
    told = [journey(n, segment="prepaid") for n in range(2)]
    told.append(journey(2, segment="business", outcome="abandoned"))

    one, other = only([*told, journey(3)]).segments

    assert (one.segment, one.completed) == ("prepaid", rate(2, 2))
    assert (other.segment, other.completed, other.abandoned) == ("business", rate(0, 1), 1)


def test_ways_are_told_apart_with_how_they_went_the_most_frequent_first():
    told = [journey(n) for n in range(3)]
    told.append(journey(3, microjourney=("view-bill",), outcome="abandoned", effort=5.0))

    found = only(told)

    assert found.paths == 2
    first, second = found.microjourneys
    assert (first.path, first.journeys, first.completed) == (("pay-online", "paid"), 3, rate(3, 3))
    assert (second.path, second.abandoned, second.effort) == (("view-bill",), 1, 5.0)


def test_effort_said_and_inferred_are_compared_by_mission_and_over_all():
    told = [journey(n, effort=7.0 - n, effort_asked=6.0 - n) for n in range(3)]
    told.append(journey(3, effort=2.0, effort_asked=7.0, mission="get-help"))

    over_all, helped, paid = efforts_of([*told, journey(9)], RULES)

    assert (over_all.mission, over_all.pairs) == (None, 4)
    assert (helped.mission, helped.correlation) == ("get-help", None)
    assert (paid.correlation, paid.asked, paid.inferred) == (1.0, 5.0, 6.0)
    assert paid.divisor is None  # three answers fit nothing


def test_from_thirty_answers_on_the_divisor_that_fits_them_is_told():
    # A load of 3 costs one point inferred; those asked felt it to cost half a point.
    told = [journey(n, effort=6.0, effort_asked=6.5) for n in range(30)]

    assert efforts_of(told, RULES)[0].divisor == pytest.approx(6.0)


def test_without_answers_there_is_nothing_to_compare():
    assert efforts_of([journey(1)], RULES) == ()
