"""Hostile bodies for every dialect: each value of an ordinary one replaced by each odd one.

None fails by our fault: it is accepted and can be read again, or refused for a reason of its own.
"""

import base64
import contextlib
import json
from urllib.parse import urlencode

import pytest

from listeners.dialects import DIALECTS
from listeners.errors import Reason, Refused
from schemas.codec import decode_touchpoint
from tests.faults.test_hostile_http import HOST, answer_to, post
from tests.unit.listeners import (
    posthog_events,
    snowplow_events,
    test_amazon_connect,
    test_asterisk,
    test_botframework,
    test_cloudevents,
    test_dialogflow,
    test_rasa,
    test_typeform,
    test_zendesk,
)
from tests.unit.listeners.doors import Door, page_view, track, written
from tests.unit.listeners.signing import BASE, request
from tests.unit.listeners.twilio_calls import CALL

ODD = (
    *(b"null", b"true", b"0", b"-1", b"0.5", b"1e17", b"1e308", b"1e999", b"NaN", b"-0.0"),
    *(b"9007199254740993", b"18446744073709551616", b"1" + b"0" * 400, b"253402300800000"),
    *(b'""', b'" "', b'"x"', b'"0"', b'"-1"', b'"nan"', b'"1e400"', b'"\xc2\xb2"', b'"1_0"'),
    *(b'"\\ud800"', b'"a\\u0000b"', b'"\\n"', b'"\\ufeff"', b'"' + b"x" * 300 + b'"'),
    *(b'"' + b"x" * 33_000 + b'"', b'"9999-12-31T23:59:59-23:59"', b'"0001-01-01T00:00:00+23:59"'),
    *(b'"http://[::1"', b'"//\xe2\x84\x80"', b'"===="', b'"{"', b'"[1]"', b'"iglu:"', b'"/"'),
    *(b"[]", b"{}", b"[null]", b"[[]]", b"[{}]", b'["x",1]', b'{"":null}', b'{"id":{"id":1}}'),
    *(b"[" * 20 + b"]" * 20, b"[" * 2_000 + b"]" * 2_000, b'{"a":1,"a":2}', b"", b"{", b"]"),
)
"""JSON, or what is not, to stand where something else stood."""

MARK = "here"


def spoilt(value):
    """The value as JSON, with each part of it, and all, replaced by each odd one in turn."""
    for place in places(value):
        head, _, tail = json.dumps(replaced(value, place)).partition(f'"{MARK}"')
        for odd in ODD:
            yield head.encode() + odd + tail.encode()


def places(value, at=()):
    yield at
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*at, key))


def replaced(value, place):
    if not place:
        return MARK
    copy = value.copy()
    copy[place[0]] = replaced(value[place[0]], place[1:])
    return copy


def in_base64(text):
    return base64.b64encode(text).decode()


