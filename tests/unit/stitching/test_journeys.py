import pytest

from pipeline.stitching.journeys import MOVES, Move, Stand
from schemas.records import JourneyOutcome, Touchpoint
from tests.builders import Results, process, touchpoint


def journeys(*touchpoints: Touchpoint) -> list[tuple[str, str, str]]:
    told = process(touchpoints)
    return sorted((one.mission, one.outcome, one.reason) for one in told.live_journeys.values())


def the_journey(told: Results) -> JourneyOutcome:
    (journey,) = told.live_journeys.values()
    return journey


def test_a_journey_is_completed_by_its_completing_touchpoint() -> None:
    looking = touchpoint("10:00", name="view-bill")
    paid = touchpoint("10:05", location="/paid")

    assert journeys(looking, paid) == [("pay-bill", "completed", "completing_touchpoint")]


def test_what_broke_on_the_way_does_not_undo_completion_and_has_cost_nothing() -> None:
    looking = touchpoint("10:00", name="view-bill")
    failing = touchpoint("10:01", "http_5xx", name="pay-online")
    paid = touchpoint("10:05", location="/paid")

    journey = the_journey(process([looking, failing, paid]))

    assert (journey.outcome, journey.broke_at) == ("completed", None)
    assert journey.verdicts.broken == 1


def test_silence_after_something_broke_is_frustration_and_names_the_culprit() -> None:
    looking = touchpoint("10:00", name="view-bill")
    failing = touchpoint("10:01", "http_5xx", name="pay-online")

    journey = the_journey(process([looking, failing]))

    assert (journey.outcome, journey.reason) == ("frustrated", "silence_after_broken")
    assert journey.broke_at == "pay-online"


def test_silence_after_nothing_broke_is_abandonment() -> None:
    assert journeys(touchpoint("10:00", name="view-bill")) == [("pay-bill", "abandoned", "silence")]


def test_a_silence_of_exactly_the_patience_continues_a_journey() -> None:
    looking = touchpoint("10:00", name="view-bill")
    paid = touchpoint("12:00", location="/paid")

    assert journeys(looking, paid) == [("pay-bill", "completed", "completing_touchpoint")]


def test_a_second_more_ends_it() -> None:
    looking = touchpoint("10:00", name="view-bill")
    later = touchpoint("12:00:01", name="view-bill")

    assert journeys(looking, later) == [("pay-bill", "abandoned", "silence")] * 2


def test_one_journey_runs_over_several_channels_and_devices() -> None:
    looking = touchpoint("10:00", name="view-bill", anonymous_id="a", user_id="ann")
    paid = touchpoint("10:09", channel="app", name="paid-in-app", device_id="d", user_id="ann")

    journey = the_journey(process([looking, paid]))

    assert (journey.outcome, journey.channels) == ("completed", ("web", "app"))


def test_an_intent_decides_before_the_touchpoint_does() -> None:
    asking = touchpoint("10:00", name="view-bill", intent="help")

    assert journeys(asking) == [("get-help", "abandoned", "silence")]


@pytest.mark.parametrize("begun", [("10:00", "10:01"), ("10:01", "10:00")], ids=["first", "last"])
def test_of_two_missions_that_expect_a_touchpoint_the_one_whose_next_step_it_is_gets_it(
    begun: tuple[str, str],
) -> None:
    bill = touchpoint(begun[0], id="1", intent="bill")
    help_ = touchpoint(begun[1], id="2", intent="help")
    looking = touchpoint("10:02", id="3", name="view-bill")

    told = process([bill, help_, looking])

    assert told.verdicts["3"].mission == "pay-bill"


def test_else_the_one_that_was_active_last_gets_it() -> None:
    bill = touchpoint("10:00", id="1", intent="bill")
    help_ = touchpoint("10:01", id="2", intent="help")
    complaint = touchpoint(
        "10:02", id="3", channel="agent", name="complain", anonymous_id="browser"
    )

    told = process([bill, help_, complaint])

    assert told.verdicts["3"].mission == "get-help"


