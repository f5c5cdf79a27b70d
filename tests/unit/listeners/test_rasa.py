import pytest

from listeners.credentials import hashed
from listeners.dialects import DIALECTS
from listeners.errors import Reason
from tests.unit.listeners.doors import NOON, Door, properties, written
from tests.unit.listeners.signing import request

AT = NOON.timestamp() - 60.25


def event(kind, **fields):
    return {"sender_id": "conv-1", "event": kind, "timestamp": AT, **fields}


def turn(intent, confidence, *others, **fields):
    ranking = [{"name": intent, "confidence": confidence}, *others]
    return event(
        "user",
        text="I want to pay",
        parse_data={
            "intent": ranking[0],
            "intent_ranking": ranking,
            "entities": [{"entity": "bill_type", "value": "gas", "start": 1}],
            "text": "I want to pay",
        },
        **fields,
    )


async def told(*events, **source):
    door = Door(sources=[{"name": "bot", "keys": [hashed("bot-key")], **source}])
    body = b"\n".join(written(one) for one in events)
    receipt = await door.listener.receive(body, request("rasa", {}, key="bot-key"))
    assert receipt.fault is None
    return door.touchpoints


async def test_what_the_customer_says_carries_its_intent_and_the_conversation():
    (one,) = await told(turn("pay_bill", 0.97, {"name": "greet", "confidence": 0.02}))

    assert (one.name, one.channel, one.intent) == ("user_message", "chatbot", "pay_bill")
    assert (one.location, one.session_hint, one.signals) == ("pay_bill", "conv-1", ())
    assert one.identifiers == {"anonymous_id": "conv-1"}
    assert (NOON - one.occurred_at).total_seconds() == 60.25
    kept = properties(one)
    assert kept["parse_data"]["intent"]["confidence"] == 0.97
    assert (kept["entities"], kept["text_length"], "text" in kept) == (["bill_type"], 13, False)


@pytest.mark.parametrize(
    ("said", "signals"),
    [
        (turn("nlu_fallback", 0.7, {"name": "a", "confidence": 0.21}), ("fallback",)),
        (turn("pay", 0.29), ("low_confidence",)),
        (turn("pay", 0.3), ()),
        (turn("pay", 0.5, {"name": "a", "confidence": 0.41}), ("low_confidence",)),
        (turn("pay", 0.5, {"name": "a", "confidence": 0.39}), ()),
        (event("action", name="action_default_fallback", confidence=0.3), ("fallback",)),
        (event("action", name="action_two_stage_fallback", confidence=0.4), ("fallback",)),
        (event("action", name="action_unlikely_intent", confidence=1.0), ("fallback",)),
        (event("action", name="action_listen", confidence=None), ()),
        (event("pause"), ("handoff",)),
        (event("agent", text="Hello, it is me"), ("handoff",)),
        (event("resume"), ()),
        (event("restart"), ("bot_end",)),
        (event("slot", name="bill_type", value="gas"), ("slot_filled",)),
        (event("slot", name="bill_type", value=None), ()),
        (event("slot", name="requested_slot", value="bill_type"), ()),
        (event("rewind"), ()),
    ],
)
async def test_what_each_event_signals(said, signals):
    (one,) = await told(said)

    assert one.signals == signals


async def test_a_turn_that_a_rule_answers_by_a_fallback_counts_once():
    said = await told(
        turn("nlu_fallback", 0.7),
        event("action", name="action_default_fallback", confidence=1.0, policy="RulePolicy"),
    )

    assert [one.signals for one in said] == [("fallback",), ()]


async def test_a_slot_is_told_with_its_value_by_which_a_new_one_is_known():
    (slot,) = await told(event("slot", name="bill_type", value="gas"))

    assert properties(slot)["filled"] == {"bill_type": "gas"}


async def test_an_action_servers_call_tells_the_slots_of_its_own_turn():
    door = Door()
    events = [
        event("slot", name="bill_type", value="gas"),
        event("user", text="the one of March"),
        event("slot", name="month", value="February"),
        event("slot", name="month", value="March"),
        event("slot", name="year", value=None),
        event("slot", name="requested_slot", value="year"),
    ]
    call = {"next_action": "action_pay", "sender_id": "conv-1", "tracker": {"events": events}}

    await door.listener.receive(written(call), request("rasa", {}))
    await door.listener.receive(
        written(call | {"tracker": {"events": events[:2]}}), request("rasa", {})
    )

    filled, nothing = door.touchpoints
    assert filled.signals == ("slot_filled",)
    assert properties(filled)["filled"] == {"month": "March"}
    assert (nothing.signals, "filled" in properties(nothing)) == ((), False)