RECORD = test_amazon_connect.record(
    Attributes={"menuPath": "a>b", "noInputCount": "1", "lastIntent": "x", "customerId": "u"},
    Queue={"Name": "Billing", "Duration": 73},
    Agent={"AgentInteractionDuration": 150},
)
DISCONNECTED = test_amazon_connect.event(
    "DISCONNECTED", queueInfo=test_amazon_connect.QUEUE, disconnectTimestamp="x"
)
ACTION = {
    "next_action": "action_pay",
    "sender_id": "c-1",
    "tracker": {
        "latest_message": test_rasa.turn("pay", 0.9)["parse_data"],
        "slots": {"a": 1},
        "events": [{"event": "slot", "name": "bill", "value": "gas"}],
        "latest_event_time": 1_700_000_000.5,
    },
}
ROW = {
    "conversation_name": test_dialogflow.SESSION,
    "turn_position": 1,
    "request_time": "2026-11-22T11:58:00Z",
    "request": {"queryParams": {"channel": "x"}},
    "response": {
        "queryResult": {
            "match": {"matchType": "NO_MATCH", "confidence": 0.3, "intent": {"displayName": "x"}},
            "responseMessages": [{"endInteraction": {}}],
            "parameters": {"user_id": "u"},
        }
    },
    "conversation_signals": {"turnSignals": {"noMatch": True}},
}
STEP = {
    "specversion": "1.0",
    "id": "EZ1",
    "type": "com.twilio.studio.flow.step.ended",
    "time": "2026-11-22T11:58:00Z",
    "data": {"execution_sid": "FN1", "transitioned_from": "menu", "name": "timeout"},
}
SAMPLES = {
    "native": [page_view(signals=["crash"], rating={"scale": "ces", "value": 2}), [page_view()]],
    "notes": [page_view(channel=None)],
    "surveys": [page_view(channel=None, rating={"scale": "nps", "value": 2}, properties={"a": 1})],
    "twilio": [[STEP], {"fields": {**CALL, "CallDuration": "1", "Timestamp": "x"}}],
    "amazon-connect": [DISCONNECTED, RECORD, {"requestId": "r", "records": [{"data": "e30="}]}],
    "asterisk": [{"sent_at": "x", "events": [test_asterisk.event("Newexten", Exten="0")]}],
    "rasa": [test_rasa.turn("pay", 0.2, {"name": "greet", "confidence": 0.1}), ACTION],
    "dialogflow": [
        test_dialogflow.call(
            intentInfo=test_dialogflow.HEARD,
            messages=[{"liveAgentHandoff": {}}],
            payload={"telephony": {"caller_id": "+442079460042"}},
        ),
        ROW,
    ],
    "botframework": [
        test_botframework.trace(pay=0.9),
        {"transcript": [test_botframework.activity("message", text="hello")]},
    ],
    "zendesk": [test_zendesk.ticket("comment_added", {"comment": {"body": "x", "author": {}}})],
    "typeform": [
        test_typeform.response(test_typeform.score(9, "nps_1", "nps"), test_typeform.WHY),
    ],
    "segment": [
        {"batch": [track(context={"page": {"url": "/x"}, "device": {"id": 1}})], "sentAt": "x"},
        track(type="identify", traits={"email": "a@example.com"}, properties={"status": 500}),
    ],
    "snowplow": [
        {"data": [snowplow_events.event(ttm="1", co='{"data":[{"schema":"iglu:a/b","data":1}]}')]}
    ],
    "posthog": [
        {"api_key": "k", "batch": [posthog_events.event("$identify", **{"$set": {"email": "a"}})]},
        posthog_events.server("$create_alias", "u-1", alias="u-2"),
    ],
    "cloudevents": [test_cloudevents.event(data={"identifiers": {"user_id": "u"}, "signals": []})],
}
"""Ordinary bodies of each dialect, as JSON."""

SOURCE = {
    "name": "k",
    "keys": ["sha256:" + "0" * 64],
    "user_ids": True,
    "keeps_text": True,
    "handoffs": ["x"],
    "anonymous_ids": "a.*",
}


async def read(door, body, dialect, headers=None, **delivery):
    """Let the listener have it; whatever comes of it is a touchpoint, a letter or a refusal."""
    asked = request(dialect, headers or {}, **delivery)
    with contextlib.suppress(Refused):
        receipt = await door.listener.receive(body, asked)
        DIALECTS[dialect].answer(receipt)
        for route in DIALECTS[dialect].routes:
            if route.answer is not None:
                route.answer(receipt)
    for record in door.publisher.of("touchpoints"):
        json.loads(bytes(decode_touchpoint(record.value).properties))
    faults = [one for one in door.letters if one.reason == Reason.PROCESSING_FAILED]
    assert faults == [], body[:2_000]
    door.publisher.records.clear()


def test_every_dialect_has_a_sample():
    assert set(SAMPLES) == set(DIALECTS)


@pytest.mark.parametrize("dialect", SAMPLES)
async def test_no_value_of_a_body_makes_its_dialect_fail(dialect):
    door = Door()
    kind = {"Content-Type": "application/cloudevents+json"}
    for sample in SAMPLES[dialect]:
        for body in spoilt(sample):
            await read(door, body, dialect, kind)