def test_one_sign_of_trouble_and_no_step_after_it_is_broken_once_the_journey_ends() -> None:
    looking = touchpoint("10:00", id="1", name="view-bill")
    slow = touchpoint("10:01", "slow", id="2", name="pay-online")

    told = process([looking, slow])

    rules = [reason.rule for reason in told.verdicts["2"].reasons]
    assert (told.verdicts["2"].verdict, rules) == ("broken", ["slow", "step_not_reached"])
    assert the_journey(told).outcome == "frustrated"


def test_one_sign_of_trouble_is_forgiven_where_the_next_step_is_reached() -> None:
    slow = touchpoint("10:00", "slow", id="1", name="view-bill")
    paying = touchpoint("10:01", id="2", name="pay-online")

    assert process([slow, paying]).verdicts["1"].verdict == "functional"


def test_a_late_completion_revises_an_outcome_that_was_said_too_early() -> None:
    looking = touchpoint("10:00", id="1", name="view-bill")
    others = [touchpoint("20:00", id=f"other {n}", anonymous_id="other") for n in range(40)]
    late = touchpoint("10:20", id="2", location="/paid")

    told = process([looking, *others, late])

    said = [(one.revision, one.outcome) for one in told.records("journey-outcomes")]
    assert said == [(1, "abandoned"), (2, "completed")]


def test_a_call_hung_up_at_once_is_not_judged_and_mars_no_journey() -> None:
    ringing = touchpoint("10:00:00", "menu_repeat", id="1", channel="ivr", name="main-menu")
    hanging_up = touchpoint("10:00:04", "hangup", id="2", channel="ivr", name="main-menu")

    told = process([ringing, hanging_up])

    assert {one.verdict for one in told.verdicts.values()} == {None}
    assert the_journey(told).outcome == "abandoned"


def test_a_call_of_which_only_the_end_is_known_is_judged() -> None:
    ended = touchpoint("10:00", "hangup", id="only", channel="ivr", session_hint="c")

    assert process([ended]).verdicts["only"].verdict == "functional"


def test_a_call_of_five_seconds_is_judged() -> None:
    ringing = touchpoint("10:00:00", "menu_repeat", id="1", channel="ivr", name="main-menu")
    hanging_up = touchpoint("10:00:05", "hangup", id="2", channel="ivr", name="main-menu")

    assert process([ringing, hanging_up]).verdicts["1"].verdict == "broken"


def test_effort_counts_changes_of_channel_and_steps_begun_again() -> None:
    easy = [touchpoint("10:00", name="view-bill"), touchpoint("10:01", location="/paid")]
    hard = [
        touchpoint("10:00", name="view-bill", user_id="ann"),
        touchpoint("10:01", name="pay-online", user_id="ann"),
        touchpoint("10:02", name="view-bill", user_id="ann"),
        touchpoint("10:03", channel="app", name="paid-in-app", user_id="ann"),
    ]

    assert the_journey(process(easy)).effort == 7.0
    assert the_journey(process(hard)).effort == round(7 - (3 + 2) / 3, 2)


ENDED = {Stand.COMPLETED, Stand.FRUSTRATED, Stand.ABANDONED}


def test_a_journey_that_has_ended_moves_only_by_what_is_learnt_of_how_it_ended() -> None:
    learnt = {stand: dict(MOVES[stand]) for stand in ENDED}

    assert learnt == {
        Stand.COMPLETED: {Move.RETURN: Stand.FRUSTRATED},
        Stand.ABANDONED: {Move.ANSWER: Stand.FRUSTRATED, Move.RESUME: Stand.OPEN},
        Stand.FRUSTRATED: {Move.RESUME: Stand.OPEN},
    }


def test_what_follows_a_break_tells_apart_how_it_ends_and_nothing_else_does() -> None:
    after = {Move.SWITCH, Move.ANSWER}

    later = {Move.RETURN, Move.RESUME}

    assert set(MOVES[Stand.MARRED]) == set(Move) - later
    assert set(MOVES[Stand.OPEN]) == set(Move) - later - after
