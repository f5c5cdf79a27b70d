"""What an outcome says beside how it ended: objectives, effort, what was at stake, for whom."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pipeline.stitching.missions import Mission, Missions, Objectives
from pipeline.stitching.rules import Rules
from pipeline.stitching.segments import SEGMENT_LENGTH_MAX, segment_of
from schemas.records import JourneyOutcome, Touchpoint
from tests.builders import PAY_BILL, READ_UP, RULES, process, restarted, touchpoint


def the_outcome(*touchpoints: Touchpoint, rules: Rules = RULES) -> JourneyOutcome:
    (outcome,) = process(touchpoints, rules).live_journeys.values()
    return outcome


def only(mission: Mission, **changes: Any) -> Rules:
    """Rules with this one mission, changed."""
    changed = msgspec.structs.replace(mission, **changes)
    return msgspec.structs.replace(RULES, missions=Missions((changed,)))


def raw(**properties: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(properties))


LOOKING = touchpoint("10:00", name="view-bill")
PAID = touchpoint("10:10", location="/paid")


def test_a_journey_that_completes_in_time_and_easily_meets_every_objective() -> None:
    assert the_outcome(LOOKING, PAID).objectives == {
        "completion_rate_min": True,
        "duration_max": True,
        "touchpoints_max": True,
        "effort_min": True,
    }


def test_a_second_too_long_is_a_missed_objective() -> None:
    late = touchpoint("10:10:01", location="/paid")

    assert the_outcome(LOOKING, late).objectives["duration_max"] is False


def test_too_many_touchpoints_miss_theirs_and_are_counted_where_the_path_names_them_once() -> None:
    looks = [touchpoint(f"10:0{n}", id=str(n), name="view-bill") for n in range(4)]

    outcome = the_outcome(*looks, PAID)

    assert (outcome.count, outcome.microjourney) == (5, ("view-bill", "paid"))
    assert outcome.objectives["touchpoints_max"] is False


def test_giving_up_early_meets_no_objective_of_time_or_touchpoints() -> None:
    assert the_outcome(LOOKING).objectives == {"completion_rate_min": False, "effort_min": True}


def test_giving_up_late_misses_the_one_of_time() -> None:
    again = touchpoint("11:00", name="view-bill")

    assert the_outcome(LOOKING, again).objectives["duration_max"] is False


def test_effort_below_its_objective_misses_it() -> None:
    hard = touchpoint("10:05", "rage_click", name="pay-online")
    harder = touchpoint("10:06", "error_click", name="pay-online")

    outcome = the_outcome(LOOKING, hard, harder, PAID)

    assert (outcome.effort, outcome.objectives["effort_min"]) == (round(7 - 5 / 3, 2), False)


def test_each_multiple_of_the_time_that_is_exceeded_is_effort_and_five_count_at_most() -> None:
    def taking(clock: str) -> float:
        return the_outcome(LOOKING, touchpoint(clock, location="/paid")).effort

    assert [taking("10:10"), taking("10:10:01"), taking("10:20:01")] == [7.0, 6.67, 6.33]
    assert taking("10:59") == taking("11:50") == round(7 - 5 / 3, 2)


def test_a_mission_without_objectives_is_measured_by_its_shortest_way() -> None:
    rules = only(PAY_BILL, objectives=Objectives())
    once_more = touchpoint("10:01", name="view-bill")

    assert the_outcome(LOOKING, PAID, rules=rules).effort == 7.0
    outcome = the_outcome(LOOKING, once_more, PAID, rules=rules)
    assert (outcome.effort, outcome.objectives) == (round(7 - 1 / 3, 2), {})


def test_the_shortest_way_is_a_start_and_a_completion_or_one_that_is_both() -> None:
    both = msgspec.structs.replace(READ_UP, completes=READ_UP.starts)

    assert (READ_UP.shortest, both.shortest) == (2, 1)


def test_a_mission_may_have_its_own_divisor_of_effort() -> None:
    rules = only(PAY_BILL, effort_divisor=1.5)
    raging = touchpoint("10:05", "rage_click", name="pay-online")

    assert the_outcome(LOOKING, raging, PAID, rules=rules).effort == 7 - 3 / 1.5


@pytest.mark.parametrize(
    ("signals", "load"),
    [
        (("rage_click",), 3), (("dead_click",), 2), (("error_click",), 2), (("quick_back",), 1),
        (("transfer",), 2), (("fallback",), 0), (("fallback", "fallback"), 2),
        (("no_match", "fallback", "no_match"), 4), (("no_input", "no_input"), 0), (("slow",), 0),
    ],
)  # fmt: skip
def test_each_signal_weighs_as_much_effort_as_the_frustration_score_says(
    signals: tuple[str, ...], load: int
) -> None:
    paying = touchpoint("10:05", *signals, name="pay-online")

    assert the_outcome(LOOKING, paying, PAID).effort == round(7 - load / 3, 2)


def test_a_change_of_channel_that_the_mission_plans_is_no_effort() -> None:
    asking = touchpoint("10:00", channel="chatbot", name="ask-bot")
    ringing = touchpoint("10:00", channel="ivr", name="main-menu")
    talking = touchpoint("10:05", channel="agent", name="talk")

    assert the_outcome(asking, talking).effort == 7.0
    assert the_outcome(ringing, talking).effort == round(7 - 2 / 3, 2)


def test_no_way_is_harder_than_very_hard() -> None:
    raging = touchpoint("10:05", *["rage_click"] * 9, name="pay-online")

    assert the_outcome(LOOKING, raging, PAID).effort == 1.0


def test_what_cost_the_mission_is_the_last_that_broke_a_moment_of_truth_before_others() -> None:
    bills = [touchpoint(f"10:0{n}", "http_5xx", name="view-bill") for n in (1, 4)]
    truth = touchpoint("10:02", "http_5xx", name="pay-online")
    unknown = touchpoint("10:05", "not_helped", name="x")
    receipt = touchpoint("10:06", "http_5xx", location="/paid")

    assert the_outcome(bills[0], truth, bills[1]).broke_at == "pay-online"
    assert the_outcome(bills[0], receipt).broke_at == "paid"
    assert the_outcome(bills[0], unknown).broke_at == "view-bill"
    assert the_outcome(LOOKING, unknown).broke_at == "other"


def test_a_step_begun_again_after_it_was_left_is_a_restart_and_one_that_goes_on_is_none() -> None:
    looks = [touchpoint("10:01", name="view-bill"), touchpoint("10:05", name="view-bill")]
    paying = touchpoint("10:03", name="pay-online")

    assert the_outcome(LOOKING, looks[0], paying, PAID).restarts == 0
    assert the_outcome(LOOKING, paying, looks[1], PAID).restarts == 1


def test_what_lies_between_two_of_the_same_step_and_is_no_step_leaves_nothing() -> None:
    elsewhere = touchpoint("10:01", name="home")
    looking_on = touchpoint("10:02", name="view-bill")

    assert the_outcome(LOOKING, elsewhere, looking_on, PAID).restarts == 0


def test_the_asked_effort_stands_beside_the_inferred_and_the_last_answer_counts() -> None:
    unsure = touchpoint("10:02", name="pay-online", rating=("ces", 4))
    sure = touchpoint("10:10", location="/paid", rating=("ces", 6))
    unasked = touchpoint("10:02", name="pay-online", rating=("nps", 9))

    assert the_outcome(LOOKING, unsure, sure).effort_asked == 6
    assert the_outcome(LOOKING, unasked, PAID).effort_asked is None


def test_moments_of_truth_and_brand_moments_are_marked_on_outcomes_and_verdicts() -> None:
    in_app = {"channel": "app", "anonymous_id": "browser"}
    paying = touchpoint("10:05", id="paying", name="pay-in-app", **in_app)
    paid = touchpoint("10:06", id="paid", name="paid-in-app", **in_app)

    told = process([LOOKING, paying, paid])

    (outcome,) = told.live_journeys.values()
    assert (outcome.moments_of_truth, outcome.brand_moments) == (("pay-in-app",), ("paid-in-app",))
    marks = {one.id: (one.moment_of_truth, one.brand_moment) for one in told.verdicts.values()}
    assert marks == {LOOKING.id: (False, False), "paying": (True, False), "paid": (False, True)}


def test_what_was_at_stake_is_told_with_its_currency() -> None:
    outcome = the_outcome(LOOKING)

    assert (outcome.value, outcome.currency) == (38.5, "EUR")


def test_a_segment_is_what_the_last_touchpoint_tells_whichever_came_first() -> None:
    basic = touchpoint("10:01", id="1", name="view-bill", properties=raw(plan="basic"))
    gold = touchpoint("10:02", id="2", name="view-bill", properties=raw(plan="gold"))

    for arrivals in ([basic, gold, PAID], [gold, basic, PAID], [PAID, gold, basic]):
        assert the_outcome(*arrivals).segment == "gold"


def test_a_segment_is_still_known_after_a_restart() -> None:
    gold = touchpoint("10:01", id="1", name="view-bill", properties=raw(plan="gold"))
    late = touchpoint("10:00", id="2", name="view-bill")

    told = process([gold, late], between=lambda running, _: restarted(running))

    (outcome,) = told.live_journeys.values()
    assert outcome.segment == "gold"


def test_without_a_property_named_in_the_rules_nobody_has_a_segment() -> None:
    gold = touchpoint("10:02", name="view-bill", properties=raw(plan="gold"))

    assert (
        the_outcome(gold, rules=msgspec.structs.replace(RULES, segment_property=None)).segment
        is None
    )


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"plan": "gold"}, "gold"),
        ({"plan": 3}, "3"),
        ({"plan": "  "}, None),
        ({"plan": True}, None),
        ({"plan": ["gold"]}, None),
        ({"plan": None}, None),
        ({"other": "plan"}, None),
        ({}, None),
        ({"plan": "x" * 100}, "x" * SEGMENT_LENGTH_MAX),
    ],
)
def test_text_and_numbers_tell_a_segment(properties: dict[str, Any], told: str | None) -> None:
    assert segment_of(raw(**properties), "plan") == told


def test_a_segment_may_stand_deeper_and_its_name_be_escaped() -> None:
    deeper = raw(context={"traits": {"plan": "gold"}}, traits="plan")

    assert segment_of(deeper, "context.traits.plan") == "gold"
    assert segment_of(deeper, "traits.plan") is None
    assert segment_of(msgspec.Raw(b'{"\\u0070lan": "gold"}'), "plan") == "gold"


def test_a_patience_is_its_missions_own() -> None:
    patient = msgspec.structs.replace(READ_UP, patience=timedelta(hours=5), intents=("read",))
    rules = msgspec.structs.replace(RULES, missions=Missions((PAY_BILL, patient)))
    looking = touchpoint("10:00", id="1", name="view-bill")
    reading = touchpoint("10:01", id="2", intent="read")
    looking_again = touchpoint("12:30", id="3", name="view-bill")
    reading_on = touchpoint("14:00", id="4", intent="read")

    told = process([looking, reading, looking_again, reading_on], rules)

    assert sorted(one.mission for one in told.live_journeys.values()) == [
        "pay-bill", "pay-bill", "read-up",
    ]  # fmt: skip
    assert told.verdicts["2"].journey_id == told.verdicts["4"].journey_id
