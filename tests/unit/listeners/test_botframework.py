import pytest

from tests.unit.listeners.doors import Door, properties, written
from tests.unit.listeners.signing import request

CUSTOMER = {"id": "u-42", "name": "Jo Bloggs", "role": "user"}
BOT = {"id": "bot-1", "name": "Bot", "role": "bot"}


def activity(kind, **fields):
    return {
        "type": kind,
        "id": "act-1",
        "timestamp": "2026-11-22T11:58:00.250Z",
        "channelId": "directline",
        "conversation": {"id": "conv-1"},
        "from": CUSTOMER,
        "recipient": BOT,
        **fields,
    }


def trace(**intents):
    scores = {name: {"score": score} for name, score in intents.items()}
    result = {"text": "what was typed", "intents": scores, "entities": {"$instance": {}}}
    return activity("trace", value={"recognizerResult": result}, **{"from": BOT}) | {
        "recipient": CUSTOMER,
        "name": "LuisRecognizer",
    }


async def told(*activities, body=None):
    door = Door()
    body = body if body is not None else written(list(activities))
    receipt = await door.listener.receive(body, request("botframework", {}))
    assert receipt.fault is None
    return door.touchpoints


async def test_a_message_of_the_customer():
    (one,) = await told(activity("message", text="I want to pay", channelData={"c": 1}))

    assert (one.id, one.name, one.channel) == ("conv-1/act-1", "message", "chatbot")
    assert (one.session_hint, one.location) == ("conv-1", "directline")
    assert one.identifiers == {"anonymous_id": "u-42"}
    assert one.occurred_at.microsecond == 250_000
    assert properties(one) == {
        "text_length": 13,
        "channelData": {"c": 1},
        "type": "message",
        "by": "customer",
    }


async def test_what_the_bot_writes_is_about_the_one_it_writes_to():
    said = await told(
        activity("message", **{"from": BOT, "recipient": CUSTOMER}),
        activity("message", **{"from": {"id": "b"}, "recipient": {"id": "u-42"}, "replyToId": "1"}),
        activity("message", **{"from": {"id": "u-42"}, "recipient": {"id": "b"}}),
    )

    assert [one.identifiers["anonymous_id"] for one in said] == ["u-42"] * 3
    assert [properties(one)["by"] for one in said] == ["bot", "bot", "customer"]


@pytest.mark.parametrize(
    ("intents", "intent", "signals"),
    [
        ({"pay": 0.9, "greet": 0.05}, "pay", ()),
        ({"None": 0.8, "pay": 0.1}, None, ("fallback",)),
        ({"pay": 0.29}, "pay", ("low_confidence",)),
        ({"greet": 0.45, "pay": 0.5}, "pay", ("low_confidence",)),
        ({}, None, ()),
    ],
)
async def test_a_trace_tells_intent_and_confidence(intents, intent, signals):
    (one,) = await told(trace(**intents))

    assert (one.intent, one.signals) == (intent, signals)
    assert one.identifiers == {"anonymous_id": "u-42"}
    assert "what was typed" not in str(properties(one))


@pytest.mark.parametrize(
    ("said", "name", "signals"),
    [
        (activity("event", name="handoff.initiate", value={"skill": "billing"}),
         "handoff.initiate", ("handoff",)),
        (activity("event", name="handoff.status", value={"state": "accepted"}),
         "handoff.status", ()),
        (activity("event", name="handoff.status", value={"state": "failed"}),
         "handoff.status", ("handoff_failed",)),
        (activity("endOfConversation", code="userCancelled"), "endOfConversation", ("bot_end",)),
        (activity("conversationUpdate", membersAdded=[CUSTOMER]), "conversationUpdate", ()),
        (activity("typing"), "typing", ()),
    ],
)  # fmt: skip
async def test_hand_offs_and_ends(said, name, signals):
    (one,) = await told(said)

    assert (one.name, one.signals) == (name, signals)
    assert "Jo Bloggs" not in str(properties(one))


async def test_how_a_conversation_ended_is_kept():
    (one,) = await told(activity("endOfConversation", code="botTimedOut"))

    assert properties(one)["code"] == "botTimedOut"


async def test_ids_repeat_in_another_conversation_and_are_not_the_same():
    one, other = await told(activity("typing"), activity("typing", conversation={"id": "conv-2"}))

    assert one.id != other.id


@pytest.mark.parametrize("wrap", [list, lambda them: {"transcript": them}])
async def test_a_transcript_is_a_list_or_an_object_with_one(wrap):
    activities = [activity("message", id="1", text="hi"), activity("endOfConversation", id="2")]

    said = await told(body=written(wrap(activities)))

    assert [one.id for one in said] == ["conv-1/1", "conv-1/2"]


@pytest.mark.parametrize(
    ("wrong", "where"),
    [({"type": None}, "$.type"), ({"conversation": {}}, "$.conversation.id")],
)
async def test_what_is_no_activity_is_refused_with_its_place(wrong, where):
    door = Door()

    receipt = await door.listener.receive(
        written(activity("message") | wrong), request("botframework", {})
    )

    assert (receipt.refused, receipt.fault.where) == (True, where)


async def test_what_else_is_known_of_the_conversation_is_kept_without_its_name():
    where = {"id": "conv-1", "name": "Jo Bloggs", "tenantId": "t-1", "isGroup": False}

    (one,) = await told(activity("message", conversation=where))

    assert properties(one)["conversation"] == {"tenantId": "t-1", "isGroup": False}
