"""How journeys end, each with its own reason, and what revises it afterwards."""

from typing import Any

import msgspec
import pytest

from pipeline.stitching.missions import Missions
from pipeline.stitching.rules import Rules
from schemas.records import JourneyOutcome, Touchpoint
from tests.builders import GET_HELP, PAY_BILL, RULES, Results, arriving, process, touchpoint


def at_home(clock: str, *signals: str, **fields: Any) -> Touchpoint:
    """A touchpoint of Ann, on whatever channel."""
    return touchpoint(clock, *signals, user_id="ann", **fields)


def the_journey(*touchpoints: Touchpoint, rules: Rules = RULES) -> JourneyOutcome:
    (journey,) = process(touchpoints, rules).live_journeys.values()
    return journey


def ended(journey: JourneyOutcome) -> tuple[str, str, str | None]:
    return journey.outcome, journey.reason, journey.broke_at


LOOKING = at_home("10:00", id="looking", name="view-bill")
FAILING = at_home("10:01", "http_5xx", id="failing", name="pay-online")
TRYING_THE_APP = at_home("10:05", id="app", channel="app", name="pay-in-app")
PAID = at_home("10:09", id="paid", location="/paid")


def test_who_gives_up_after_something_broke_is_frustrated() -> None:
    complaining = at_home("10:30", channel="agent", name="complain")

    assert ended(the_journey(LOOKING, FAILING, complaining)) == (
        "frustrated",
        "gave_up",
        "pay-online",
    )


def test_who_gives_up_although_nothing_broke_is_too_and_nothing_is_to_blame() -> None:
    complaining = at_home("11:00", channel="agent", name="complain", intent="bill")

    assert ended(the_journey(complaining)) == ("frustrated", "gave_up", None)


def test_who_gives_up_by_speaking_to_somebody_blames_where_they_had_been() -> None:
    complaining = at_home("11:00", channel="agent", name="complain")

    assert ended(the_journey(LOOKING, complaining)) == ("frustrated", "gave_up", "view-bill")


def test_who_moves_to_another_channel_and_gets_no_further_is_frustrated_by_that() -> None:
    assert ended(the_journey(LOOKING, FAILING, TRYING_THE_APP)) == (
        "frustrated",
        "changed_channel",
        "pay-online",
    )


def test_who_gets_there_on_another_channel_has_completed() -> None:
    paid = at_home("10:06", channel="app", name="paid-in-app")

    assert the_journey(LOOKING, FAILING, TRYING_THE_APP, paid).outcome == "completed"


def test_where_the_other_channel_breaks_too_it_is_silence_after_that() -> None:
    crashing = at_home("10:06", "crash", channel="app", name="pay-in-app")

    assert ended(the_journey(LOOKING, FAILING, TRYING_THE_APP, crashing)) == (
        "frustrated",
        "silence_after_broken",
        "pay-in-app",
    )


def test_who_comes_back_to_the_channel_that_broke_and_falls_silent_there_only_fell_silent() -> None:
    back = at_home("10:09", name="view-bill")

    journey = the_journey(LOOKING, FAILING, TRYING_THE_APP, back)

    assert journey.reason == "silence_after_broken"


def test_a_change_of_channel_that_the_mission_plans_is_no_flight() -> None:
    planned = msgspec.structs.replace(PAY_BILL, planned_changes=frozenset({("web", "app")}))
    rules = msgspec.structs.replace(RULES, missions=Missions((planned, GET_HELP)))

    journey = the_journey(LOOKING, FAILING, TRYING_THE_APP, rules=rules)

    assert journey.reason == "silence_after_broken"


def test_a_survey_is_no_channel_that_one_moves_to() -> None:
    asked = at_home("10:05", channel="survey", name="asked")

    assert the_journey(LOOKING, FAILING, asked).reason == "silence_after_broken"


def test_a_survey_with_nothing_judged_before_it_speaks_of_what_came_before() -> None:
    unjudged = at_home("10:00", name="view-bill", source="test-robot")
    bad = at_home("10:01", channel="survey", name="x", rating=("ces", 1))
    unhelped = at_home("10:01", "not_helped", channel="survey", name="x")

    assert ended(the_journey(unjudged, bad)) == ("frustrated", "answered_badly", "view-bill")
    assert ended(the_journey(unjudged, unhelped)) == (
        "frustrated", "silence_after_broken", "view-bill",
    )  # fmt: skip


def test_who_answers_badly_and_falls_silent_is_frustrated_by_what_was_asked_about() -> None:
    asked = at_home("10:05", channel="survey", name="asked", rating=("ces", 2))

    journey = the_journey(LOOKING, FAILING, asked)

    assert ended(journey) == ("frustrated", "answered_badly", "pay-online")


def test_a_bad_answer_on_the_way_does_not_end_it() -> None:
    asked = at_home("10:05", channel="survey", name="asked", rating=("ces", 2))

    journey = the_journey(LOOKING, FAILING, asked, PAID)

    assert (journey.outcome, journey.effort_asked) == ("completed", 2)


