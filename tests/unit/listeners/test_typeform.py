import json

import pytest

from tests.unit.listeners.doors import properties, receipts, written
from tests.unit.listeners.signing import request, signing_door, typeform_headers

SECRET = "typeform-secret"


def score(value, ref, kind="opinion_scale"):
    return {"type": "number", "number": value, "field": {"id": "x", "ref": ref, "type": kind}}


WHY = {"type": "text", "text": "Fast!", "field": {"id": "y", "ref": "why", "type": "long_text"}}


def response(*answers, **fields):
    return {
        "event_id": "evt-1",
        "event_type": "form_response",
        "form_response": {
            "form_id": "abc",
            "token": "tok",
            "submitted_at": "2026-11-22T11:58:00Z",
            "hidden": {"user_id": "u-42", "session_id": "CA1", "mission": "pay-bill", "plan": "x"},
            "definition": {"title": "After your call", "fields": []},
            "answers": list(answers),
            **fields,
        },
    }


async def told(value):
    door = signing_door("typeform", SECRET)
    body = written(value)
    receipt = await door.listener.receive(body, request("typeform", typeform_headers(body, SECRET)))
    return door, receipt


async def test_each_scored_answer_is_a_touchpoint_of_its_own():
    door, _ = await told(response(WHY, score(9, "how-likely", "nps"), score(6, "ces")))

    nps, ces = door.touchpoints
    assert [(one.id, one.rating.scale, one.rating.value) for one in (nps, ces)] == [
        ("evt-1/how-likely", "nps", 9),
        ("evt-1/ces", "ces", 6),
    ]
    for one in (nps, ces):
        assert (one.channel, one.name, one.location) == ("survey", "After your call", "abc")
        assert (one.session_hint, one.intent) == ("CA1", "pay-bill")
        assert one.identifiers == {"user_id": "u-42"}
        assert one.occurred_at.minute == 58
    kept = properties(ces)
    assert kept["survey"] == {"kind": "interaction", "question": "ces"}
    assert kept["hidden"] == {"plan": "x"}
    assert "Fast!" not in json.dumps(kept)
    assert kept["answers"][0] == {"ref": "why", "type": "long_text", "text_length": 5}


@pytest.mark.parametrize(
    ("answer", "scale"),
    [
        (score(9, "anything", "nps"), "nps"),
        (score(4, "csat", "rating"), "csat"),
        (score(4, "CES_after_call"), "ces"),
        (score(4, "cesium"), None),
        (score(4, "how-was-it", "rating"), None),
        (score(4, "ces", "number"), None),
        (score(4, "ces", []), None),
        (score(4, "ces", {"a": 1}), None),
    ],
)
async def test_the_scale_is_what_the_fields_reference_says(answer, scale):
    door, _ = await told(response(answer))

    (one,) = door.touchpoints
    assert (None if one.rating is None else one.rating.scale) == scale


async def test_an_answer_without_a_session_is_about_the_relationship():
    door, _ = await told(response(score(9, "nps", "nps"), hidden={"user_id": "u-42"}))

    (one,) = door.touchpoints
    assert (one.session_hint, properties(one)["survey"]["kind"]) == (None, "relationship")
    assert one.signals == ("relationship",)


async def test_a_score_outside_its_scale_is_refused_beside_a_good_one():
    door, receipt = await told(response(score(9, "ces"), score(5, "csat", "rating")))

    assert (receipt.accepted, receipt.rejected) == (1, 1)
    assert receipts(receipt)[0]["code"] == "field_invalid"
    assert door.touchpoints[0].rating.scale == "csat"


async def test_an_answer_of_nobody_about_nothing_is_refused():
    door, receipt = await told(response(score(9, "nps", "nps"), hidden={}))

    assert receipt.fault.reason == "no_identifier"
    assert len(door.letters) == 1
