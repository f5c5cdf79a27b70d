import base64
import gzip
from datetime import timedelta

import msgspec
import pytest
from aiohttp import ClientSession

from listeners.errors import Reason
from tests.unit.listeners.doors import NOON, SHOP, Door, properties, receipts, written

EMPTY = msgspec.Raw(b"{}")
SINGLE = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}


def event(**changes):
    attributes = {
        "specversion": "1.0",
        "id": "7",
        "source": "/channels/app",
        "type": "com.example.bill_paid",
        "subject": "u-1",
        "time": "2026-11-22T11:59:00.123456Z",
        "datacontenttype": "application/json",
        "sessionid": "s-1",
        "partitionkey": "u-1",
        "data": {"url": "https://shop.example.com/billing?x=1", "amount": 12.5},
        **changes,
    }
    return {key: value for key, value in attributes.items() if value is not None}


async def structured(door, one):
    return await door.raw(written(one), "cloudevents", headers=SINGLE)


async def binary(door, body, kind="application/json", encoding=None, **attributes):
    headers = {
        "Ce-Id": "7",
        "ce-source": "/channels/app",
        "CE-Type": "com.example.bill_paid",
        "ce-specversion": "1.0",
        "ce-subject": "u-1",
        **{f"ce-{name}": value for name, value in attributes.items()},
    }
    if kind:
        headers["Content-Type"] = kind
    return await door.raw(body, "cloudevents", headers=headers, encoding=encoding)


async def test_a_structured_event_becomes_a_touchpoint_field_by_field():
    door = Door()

    await structured(door, event())

    [touchpoint] = door.touchpoints
    assert touchpoint.id == "/channels/app#7"
    assert (touchpoint.name, touchpoint.channel) == ("com.example.bill_paid", "app")
    assert touchpoint.occurred_at == NOON - timedelta(seconds=59, microseconds=876544)
    assert (touchpoint.location, touchpoint.session_hint) == ("/billing", "s-1")
    assert touchpoint.identifiers == {"user_id": "u-1"}
    assert properties(touchpoint) == {
        "url": "https://shop.example.com/billing?x=1",
        "amount": 12.5,
        "ce": {
            "specversion": "1.0",
            "source": "/channels/app",
            "type": "com.example.bill_paid",
            "subject": "u-1",
            "datacontenttype": "application/json",
            "partitionkey": "u-1",
        },
    }


@pytest.mark.parametrize(
    ("written", "sequence"), [("0000012", 12), (12, 12), ("2026-a", None), (None, None)]
)
async def test_a_sequence_of_digits_is_the_number_of_the_event_in_its_session(written, sequence):
    door = Door()

    await structured(door, event(sequence=written))

    assert [one.sequence for one in door.touchpoints] == [sequence]


async def test_the_data_may_say_all_that_a_native_touchpoint_says():
    door = Door()
    data = {
        "name": "Bill Paid",
        "channel": "web",
        "location": "/pay",
        "identifiers": {"anonymous_id": "a-1", "email": "Ann@example.com", "user_id": None},
        "signals": ["rage_click"],
        "status": 502,
        "intent": "pay-bill",
        "rating": {"scale": "ces", "value": 2},
    }

    await structured(door, event(data=data))

    [touchpoint] = door.touchpoints
    assert (touchpoint.name, touchpoint.channel) == ("Bill Paid", "web")
    assert touchpoint.location == "/pay"
    assert touchpoint.identifiers.keys() == {"anonymous_id", "email"}
    assert touchpoint.signals == ("rage_click", "http_5xx")
    assert (touchpoint.intent, touchpoint.rating.value) == ("pay-bill", 2)
    assert b"xample.com" not in bytes(touchpoint.properties)


async def test_both_modes_of_one_event_are_one_touchpoint():
    door = Door()
    one = event(sessionid=None, partitionkey=None, comment='Euro € and "quotes" 100%')

    await structured(door, one)
    await binary(
        door,
        written(one["data"]),
        time=one["time"],
        comment="Euro%20%E2%82%AC%20and%20%22quotes%22%20100%25",
    )

    first, second = door.touchpoints
    assert properties(first) == properties(second)
    assert msgspec.structs.replace(first, properties=EMPTY) == msgspec.structs.replace(
        second, properties=EMPTY
    )
    assert properties(first)["ce"]["comment"] == 'Euro € and "quotes" 100%'


@pytest.mark.parametrize(
    ("body", "kind", "kept"),
    [
        (b'{"a":1}', "application/json; charset=utf-8", {"a": 1}),
        (b'{"a":1}', "application/vnd.example+json", {"a": 1}),
        (b'{"a":1}', None, {"a": 1}),
        (b"[1,2]", "application/json", {"data": [1, 2]}),
        (b"hello", "text/plain", {"data": "hello"}),
        (b"RIFF\0\1\xff", "audio/wav", {"data_base64": "UklGRgAB/w=="}),
        (b"\x1f\x8b\xff", "application/gzip", {"data_base64": "H4v/"}),
        (b"", "application/json", {}),
    ],
)
async def test_a_binary_events_body_is_its_data_whatever_it_is(body, kind, kept):
    door = Door()

    await binary(door, body, kind)

    told = properties(door.touchpoints[0])
    del told["ce"]
    assert told == kept


async def test_a_compressed_binary_event_is_inflated_as_its_label_says():
    door = Door()

    await binary(door, gzip.compress(b'{"a":1}'), encoding="gzip")

    assert properties(door.touchpoints[0])["a"] == 1


async def test_json_in_base64_is_data_and_other_bytes_stay_base64():
    door = Door()
    packed = base64.b64encode(b'{"intent":"pay"}').decode()

    await structured(door, event(data=None, data_base64=packed))
    await structured(door, event(data=None, data_base64=packed, datacontenttype="audio/wav"))

    first, second = door.touchpoints
    assert (first.intent, properties(first)["intent"]) == ("pay", "pay")
    assert (second.intent, properties(second)["data_base64"]) == (None, packed)