def test_an_answer_that_is_not_bad_changes_nothing() -> None:
    asked = at_home("10:05", channel="survey", name="asked", rating=("ces", 4))

    assert the_journey(LOOKING, FAILING, asked).reason == "silence_after_broken"


def test_praise_for_what_turns_out_to_break_is_no_bad_answer() -> None:
    praised = at_home("10:00", name="view-bill", rating=("csat", 5))
    ringing = at_home("10:05", channel="ivr", name="x")

    assert the_journey(praised, ringing).reason == "changed_channel"


def in_session(clock: str, **fields: Any) -> Touchpoint:
    return at_home(clock, session_hint="s", **fields)


class TestAnAnswerAfterTheEnd:
    LOOKING = in_session("10:00", id="looking", name="view-bill")
    PAID = in_session("10:05", id="paid", location="/paid")

    def answered(self, rating: tuple[str, float], *before: Touchpoint) -> Results:
        answer = in_session("13:00", id="asked", channel="survey", name="asked", rating=rating)
        return process([*before, answer])

    def test_is_about_the_journey_of_what_it_refers_to_and_no_part_of_the_way(self) -> None:
        told = self.answered(("ces", 6), self.LOOKING, self.PAID)

        (journey,) = told.live_journeys.values()
        assert told.verdicts["asked"].journey_id == journey.journey_id
        assert (journey.outcome, journey.effort_asked) == ("completed", 6)
        assert (journey.count, journey.ended_at) == (2, self.PAID.occurred_at)
        assert journey.microjourney == ("view-bill", "paid")

    def test_that_is_bad_does_not_undo_what_was_completed(self) -> None:
        told = self.answered(("ces", 1), self.LOOKING, self.PAID)

        (journey,) = told.live_journeys.values()
        assert (journey.outcome, journey.effort_asked) == ("completed", 1)

    def test_that_is_bad_says_that_who_left_was_frustrated(self) -> None:
        told = self.answered(("csat", 1), self.LOOKING)

        (journey,) = told.live_journeys.values()
        assert ended(journey) == ("frustrated", "answered_badly", "view-bill")

    def test_that_is_good_leaves_who_left_where_they_are(self) -> None:
        told = self.answered(("csat", 5), self.LOOKING)

        (journey,) = told.live_journeys.values()
        assert (journey.outcome, journey.reason) == ("abandoned", "silence")

    def test_is_published_as_a_revision(self) -> None:
        elsewhere = [touchpoint("12:30", id=f"{n}", anonymous_id="other") for n in range(40)]

        told = self.answered(("csat", 1), self.LOOKING, *elsewhere)

        said = [(one.revision, one.outcome) for one in told.records("journey-outcomes")]
        assert said == [(1, "abandoned"), (2, "frustrated")]

    def test_leaves_another_journey_alone_that_is_open_by_then(self) -> None:
        asking = at_home("12:50", id="asking", channel="app", intent="help")

        told = self.answered(("ces", 2), self.LOOKING, self.PAID, asking)

        assert told.verdicts["asked"].mission == "pay-bill"
        help_ = next(one for one in told.live_journeys.values() if one.mission == "get-help")
        assert (help_.outcome, help_.count, help_.effort_asked) == ("abandoned", 1, None)


class TestContactingAgain:
    """`get-help` minds a repeat within two hours, `pay-bill` none."""

    ASKING = at_home("10:00", id="asking", channel="chatbot", name="ask-bot", intent="help")
    TOLD = at_home("10:05", id="told", channel="agent", name="talk")

    def journeys(self, *touchpoints: Touchpoint) -> list[tuple[str, str, str | None]]:
        live = process(touchpoints).live_journeys.values()
        return [ended(one) for one in sorted(live, key=lambda one: one.started_at)]

    @pytest.mark.parametrize(
        ("again", "outcome"), [("12:05", "frustrated"), ("12:05:01", "completed")]
    )
    def test_within_the_missions_time_shows_that_it_was_not_solved(
        self, again: str, outcome: str
    ) -> None:
        first, _ = self.journeys(self.ASKING, self.TOLD, at_home(again, intent="help"))

        assert first[0] == outcome

    def test_is_said_as_the_reason_and_the_touchpoint_that_only_seemed_to_complete_it(self) -> None:
        first, second = self.journeys(self.ASKING, self.TOLD, at_home("11:00", intent="help"))

        assert first == ("frustrated", "contacted_again", "talk")
        assert second == ("abandoned", "silence", None)

    def test_blames_what_had_broken_on_the_way_before_it(self) -> None:
        stuck = at_home("10:01", "menu_repeat", channel="ivr", name="main-menu")
        first, _ = self.journeys(self.ASKING, stuck, self.TOLD, at_home("11:00", intent="help"))

        assert first == ("frustrated", "contacted_again", "main-menu")

    def test_blames_no_survey_that_was_answered_in_between(self) -> None:
        talked = at_home("10:05", id="told", channel="agent", name="talk", session_hint="s")
        asked = at_home("10:30", channel="survey", rating=("ces", 5), session_hint="s")
        first, _ = self.journeys(self.ASKING, talked, asked, at_home("11:00", intent="help"))

        assert first == ("frustrated", "contacted_again", "talk")

    def test_about_something_else_says_nothing(self) -> None:
        first, _ = self.journeys(self.ASKING, self.TOLD, at_home("11:00", intent="bill"))

        assert first[:2] == ("completed", "completing_touchpoint")

    def test_revises_no_outcome_where_the_mission_does_not_say_so(self) -> None:
        first, _ = self.journeys(LOOKING, PAID, at_home("10:20", name="view-bill"))

        assert first == ("completed", "completing_touchpoint", None)

    def test_is_published_as_a_revision_in_whatever_order_it_comes(self) -> None:
        again = at_home("11:00", id="again", intent="help")

        live = process([self.ASKING, self.TOLD, again])
        late = process(arriving([again, self.TOLD, self.ASKING]))

        said = [(o.revision, o.outcome) for o in live.records("journey-outcomes")]
        assert said == [(1, "completed"), (2, "frustrated"), (1, "abandoned")]
        outcomes = sorted(one.reason for one in late.live_journeys.values())
        assert outcomes == ["contacted_again", "silence"]

    def test_is_remembered_as_long_as_the_mission_minds_also_past_its_patience(self) -> None:
        long = msgspec.structs.replace(
            GET_HELP,
            repeat_within=7 * 24 * 2 * GET_HELP.patience,  # a week
        )
        rules = msgspec.structs.replace(RULES, missions=Missions((long,)))
        again = at_home("09:00", day=6, intent="help")
        others = [touchpoint("09:00", day=5, id=f"{n}", anonymous_id="other") for n in range(64)]

        told = process([self.ASKING, self.TOLD, *others, again], rules)

        assert "contacted_again" in {one.reason for one in told.live_journeys.values()}


