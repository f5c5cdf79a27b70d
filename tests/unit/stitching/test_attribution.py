"""Whose a touchpoint is: by intent, by what is expected, by what was last; and looking back."""

from itertools import permutations
from typing import Any

import msgspec

from pipeline.stitching.missions import Missions
from pipeline.stitching.rules import Rules
from schemas.records import Touchpoint
from tests.builders import (
    GET_HELP,
    PAY_BILL,
    RULES,
    Results,
    arriving,
    contents,
    process,
    touchpoint,
)
from tests.oracle.contents import contents_of


def missions(told: Results) -> dict[str, str | None]:
    return {id_: one.mission for id_, one in sorted(told.verdicts.items())}


def agreed(*touchpoints: Touchpoint, rules: Rules = RULES) -> Results:
    """What comes of them, the same in whatever order they come and as the oracle says."""
    told = process(touchpoints, rules)
    for arrivals in permutations(touchpoints):
        other = process(arriving(arrivals), rules)
        assert contents(other) == contents_of(touchpoints, rules)
    return told


def test_an_intent_that_shows_late_takes_along_what_belonged_to_nobody() -> None:
    told = agreed(
        touchpoint("10:00", id="1", name="home"),
        touchpoint("10:01", id="2", name="search"),
        touchpoint("10:02", id="3", intent="bill"),
    )

    assert missions(told) == dict.fromkeys("123", "pay-bill")
    (journey,) = told.live_journeys.values()
    assert (journey.count, journey.started_at.minute) == (3, 0)


def test_it_takes_along_what_only_the_mission_active_last_had_and_that_one_loses_it() -> None:
    told = agreed(
        touchpoint("10:00", id="1", intent="help", user_id="ann"),
        touchpoint("10:05", id="2", channel="app", name="home", user_id="ann"),
        touchpoint("10:06", id="3", channel="app", name="news", user_id="ann"),
        touchpoint("10:07", id="4", channel="app", intent="bill", user_id="ann"),
    )

    assert missions(told) == {"1": "get-help", "2": "pay-bill", "3": "pay-bill", "4": "pay-bill"}
    help_ = next(one for one in told.live_journeys.values() if one.mission == "get-help")
    assert (help_.count, help_.channels, help_.effort) == (1, ("web",), 7.0)


def test_it_looks_back_no_further_than_the_last_that_had_a_mission_of_its_own() -> None:
    told = agreed(
        touchpoint("10:00", id="1", name="home"),
        touchpoint("10:01", id="2", name="view-bill"),
        touchpoint("10:02", id="3", name="news"),
        touchpoint("10:03", id="4", intent="help"),
    )

    assert missions(told) == {"1": None, "2": "pay-bill", "3": "get-help", "4": "get-help"}


def test_it_does_not_look_into_another_session() -> None:
    told = agreed(
        touchpoint("10:00", id="1", name="home"),
        touchpoint("10:30:01", id="2", intent="bill"),
    )

    assert missions(told) == {"1": None, "2": "pay-bill"}


def test_it_does_not_take_from_a_journey_that_has_ended() -> None:
    told = agreed(
        touchpoint("10:00", id="1", intent="bill", user_id="ann"),
        touchpoint("10:01", id="2", channel="app", name="home", user_id="ann"),
        touchpoint("10:02", id="3", location="/paid", user_id="ann"),
        touchpoint("10:03", id="4", channel="app", intent="help", user_id="ann"),
    )

    assert missions(told) == {"1": "pay-bill", "2": "pay-bill", "3": "pay-bill", "4": "get-help"}


def test_what_failed_to_complete_a_journey_has_not_ended_it() -> None:
    rules = msgspec.structs.replace(RULES, missions=Missions((PAY_BILL, GET_HELP)))
    told = agreed(
        touchpoint("10:00", id="1", intent="bill"),
        touchpoint("10:01", "timeout", id="2", location="/paid"),
        touchpoint("10:02", id="3", name="pay-online"),
        touchpoint("10:03", id="4", intent="help"),
        rules=rules,
    )

    assert missions(told) == {"1": "pay-bill", "2": "pay-bill", "3": "pay-bill", "4": "get-help"}


def test_an_answer_never_starts_a_mission_even_where_one_says_that_it_does() -> None:
    starting = msgspec.structs.replace(GET_HELP, starts=("asked",))
    rules = msgspec.structs.replace(RULES, missions=Missions((starting,)))

    told = process([touchpoint("10:00", id="1", channel="survey", name="asked")], rules)

    assert missions(told) == {"1": None}


def test_what_is_sealed_early_keeps_what_a_later_intent_had_taken_along() -> None:
    rules = msgspec.structs.replace(RULES, touchpoints_max=60)
    clock = [f"10:{n // 6:02d}:{n % 6}0" for n in range(70)]
    browsing = [touchpoint(clock[n], id=f"{n:02d}", name="page") for n in range(60)]
    asking = touchpoint(clock[60], id="60", intent="bill")
    reading = [touchpoint(clock[n], id=f"{n}", name="news") for n in range(61, 69)]
    paid = touchpoint(clock[69], id="69", location="/paid")

    told = process([*browsing, asking, *reading, paid], rules)

    (journey,) = told.live_journeys.values()
    assert (journey.count, journey.outcome) == (70, "completed")
    assert set(missions(told).values()) == {"pay-bill"}