async def test_a_hand_off_may_have_a_name_of_ones_own():
    named = {"handoffs": ["action_call_agent", "want_a_person"]}

    said = await told(
        event("action", name="action_call_agent", confidence=1.0),
        turn("want_a_person", 0.99),
        event("action", name="utter_greet", confidence=1.0),
        **named,
    )

    assert [one.signals for one in said] == [("handoff",), ("handoff",), ()]


async def test_names_places_and_what_is_kept():
    said = await told(
        event("action", name="utter_ask_amount", policy="RulePolicy", confidence=1.0),
        event("active_loop", name="pay_form"),
        event("active_loop", name=None),
        event("bot", text="How much?", metadata={"utter_action": "utter_ask_amount"}),
        event("session_started"),
    )

    assert [(one.name, one.location) for one in said] == [
        ("utter_ask_amount", "utter_ask_amount"),
        ("active_loop", "pay_form"),
        ("active_loop", None),
        ("bot_message", None),
        ("session_started", None),
    ]
    assert properties(said[0])["policy"] == "RulePolicy"
    assert properties(said[3]) == {
        "metadata": {"utter_action": "utter_ask_amount"},
        "text_length": 9,
        "event": "bot",
    }


async def test_senders_are_users_and_texts_are_kept_where_the_source_says_so():
    (one,) = await told(turn("pay", 0.9), user_ids=True, keeps_text=True)

    assert one.identifiers == {"user_id": "conv-1"}
    assert properties(one)["text"] == "I want to pay"


async def test_an_event_sent_again_is_the_same_and_another_is_not():
    first, again, later = await told(
        event("pause"), event("pause"), event("pause") | {"timestamp": AT + 0.001}
    )
    (numbered,) = await told(event("pause") | {"id": "rasa_core_events/0/42"})

    assert first.id == again.id != later.id
    assert numbered.id == "rasa_core_events/0/42"


async def test_an_action_servers_call_tells_the_turn_and_is_answered_with_nothing_to_do():
    door = Door()
    call = {
        "next_action": "action_pay",
        "sender_id": "conv-1",
        "tracker": {
            "latest_message": {
                "intent": {"name": "nlu_fallback", "confidence": 0.7},
                "text": "blah blah",
            },
            "latest_event_time": AT,
            "latest_input_channel": "rest",
            "slots": {"bill_type": "gas"},
            "paused": True,
        },
        "domain": {"intents": ["a"] * 50},
        "version": "3.6.21",
    }

    receipt = await door.listener.receive(written(call), request("rasa", {}))

    (one,) = door.touchpoints
    assert (one.name, one.session_hint) == ("action_pay", "conv-1")
    assert one.signals == ("fallback", "handoff")
    kept = properties(one)
    assert (kept["slots"], kept["version"], "domain" in kept) == (
        {"bill_type": "gas"}, "3.6.21", False,
    )  # fmt: skip
    answer = DIALECTS["rasa"].answer(receipt).body
    assert b'"success":true' in answer
    assert answer.endswith(b'"events":[],"responses":[]}')


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"event": None}, "$.event"),
        ({"sender_id": ""}, "$.sender_id"),
        ({"timestamp": -5}, "$: the time"),
    ],
)
async def test_what_is_no_event_is_refused_beside_good_ones(wrong, where):
    door = Door()
    body = written([event("pause"), event("pause") | wrong])

    receipt = await door.listener.receive(body, request("rasa", {}))

    assert (receipt.accepted, receipt.rejected) == (1, 1)
    assert receipt.fault.where == where
    assert receipt.fault.reason in (Reason.FIELD_MISSING, Reason.TIME_INVALID)


@pytest.mark.parametrize("entities", [True, 3, "gas", {"entity": "gas"}])
async def test_entities_that_are_no_list_are_none(entities):
    (one,) = await told(event("user", parse_data={"intent": {"name": "pay"}, "entities": entities}))

    assert (one.intent, properties(one)["entities"]) == ("pay", [])