class TestALateTouchpoint:
    """Comes when silence has had its say: forty others have carried the watermark on."""

    OTHERS = tuple(
        touchpoint("20:00", id=f"other {n}", anonymous_id="other") for n in range(40)
    )  # fmt: skip

    def said(self, *arrivals: Touchpoint) -> tuple[list[tuple[str, int, str]], Results]:
        told = process(arrivals)
        records = told.records("journey-outcomes")
        names = {id_: str(n) for n, id_ in enumerate(dict.fromkeys(r.journey_id for r in records))}
        return [(names[r.journey_id], r.revision, r.outcome) for r in records], told

    def test_turns_abandoned_into_completed(self) -> None:
        paid = touchpoint("10:20", location="/paid")

        said, _ = self.said(touchpoint("10:00", name="view-bill"), *self.OTHERS, paid)

        assert said == [("0", 1, "abandoned"), ("0", 2, "completed")]

    def test_joins_two_journeys_and_one_of_them_says_that_it_is_part_of_the_other(self) -> None:
        first = touchpoint("10:00", name="view-bill")
        second = touchpoint("12:30", name="view-bill")
        between = touchpoint("11:15", name="view-bill")

        said, told = self.said(first, second, *self.OTHERS, between)

        assert said[:2] == [("0", 1, "abandoned"), ("1", 1, "abandoned")]
        # The one that is left came back twice and went no further: that alone is no trouble.
        assert sorted(said[2:]) == [("0", 2, "abandoned"), ("1", 2, "absorbed")]
        (journey,) = told.live_journeys.values()
        absorbed = next(one for one in told.journeys.values() if one.outcome == "absorbed")
        assert (journey.count, absorbed.absorbed_by) == (3, journey.journey_id)

    def test_splits_a_journey_in_two(self) -> None:
        looking = touchpoint("10:00", id="looking", name="view-bill")
        looking_on = touchpoint("10:30", id="on", name="view-bill")
        paid = touchpoint("10:15", location="/paid")

        said, told = self.said(looking, looking_on, *self.OTHERS, paid)

        assert said == [("0", 1, "abandoned"), ("0", 2, "completed"), ("1", 1, "abandoned")]
        assert told.verdicts["looking"].journey_id != told.verdicts["on"].journey_id

    def test_with_an_intent_takes_along_what_was_nobodys(self) -> None:
        home, news = touchpoint("10:00", id="home"), touchpoint("10:01", id="news", name="news")
        asking = touchpoint("10:02", intent="help")

        said, told = self.said(home, news, *self.OTHERS, asking)

        assert said == [("0", 1, "abandoned")]
        assert {told.verdicts[one].mission for one in ("home", "news")} == {"get-help"}
        assert told.verdicts["home"].revision == 2

    def test_that_begins_a_mission_leaves_a_later_intent_what_that_took_along(self) -> None:
        home, asking = touchpoint("10:00", id="home"), touchpoint("10:02", intent="help")
        bill = touchpoint("09:59", name="view-bill")

        _, told = self.said(home, asking, *self.OTHERS, bill)

        counts = {one.mission: one.count for one in told.live_journeys.values()}
        assert counts == {"pay-bill": 1, "get-help": 2}
        assert told.verdicts["home"].mission == "get-help"
