import pytest
from aiohttp import ClientSession

from listeners.errors import Reason
from listeners.exchange import Delivery
from tests.unit.listeners.doors import Door, properties, written
from tests.unit.listeners.signing import WEBHOOK_SECRETS, signing_door, webhook_headers

ANSWER = {
    "name": "after the call",
    "identifiers": {"user_id": "u-1"},
    "session_hint": "CA1",
    "rating": {"scale": "ces", "value": 2},
    "properties": {"comment_length": 12},
}


async def answered(**changes):
    door = Door()
    body = written({key: v for key, v in {**ANSWER, **changes}.items() if v is not None})
    receipt = await door.listener.receive(body, Delivery("surveys", "survey"))
    return door, receipt


async def test_an_answer_is_a_touchpoint_of_the_survey_channel_about_the_session_it_names():
    door, _ = await answered()

    (one,) = door.touchpoints
    assert (one.channel, one.session_hint, one.signals) == ("survey", "CA1", ())
    assert (one.rating.scale, one.rating.value) == ("ces", 2)
    assert properties(one) == {"comment_length": 12, "survey": {"kind": "interaction"}}


async def test_an_answer_that_names_no_session_is_about_the_relationship():
    door, _ = await answered(session_hint=None, properties={"survey": {"wave": "spring"}})

    (one,) = door.touchpoints
    assert properties(one)["survey"] == {"wave": "spring", "kind": "relationship"}
    assert one.signals == ("relationship",)


@pytest.mark.parametrize(
    ("changes", "reason", "where"),
    [
        ({"rating": None}, Reason.FIELD_MISSING, "$.rating"),
        ({"channel": "web"}, Reason.FIELD_INVALID, "$.channel"),
        (
            {"properties": {"survey": {"kind": "relationship"}}},
            Reason.FIELD_INVALID,
            "$.session_hint",
        ),
        ({"rating": {"scale": "ces", "value": 0}}, Reason.FIELD_INVALID, "$.rating.value"),
        ({"rating": {"scale": "ces", "value": 8}}, Reason.FIELD_INVALID, "$.rating.value"),
        ({"rating": {"scale": "nps", "value": 10.5}}, Reason.FIELD_INVALID, "$.rating.value"),
        ({"rating": {"scale": "csat", "value": 0}}, Reason.FIELD_INVALID, "$.rating.value"),
        ({"rating": {"scale": "stars", "value": 3}}, Reason.FIELD_INVALID, "$.rating.scale"),
    ],
)
async def test_an_answer_that_is_none_is_refused(changes, reason, where):
    door, receipt = await answered(**changes)

    assert (receipt.fault.reason, receipt.fault.where) == (reason, where)
    assert door.touchpoints == []
    assert len(door.letters) == 1


@pytest.mark.parametrize(
    ("scale", "value"),
    [("ces", 1), ("ces", 7), ("nps", 0), ("nps", 10), ("csat", 1), ("csat", 5)],
)
async def test_the_ends_of_each_scale_are_answers(scale, value):
    door, _ = await answered(rating={"scale": scale, "value": value})

    assert door.touchpoints[0].rating.value == value


async def test_a_note_may_say_its_channel_and_needs_no_rating():
    door = Door()
    body = written({"channel": "agent", "name": "note", "identifiers": {"user_id": "u-1"}})

    await door.listener.receive(body, Delivery("notes", "agent"))

    assert door.touchpoints[0].channel == "agent"


async def test_over_http_a_signed_note_is_taken_and_a_forged_one_is_401():
    secret = WEBHOOK_SECRETS[0]
    door = signing_door("webhook", secret)
    body = written([{"name": "note", "identifiers": {"user_id": "u-1"}}])
    headers = webhook_headers(body, secret)

    async with door.served() as url, ClientSession() as client:
        answers = []
        for path in ("/v1/notes", "/v1/notes/", "/v1/touchpoints"):
            for sent in (body, body.replace(b"u-1", b"u-2")):
                async with client.post(url + path, data=sent, headers=headers) as answer:
                    answers.append((answer.status, (await answer.json()).get("code")))

    refused = (401, "signature_invalid")
    assert answers == [(200, None), refused] * 3
    assert len(door.touchpoints) == 1