@pytest.mark.parametrize("dialect", ["rasa", "botframework", "posthog", "dialogflow"])
async def test_nor_where_the_source_asks_for_more(dialect, monkeypatch):
    door = Door(sources=[SOURCE])
    monkeypatch.setattr(type(door.listener.credentials), "source_of", lambda self, *_: KNOWN)
    for sample in SAMPLES[dialect]:
        for body in spoilt(sample):
            await read(door, body, dialect)


KNOWN = Door(sources=[SOURCE]).settings.sources[0]


async def test_nor_what_is_packed_inside_of_it():
    door = Door()
    for body in spoilt(RECORD):
        data = written({"requestId": "r", "records": [{"data": in_base64(body)}]})
        await read(door, data, "amazon-connect")
    inner = snowplow_events.self_describing("com.example", "paid", {"intent": "x"})
    for body in spoilt({"schema": snowplow_events.EVENT, "data": inner}):
        await read(door, written(snowplow_events.event("ue", ue_px=in_base64(body))), "snowplow")
    session = snowplow_events.client_session(userId="u", sessionId="s", eventIndex=1)
    for body in spoilt(snowplow_events.contexts(session)):
        await read(door, written(snowplow_events.event(cx=in_base64(body))), "snowplow")


async def test_nor_a_form_of_twilios():
    door = Door()
    texts = [odd.decode() for odd in ODD if len(odd) < 500]
    ended = {"CallStatus": "completed", "CallDuration": "1", "Timestamp": "x"}
    task = {"EventType": "x", "TaskSid": "y", "TaskAttributes": '{"call_sid":"CA1"}'}
    for fields in ({"Digits": "1"}, {"QueueResult": "hangup"}, ended, task):
        pairs = list((CALL | fields).items())
        for place, (name, value) in enumerate(pairs):
            for odd in texts:
                there = pairs[:place], pairs[place + 1 :]
                for given in ([(name, odd)], [(name, value), (name, odd)], [(odd, value)]):
                    form = urlencode([*there[0], *given, *there[1]])
                    await read(door, form.encode(), "twilio")
    for name in ("menu", "intent", "result", "identifies", "scale", "next"):
        for odd in texts:
            query = urlencode({name: odd})
            await read(door, b"Digits=1&CallSid=CA1", "twilio", url=f"{BASE}/x?{query}")


HEADERS = (
    *(b"Authorization: Basic \xff\xfe", b"Authorization: Basic \xc3\xa9", b"X-Write-Key: \xff"),
    *(b"Authorization: Bearer \xff", b"Content-Encoding: \xff\xfe", b"Content-Type: \xff"),
    *(b"I-Twilio-Idempotency-Token: \xff", b"PostHog-Sdk-Info: posthog-\xff/1", b"Origin: \xff"),
    *(b"PostHog-Request-Timestamp: \xff", b"ce-id: \xff\r\nce-type: \xff", b"Expect: \xff"),
    *(b"User-Agent: posthog-\xff", b"WebHook-Request-Origin: \xff", b"Expect: x"),
    b"Access-Control-Request-Headers: \xff",
)
"""Headers whose bytes are no text, and one that asks for what there is not."""

QUERIES = (b"\xff=\xff", b"%ff=%ed%a0%80", b"data=%ff", b"writeKey=%ed%a0%80", b"token=\xff", b"%")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_nor_bytes_in_a_header_or_a_query_that_are_no_text(dialect):
    door = Door()
    route, closing = DIALECTS[dialect].routes[-1], b"Connection: close"
    path = route.path.encode()

    async with door.served() as url:
        for method in map(str.encode, route.methods):
            for body in (b"", b"{}", b"a=b"):
                length = b"Content-Length: %d" % len(body)
                for header in HEADERS:
                    line = method + b" " + path + b" HTTP/1.1"
                    probe = post(HOST, length, closing, header, body=body, line=line)
                    answer = await answer_to(url, probe)
                    assert answer[9:10] in (b"2", b"4"), (header, answer)
                    assert b"application/json" in answer or b"/xml" in answer or b"gif" in answer
                for query in QUERIES:
                    line = method + b" " + path + b"?" + query + b" HTTP/1.1"
                    answer = await answer_to(url, post(HOST, length, closing, body=body, line=line))
                    assert answer[9:10] in (b"2", b"4"), (query, answer)
