import pytest

from listeners.errors import Reason
from tests.unit.listeners.doors import NOON, Door, properties, written
from tests.unit.listeners.signing import request

SESSION = "projects/p/locations/eu/agents/a/sessions/s-1"


async def told(call, door=None):
    door = door or Door()
    receipt = await door.listener.receive(written(call), request("dialogflow", {}))
    assert receipt.fault is None
    assert receipt.answer.body == b"{}"
    return door.touchpoints[-1]


def call(**fields):
    return {
        "detectIntentResponseId": "r-1",
        "sessionInfo": {"session": SESSION, "parameters": {"bill_type": "gas"}},
        "pageInfo": {"displayName": "Pay bill"},
        "languageCode": "en",
        **fields,
    }


HEARD = {"displayName": "pay.bill", "confidence": 0.92}


async def test_a_turn_that_was_understood():
    one = await told(call(intentInfo=HEARD, text="pay my bill", fulfillmentInfo={"tag": "pay"}))

    assert (one.id, one.name, one.channel) == ("r-1", "pay.bill", "chatbot")
    assert (one.session_hint, one.location, one.intent) == ("s-1", "Pay bill", "pay.bill")
    assert (one.identifiers, one.signals, one.occurred_at) == ({}, (), NOON)
    kept = properties(one)
    assert kept["parameters"] == {"bill_type": "gas"}
    assert (kept["text_length"], "text" in kept) == (11, False)
    assert kept["intentInfo"] == HEARD


@pytest.mark.parametrize(
    ("fields", "signals"),
    [
        ({"text": "blah", "fulfillmentInfo": {"tag": "no-match-1"}}, ("fallback",)),
        ({"text": "blah"}, ("fallback",)),
        ({"triggerEvent": "sys.no-match-2"}, ("fallback",)),
        ({"text": "blah", "intentInfo": HEARD, "fulfillmentInfo": {"tag": "no-match-1"}},
         ("fallback",)),
        ({"triggerEvent": "sys.no-input-1"}, ("no_input",)),
        ({"fulfillmentInfo": {"tag": "no-input-1"}}, ("no_input",)),
        ({"text": "x", "intentInfo": {"displayName": "a", "confidence": 0.29}},
         ("low_confidence",)),
        ({"text": "x", "intentInfo": {"displayName": "a", "confidence": 0.3}}, ()),
        ({"text": "x", "intentInfo": {"displayName": "a"}}, ()),
        ({"messages": [{"text": {}}, {"liveAgentHandoff": {}}]}, ("handoff",)),
        ({"messages": [{"endInteraction": {}}]}, ("bot_end",)),
        ({"messages": [{"liveAgentHandoff": {}}, {"endInteraction": {}}], "dtmfDigits": "0#"},
         ("handoff", "bot_end")),
        ({"text": "gas", "pageInfo": {"formInfo": {"parameterInfo": [{"justCollected": True}]}}},
         ("slot_filled",)),
        ({"intentInfo": HEARD, "pageInfo": {"formInfo": {"parameterInfo": [{"state": "FILLED"}]}}},
         ()),
        ({"intentInfo": HEARD, "pageInfo": {"formInfo": {"parameterInfo": 3}}}, ()),
    ],
)  # fmt: skip
async def test_what_a_turn_signals(fields, signals):
    one = await told(call(**fields))

    assert one.signals == signals


async def test_the_end_of_a_turn_is_not_absorbed_by_its_beginning():
    heard = await told(call(intentInfo=HEARD))
    ended = await told(call(intentInfo=HEARD, messages=[{"endInteraction": {}}]))
    again = await told(call(intentInfo=HEARD, messages=[{"endInteraction": {}}]))

    assert heard.id != ended.id == again.id


async def test_a_session_parameter_says_who_and_a_telephone_gateway_who_calls():
    chat = await told(call(sessionInfo={"session": SESSION, "parameters": {"user_id": "u-1"}}))
    phone = await told(call(payload={"telephony": {"caller_id": "+442079460042"}}))

    assert (chat.identifiers, chat.channel) == ({"anonymous_id": "u-1"}, "chatbot")
    assert "parameters" not in properties(chat)
    assert (set(phone.identifiers), phone.channel) == ({"caller_number"}, "ivr")
    assert "payload" not in properties(phone)


async def test_success_is_a_property():
    one = await told(call(messages=[{"conversationSuccess": {}}]))

    assert properties(one)["conversation_success"] is True


def row(turn=None, **result):
    return {
        "agent_id": "a",
        "conversation_name": SESSION,
        "turn_position": 3,
        "request_time": "2026-11-22T11:58:00.500Z",
        "request": {"queryParams": {"channel": "web"}},
        "response": {"queryResult": {"currentPage": {"displayName": "Pay bill"}, **result}},
        "conversation_signals": {"turnSignals": turn or {}},
    }


@pytest.mark.parametrize(
    ("result", "turn", "signals"),
    [
        ({"match": {"matchType": "NO_MATCH", "confidence": 0.0}}, {}, ("fallback",)),
        ({"match": {"matchType": "NO_INPUT"}}, {}, ("no_input",)),
        ({"match": {"matchType": "PARAMETER_FILLING"}}, {}, ("slot_filled",)),
        ({}, {"noMatch": True}, ("fallback",)),
        ({}, {"noUserInput": True}, ("no_input",)),
        ({"match": {"matchType": "INTENT", "confidence": 0.2}}, {}, ("low_confidence",)),
        ({"match": {"matchType": "INTENT", "confidence": 0.9}}, {"noMatch": False}, ()),
        ({}, {"agentEscalated": True}, ("handoff",)),
        ({}, {"userEscalated": True}, ("handoff",)),
        ({"responseMessages": [{"liveAgentHandoff": {}}]}, {"agentEscalated": True}, ("handoff",)),
        ({}, {"reachedEndPage": True}, ("bot_end",)),
    ],
)
async def test_a_row_of_the_log_says_how_the_turn_matched(result, turn, signals):
    one = await told([row(turn, **result)])

    assert one.signals == signals
    assert (one.id, one.session_hint, one.location) == (f"{SESSION}/3", "s-1", "Pay bill")
    assert one.occurred_at.isoformat() == "2026-11-22T11:58:00.500000+00:00"
    assert properties(one)["channel"] == "web"


async def test_what_names_no_session_is_a_dead_letter_and_the_bot_goes_on():
    door = Door()

    receipt = await door.listener.receive(
        written({"detectIntentResponseId": "r"}), request("dialogflow", {})
    )

    assert receipt.fault.reason == Reason.FIELD_MISSING
    assert receipt.answer.body == b"{}"
    assert len(door.letters) == 1
