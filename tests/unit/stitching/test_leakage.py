"""Leakage: who is blamed by the next contact, for how long, and who never is."""

import pytest

from pipeline.stitching.kept import CustomerState
from schemas.records import JourneyOutcome, Touchpoint
from tests.builders import Results, engine, process, touchpoint


def rules_of(touchpoints: list[Touchpoint], id_: str) -> tuple[str | None, list[str]]:
    verdict = process(touchpoints).verdicts[id_]
    return verdict.verdict, [reason.rule for reason in verdict.reasons]


def the_journey(told: Results) -> JourneyOutcome:
    (journey,) = told.live_journeys.values()
    return journey


def call(clock: str, id_: str, *signals: str, **fields: object) -> Touchpoint:
    given = {"name": "call", "intent": "bill", "session_hint": f"call-{id_}", "user_id": "ann"}
    return touchpoint(clock, *signals, id=id_, channel="ivr", **(given | fields))


def visit(clock: str, id_: str, *signals: str, **fields: object) -> Touchpoint:
    given = {"name": "view-bill", "intent": "bill", "user_id": "ann"}
    return touchpoint(clock, *signals, id=id_, **(given | fields))


def test_a_call_soon_after_the_website_blames_the_contact_before_it() -> None:
    looking = touchpoint("10:00", id="1", name="view-bill", user_id="ann")
    ringing = touchpoint("10:30", id="2", channel="ivr", name="x", user_id="ann")

    told = process([looking, ringing])

    blamed = told.verdicts["1"]
    assert (blamed.verdict, [reason.rule for reason in blamed.reasons]) == (
        "broken",
        ["leaked_to_call"],
    )
    assert blamed.revision == 2
    assert the_journey(told).broke_at == "view-bill"


def test_a_call_half_an_hour_and_a_second_later_is_a_sign_of_trouble() -> None:
    looking = touchpoint("10:00", id="1", name="view-bill", user_id="ann")
    ringing = touchpoint("10:30:01", id="2", channel="ivr", name="x", user_id="ann")
    paid = touchpoint("10:40", id="3", location="/paid", user_id="ann")

    assert rules_of([looking, ringing, paid], "1") == ("functional", ["leaked_to_call"])
    assert rules_of([looking, ringing], "1") == ("broken", ["leaked_to_call", "step_not_reached"])


def test_with_another_sign_of_trouble_it_breaks() -> None:
    looking = touchpoint("10:00", "slow", id="1", name="view-bill", user_id="ann")
    ringing = touchpoint("11:59", id="2", channel="ivr", name="x", user_id="ann")
    paid = touchpoint("12:00", id="3", location="/paid", user_id="ann")

    assert rules_of([looking, ringing, paid], "1") == ("broken", ["leaked_to_call", "slow"])


def test_a_day_and_a_second_later_it_blames_nobody() -> None:
    looking = touchpoint("10:00", id="1", name="view-bill", user_id="ann")
    in_time = touchpoint("10:00", day=1, id="2", channel="ivr", intent="bill", user_id="ann")
    later = touchpoint("10:00:01", day=1, id="2", channel="ivr", intent="bill", user_id="ann")

    assert rules_of([looking, in_time], "1") == ("functional", ["leaked_to_call"])
    assert rules_of([looking, later], "1") == ("functional", [])


def test_an_excellent_answer_is_no_sign_of_trouble() -> None:
    praised = touchpoint("10:00", id="1", name="view-bill", user_id="ann", rating=("csat", 5))
    ringing = touchpoint("11:00", id="2", channel="ivr", name="x", user_id="ann")

    assert process([praised, ringing]).verdicts["1"].verdict == "excellent"


def test_a_planned_change_of_channel_blames_nobody() -> None:
    asking = touchpoint("10:00", id="1", channel="chatbot", name="ask-bot", user_id="ann")
    talking = touchpoint("10:05", id="2", channel="agent", name="note", user_id="ann")

    assert process([asking, talking]).verdicts["1"].verdict == "functional"


def test_a_person_who_joins_a_chat_blames_nothing_of_it() -> None:
    asking = touchpoint(
        "10:00", id="1", channel="chatbot", name="x", intent="bill", session_hint="c"
    )
    joining = touchpoint("10:01", id="2", channel="agent", name="note", session_hint="c")
    elsewhere = touchpoint("10:01", id="2", channel="agent", name="note", session_hint="d")

    assert rules_of([asking, joining], "1") == ("functional", [])
    assert rules_of([asking, elsewhere], "1") == ("broken", ["leaked_to_call"])


def test_what_follows_a_hand_off_was_agreed() -> None:
    fields = {"id": "1", "channel": "chatbot", "name": "x", "intent": "bill", "session_hint": "c"}
    handing = touchpoint("10:00", "handoff", **fields)
    ringing = call("10:05", "2", anonymous_id="browser")

    assert rules_of([handing, ringing], "1") == ("functional", [])
    assert rules_of([touchpoint("10:00", **fields), ringing], "1")[1] == ["leaked_to_call"]


def test_a_call_within_a_week_of_another_shows_that_it_did_not_help() -> None:
    first = call("10:00", "1")

    assert rules_of([first, call("10:00", "2", day=7)], "1") == ("broken", ["called_again"])
    assert rules_of([first, call("10:00:01", "2", day=7)], "1") == ("functional", [])


def test_the_earlier_call_keeps_its_outcome_and_gets_a_revision() -> None:
    running = engine()
    running.process(call("10:00", "1"))
    running.tick(touchpoint("10:00", day=2).occurred_at)

    told = process([call("10:00", "2", day=3)], running=running)

    first = told.verdicts["1"]
    earlier = told.journeys[str(first.journey_id)]
    assert (first.revision, first.reasons[0].value) == (2, 3 * 86400.0)
    assert (earlier.outcome, earlier.reason) == ("abandoned", "silence")
    assert (earlier.verdicts.broken, earlier.revision) == (1, 2)
    assert told.sessions[first.session_id].verdicts.broken == 1
    assert told.verdicts["2"].revision == 1