async def test_a_batch_gives_a_receipt_an_event():
    door = Door()
    body = written([event(), event(subject=None), event(id="8")])

    receipt = await door.raw(body, "cloudevents", headers=BATCH)

    assert [one["status"] for one in receipts(receipt)] == ["accepted", "rejected", "accepted"]
    assert receipts(receipt)[1]["code"] == "no_identifier"
    assert [one.id for one in door.touchpoints] == ["/channels/app#7", "/channels/app#8"]


async def test_the_same_id_of_two_sources_is_two_touchpoints_and_long_names_stay_apart():
    door = Door()
    far = "https://example.com/" + "x" * 300 + "/app"

    for source in ("/a/app", "/b/app", far, far + "/app"):
        await structured(door, event(source=source))

    assert len({one.id for one in door.touchpoints}) == 4


@pytest.mark.parametrize(
    ("source", "data", "setting", "channel"),
    [
        ("/channels/ivr", {}, None, "ivr"),
        ("https://example.com/channels/chatbot/", {}, None, "chatbot"),
        ("/channels/ivr", {"channel": "web"}, "agent", "web"),
        ("/channels/ivr", {}, "agent", "agent"),
    ],
)
async def test_the_channel_is_the_datas_else_the_settings_else_the_sources(
    source, data, setting, channel
):
    door = Door(sources=[SHOP | {"channel": setting}])

    await door.raw(
        written(event(source=source, data=data)), "cloudevents", headers=SINGLE, key="shop-key"
    )

    assert door.touchpoints[0].channel == channel


@pytest.mark.parametrize(
    ("changes", "reason", "where"),
    [
        ({"id": None}, Reason.FIELD_MISSING, "$.id"),
        ({"source": ""}, Reason.FIELD_MISSING, "$.source"),
        ({"type": None}, Reason.FIELD_MISSING, "$.type"),
        ({"type": 7}, Reason.FIELD_INVALID, "$.type"),
        ({"specversion": "0.3"}, Reason.FIELD_INVALID, "$.specversion"),
        ({"time": "2026-11-22T11:59:00"}, Reason.TIME_INVALID, "$.time"),
        ({"time": 1795345200}, Reason.TIME_INVALID, "$.time"),
        ({"subject": None}, Reason.NO_IDENTIFIER, "$.data.identifiers"),
        ({"source": "/elsewhere"}, Reason.FIELD_MISSING, "$.data.channel"),
        ({"data": {"channel": "fax"}}, Reason.FIELD_MISSING, "$.data.channel"),
        ({"data": {"identifiers": ["u"]}}, Reason.FIELD_INVALID, "$.data.identifiers"),
        ({"data": {"identifiers": {"a": {}}}}, Reason.FIELD_INVALID, "$.data.identifiers"),
        ({"data": {"signals": "rage"}}, Reason.FIELD_INVALID, "$.data.signals"),
        ({"data": {"signals": ["Rage!"]}}, Reason.FIELD_INVALID, "$.signals[0]"),
        ({"data": None, "data_base64": "!"}, Reason.FIELD_INVALID, "$.data_base64"),
        ({"data": None, "data_base64": "e2E="}, Reason.FIELD_INVALID, "$.data_base64"),
    ],
)
async def test_an_event_that_cannot_be_one_is_refused_with_its_place(changes, reason, where):
    door = Door()

    receipt = await structured(door, event(**changes))

    assert receipt.refused
    assert [(one.reason, one.where) for one in door.letters] == [(reason, where)]


async def test_the_modes_are_told_apart_by_the_content_type_alone():
    door = Door(sources=[SHOP])
    key = {"Authorization": "Bearer shop-key"}
    attributes = {f"ce-{name}": event()[name] for name in ("id", "source", "type", "specversion")}

    async with door.served() as url, ClientSession() as client:
        for body, headers in (
            (written(event()), SINGLE),
            (written([event()]), BATCH),
            (b'{"a":1}', {**attributes, "ce-subject": "u-1", "Content-Type": "application/json"}),
        ):
            async with client.post(url + "/v1/events", data=body, headers=headers | key) as answer:
                assert (answer.status, (await answer.json())["accepted"]) == (200, 1)
        async with client.post(
            url + "/v1/events?access_token=shop-key", data=written(event()), headers=SINGLE
        ) as answer:
            assert answer.status == 200

    assert {one.id for one in door.touchpoints} == {"/channels/app#7"}
    assert {one.source for one in door.touchpoints} == {"shop"}


async def test_a_sender_that_asks_whether_it_may_is_told_so():
    door = Door(request_rate_max=2)

    async with door.served() as url, ClientSession() as client:
        asked = {"WebHook-Request-Origin": "events.example.com", "WebHook-Request-Rate": "120"}
        async with client.options(url + "/v1/events", headers=asked) as answer:
            assert answer.status == 200
            assert answer.headers["WebHook-Allowed-Origin"] == "events.example.com"
            assert answer.headers["WebHook-Allowed-Rate"] == "120"
        async with client.options(
            url + "/v1/events", headers={"WebHook-Request-Origin": "a b"}
        ) as answer:
            assert answer.status == 400

    assert door.publisher.records == []


async def test_a_binary_body_too_large_is_refused():
    door = Door(body_bytes_max=100)
    headers = {"ce-id": "1", "Content-Type": "audio/wav"}

    async with (
        door.served() as url,
        ClientSession() as client,
        client.post(url + "/v1/events", data=b"x" * 101, headers=headers) as answer,
    ):
        assert answer.status == 413