def test_what_fails_on_the_way_is_judged_by_the_mission_that_shows_later() -> None:
    failing = touchpoint("10:00", "http_5xx", id="1", name="pay-online", intent="unheard-of")
    rules = msgspec.structs.replace(RULES, missions=Missions((PAY_BILL, GET_HELP)))

    alone = process([failing], rules)
    told = agreed(failing, touchpoint("10:01", id="2", intent="bill"), rules=rules)

    assert alone.verdicts["1"].verdict == "functional"
    assert told.verdicts["1"].verdict == "broken"
    assert [one.reason for one in told.live_journeys.values()] == ["silence_after_broken"]


def test_a_call_that_was_about_something_else_blames_nobody_once_its_intent_shows() -> None:
    looking = touchpoint("10:00", id="1", name="view-bill", user_id="ann")
    ringing = touchpoint("10:05", id="2", channel="ivr", name="x", user_id="ann")
    saying = touchpoint("10:06", id="3", channel="ivr", name="y", intent="help", user_id="ann")

    before, after = process([looking, ringing]), agreed(looking, ringing, saying)

    assert before.verdicts["1"].verdict == "broken"
    assert after.verdicts["1"].verdict == "functional"
    assert missions(after) == {"1": "pay-bill", "2": "get-help", "3": "get-help"}


def test_what_is_taken_along_is_sent_again_with_its_mission() -> None:
    told = process(
        [touchpoint("10:00", id="1", name="home"), touchpoint("10:01", id="2", intent="bill")]
    )

    said = [(one.id, one.revision, one.mission) for one in told.records("verdicts")]
    assert said == [("1", 1, None), ("1", 2, "pay-bill"), ("2", 1, "pay-bill")]


def test_votes_for_the_touchpoint_follow_the_mission() -> None:
    told = process(
        [touchpoint("10:00", id="1", name="home"), touchpoint("10:01", id="2", intent="bill")]
    )

    last = {(one.mission, one.minute): one.votes for one in told.records("votes")}
    assert {mission: votes for (mission, _), votes in last.items()} == {None: 1, "pay-bill": 1}


def test_an_answer_takes_nothing_along_and_begins_no_journey() -> None:
    told = agreed(
        touchpoint("10:00", id="1", name="home", session_hint="s"),
        touchpoint("10:01", id="2", channel="survey", intent="bill", session_hint="s"),
    )

    assert missions(told) == {"1": None, "2": None}


def test_interleaved_missions_each_get_their_own() -> None:
    told = agreed(
        touchpoint("10:00", id="1", name="view-bill", user_id="ann"),
        touchpoint("10:01", id="2", channel="chatbot", name="x", intent="help", user_id="ann"),
        touchpoint("10:02", id="3", name="pay-online", user_id="ann"),
        touchpoint("10:03", id="4", channel="chatbot", name="x", user_id="ann"),
        touchpoint("10:04", id="5", location="/paid", user_id="ann"),
        touchpoint("10:05", id="6", channel="agent", name="talk", user_id="ann"),
    )

    assert missions(told) == {
        "1": "pay-bill",
        "2": "get-help",
        "3": "pay-bill",
        "4": "pay-bill",  # nothing of its own: the one active last
        "5": "pay-bill",
        "6": "get-help",
    }
    assert {one.outcome for one in told.live_journeys.values()} == {"completed"}


def test_an_intent_decides_before_what_is_expected_and_that_before_what_was_active_last() -> None:
    told = agreed(
        touchpoint("10:00", id="1", intent="bill"),
        touchpoint("10:01", id="2", intent="help"),
        touchpoint("10:02", id="3", name="pay-online"),
        touchpoint("10:03", id="4", name="pay-online", intent="help"),
        touchpoint("10:04", id="5", name="news"),
    )

    assert missions(told) == {
        "1": "pay-bill",
        "2": "get-help",
        "3": "pay-bill",
        "4": "get-help",
        "5": "get-help",
    }


def test_a_mission_begun_again_after_it_ended_is_another_journey() -> None:
    told = agreed(
        touchpoint("10:00", id="1", name="view-bill"),
        touchpoint("10:01", id="2", location="/paid"),
        touchpoint("10:02", id="3", name="view-bill"),
        touchpoint("10:03", id="4", location="/paid"),
    )

    assert [one.outcome for one in told.live_journeys.values()] == ["completed", "completed"]
    assert told.verdicts["1"].journey_id != told.verdicts["3"].journey_id


def test_a_mission_begun_again_before_it_ended_goes_on() -> None:
    told = agreed(
        touchpoint("10:00", id="1", name="view-bill"),
        touchpoint("10:40", id="2", name="view-bill"),
        touchpoint("10:41", id="3", location="/paid"),
    )

    assert len(told.live_journeys) == 1


def test_an_answer_about_the_relationship_belongs_to_no_journey_and_judges_nothing() -> None:
    before = touchpoint("10:00", id="1", name="view-bill")
    asked: dict[str, Any] = {"channel": "survey", "name": "yearly", "rating": ("nps", 0)}
    for answer in (
        touchpoint("10:01", "relationship", id="2", **asked),
        touchpoint("10:01", "relationship", id="2", session_hint="s", **asked),
        touchpoint("10:01", "relationship", id="2", intent="bill", **asked),
    ):
        told = process([before, answer])

        assert told.members("journey_id").get(told.verdicts["1"].journey_id) == frozenset({"1"})
        assert (told.verdicts["2"].journey_id, told.verdicts["2"].verdict) == (None, None)
        assert told.verdicts["1"].verdict == "functional"

    in_general = process([before, touchpoint("10:01", id="2", **asked)])
    assert in_general.verdicts["1"].verdict == "broken"