def test_it_does_so_though_the_earlier_journey_was_over_for_days() -> None:
    """Time passes in between, so that whatever is not needed is let go of."""
    running = engine()
    running.process(call("10:00", "1"))
    for day in range(1, 7):
        running.tick(touchpoint("10:00", day=day).occurred_at)

    told = process([call("09:00", "2", day=7)], running=running)

    assert told.verdicts["1"].reasons[0].rule == "called_again"


def test_nothing_is_kept_of_a_call_once_no_other_can_blame_it() -> None:
    running = engine()
    running.process(call("10:00", "1"))

    def kept() -> list[str]:
        states = running._stores["stitch"].states.values()  # type: ignore[attr-defined]
        return [
            one.id for state in states if isinstance(state, CustomerState) for one in state.tail
        ]

    running.tick(touchpoint("10:00", day=7).occurred_at)
    assert kept() == ["1"]
    running.tick(touchpoint("10:03", day=8).occurred_at)
    assert kept() == []


def test_a_call_within_ten_minutes_continues_the_contact() -> None:
    assert rules_of([call("10:00", "1"), call("10:10", "2")], "1") == ("functional", [])
    assert rules_of([call("10:00", "1"), call("10:10:01", "2")], "1")[1] == ["called_again"]


def test_what_counts_within_a_call_begins_anew_in_the_one_that_continues_it() -> None:
    first = [call(f"10:0{n}", f"1-{n}", "no_match", session_hint="call-1") for n in range(2)]
    cut_off = call("10:02", "1-end", "hangup", session_hint="call-1")
    again = [call(f"10:0{n}", f"2-{n}", "no_match", session_hint="call-2") for n in range(5, 7)]

    told = process([*first, cut_off, *again])

    rules = {reason.rule for one in told.verdicts.values() for reason in one.reasons}
    assert rules.isdisjoint({"no_match_repeated", "called_again"})
    assert told.verdicts["1-0"].session_id != told.verdicts["2-6"].session_id
    assert told.verdicts["1-0"].journey_id == told.verdicts["2-6"].journey_id
    assert the_journey(told).effort < 7 - 2 * 3 / 3  # every no-match after the first of both calls


def test_a_call_that_gets_a_step_further_blames_none_before_it() -> None:
    first = call("10:00", "1", intent="help")
    menu = call("10:00", "2", day=2, name="main-menu", intent="help")

    assert rules_of([first, menu], "1") == ("functional", [])


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_call_back_that_was_agreed_is_not_calling_again(which: str) -> None:
    first = call("10:00", "1", *(["callback"] if which == "first" else []))
    second = call("12:00", "2", *(["callback"] if which == "second" else []))

    assert rules_of([first, second], "1") == ("functional", [])


def test_who_got_what_they_wanted_may_call_again_for_the_next_one() -> None:
    first = call("10:00", "1")
    paid = visit("10:05", "2", name="page_view", location="/paid")

    for again in (call("10:20", "3"), call("10:00", "3", day=2)):
        told = process([first, paid, again])

        assert [told.verdicts[id_].reasons for id_ in ("1", "2")] == [(), ()]


def test_coming_back_within_a_day_without_a_step_further_is_a_sign_of_trouble() -> None:
    first = visit("08:00", "1")

    assert rules_of([first, visit("08:00", "2", day=1)], "1") == ("functional", ["came_back"])
    assert rules_of([first, visit("08:00:01", "2", day=1)], "1") == ("functional", [])


def test_coming_back_and_going_further_is_none() -> None:
    first, further = visit("08:00", "1"), visit("09:00", "2", name="pay-online")

    assert rules_of([first, further], "1") == ("functional", [])


def test_two_browsers_at_once_are_no_coming_back() -> None:
    first = visit("08:00", "1", anonymous_id="a")

    assert rules_of([first, visit("08:20", "2", anonymous_id="b")], "1")[1] == []
    assert rules_of([first, visit("08:31", "2", anonymous_id="b")], "1")[1] != []


def test_a_call_too_short_to_be_judged_blames_nobody() -> None:
    looking = visit("10:00", "1")
    ringing = call("10:05", "2", session_hint="c")
    gone = call("10:05:03", "3", "hangup", session_hint="c")

    told = process([looking, ringing, gone])

    assert (told.verdicts["1"].verdict, told.verdicts["1"].reasons) == ("functional", ())
    assert the_journey(told).outcome == "abandoned"


def test_the_call_after_it_does() -> None:
    looking = visit("10:00", "1")
    ringing = call("10:05", "2", session_hint="c")
    gone = call("10:05:03", "3", "hangup", session_hint="c")

    assert rules_of([looking, ringing, gone, call("10:06", "4")], "1")[1] == ["leaked_to_call"]


def test_a_call_blames_once_however_often_the_customer_looks_at_the_page_meanwhile() -> None:
    first, second = visit("10:00", "1"), visit("10:06", "3", name="pay-online")
    ringing = [call("10:05", "2", session_hint="c"), call("10:07", "4", session_hint="c")]

    told = process([first, ringing[0], second, ringing[1]])

    assert told.verdicts["1"].verdict == "broken"
    assert told.verdicts["3"].reasons == ()


def test_a_broken_vote_lies_in_the_minute_of_the_call_that_shows_it() -> None:
    told = process([call("10:00", "1"), call("10:00", "2", day=2)])

    broken = {(votes.mission, votes.minute.day) for votes in told.records("votes") if votes.broken}
    assert {day for _, day in broken} == {24}
