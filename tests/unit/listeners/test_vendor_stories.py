"""What vendors send, seen by the core: the listener translated, and the core counts and judges."""

import json

import pytest

from tests.builders import NO_MISSIONS, process
from tests.unit.listeners.doors import Door, written
from tests.unit.listeners.signing import BASE, form, request
from tests.unit.listeners.test_amazon_connect import record

CALL = {"CallSid": "CA1", "From": "+442079460042", "CallStatus": "in-progress"}


async def twilio(door, query="", **fields):
    url = f"{BASE}/ivr/twilio" + (f"?{query}" if query else "")
    pairs = [(name, str(value)) for name, value in {**CALL, **fields}.items()]
    door.later(seconds=5)
    await door.listener.receive(form(pairs), request("twilio", {}, url))


def verdicts(door):
    """Name of each touchpoint, its verdict and the rules that fired."""
    told = process(door.touchpoints, NO_MISSIONS)
    named = {one.id: one.name for one in door.touchpoints}
    return [
        (named[one.id], one.verdict, [reason.rule for reason in one.reasons])
        for one in sorted(told.verdicts.values(), key=lambda one: one.occurred_at)
    ]


async def test_the_third_silence_at_one_menu_is_broken():
    door = Door()
    for _ in range(3):
        await twilio(door, "menu=main", msg="Gather End")

    assert [verdict for _, verdict, _ in verdicts(door)] == ["functional", "functional", "broken"]
    assert verdicts(door)[-1][2][0] == "no_match_repeated"


async def test_waiting_long_is_no_menu_visited_again():
    door = Door()
    for position in (3, 3, 2, 2, 1):
        await twilio(door, "menu=queue", QueuePosition=position, QueueTime=20)

    assert {verdict for _, verdict, _ in verdicts(door)} == {"functional"}


async def test_an_agents_leg_that_ends_does_not_end_the_call():
    door = Door()
    ended = {"CallbackSource": "x", "CallStatus": "completed", "CallDuration": 9}
    await twilio(door, CallStatus="ringing")
    await twilio(door, **{**ended, "CallSid": "CA2", "ParentCallSid": "CA1"})
    await twilio(door, "menu=main", Digits=2)
    await twilio(door, **ended)

    told = process(door.touchpoints, NO_MISSIONS)

    assert len(set(told.members("session_id").values())) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1)])
async def test_the_younger_record_of_a_contact_corrects_the_older_one_whichever_comes_first(order):
    door = Door()
    queued = {"Queue": {"Name": "Billing", "Duration": 73}}
    records = [
        record(**queued, LastUpdateTimestamp="2026-11-22T11:57:00Z"),
        record(
            **queued,
            LastUpdateTimestamp="2026-11-22T11:58:30Z",
            Agent={"AgentInteractionDuration": 150},
            Attributes={"noMatchCount": "1", "customerId": "u-42"},
        ),
    ]
    for one in order:
        door.later(seconds=5)
        await door.listener.receive(written(records[one]), request("amazon-connect", {}))

    told = process(door.touchpoints, NO_MISSIONS)

    [verdict] = told.verdicts.values()
    assert [reason.rule for reason in verdict.reasons] == ["no_match"]
    [session] = told.sessions.values()
    assert (session.count, session.state) == (1, "closed")


async def test_a_survey_is_the_verdict_of_the_call_it_asks_about():
    door = Door()
    await twilio(door, "menu=account&identifies=user_id", Digits=4711)
    await twilio(door, "menu=main", Digits=2)
    door.later(minutes=10)
    answer = {
        "name": "after the call",
        "identifiers": {"user_id": "4711"},
        "session_hint": "CA1",
        "rating": {"scale": "ces", "value": 2},
    }
    await door.listener.receive(written(answer), request("surveys", {}))

    told = process(door.touchpoints, NO_MISSIONS)

    (together,) = set(told.members("session_id").values())
    assert {one.name for one in door.touchpoints if one.id in together} == {
        "menu_choice",
        "after the call",
    }
    judged = {name: (verdict, rules) for name, verdict, rules in verdicts(door)}
    assert judged["menu_choice"][0] == "broken"
    assert "answered_ces" in judged["menu_choice"][1]


async def test_a_survey_about_the_relationship_judges_nothing():
    door = Door()
    answer = {
        "name": "yearly survey",
        "identifiers": {"user_id": "4711"},
        "rating": {"scale": "nps", "value": 0},
    }
    await door.listener.receive(written(answer), request("surveys", {}))

    assert [verdict for _, verdict, _ in verdicts(door)] == [None]


async def test_three_turns_that_were_not_understood_and_then_a_person_are_broken():
    door = Door()
    at = door.now.timestamp() - 100
    events = []
    for number in range(3):
        intent = {"name": "nlu_fallback", "confidence": 0.7}
        events.append({"event": "user", "parse_data": {"intent": intent}, "timestamp": at + number})
        events.append(
            {
                "event": "action",
                "name": "action_default_fallback",
                "confidence": 1.0,
                "timestamp": at + number + 0.5,
            }
        )
    events += [{"event": "pause", "timestamp": at + after} for after in (1.9, 4)]
    body = json.dumps([{"sender_id": "c-1", **one} for one in events]).encode()

    await door.listener.receive(body, request("rasa", {}))

    pauses = [one for one in verdicts(door) if one[0] == "pause"]
    assert [(verdict, rules[:1]) for _, verdict, rules in pauses] == [
        ("functional", []),
        ("broken", ["handoff_after_fallbacks"]),
    ]
