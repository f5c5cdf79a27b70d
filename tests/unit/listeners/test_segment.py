from datetime import timedelta

import pytest

from listeners.errors import Reason
from schemas.records import Rating
from tests.unit.listeners.doors import NOON, SHOP, Door, page_view, properties, receipts, track


def batch(*calls, **more):
    return {"batch": list(calls), **more}


async def test_a_track_call_becomes_a_touchpoint():
    door = Door()

    await door.segment(
        track(
            userId="u-1",
            properties={
                "status": 502,
                "intent": "pay-bill",
                "rating": {"scale": "csat", "value": 4},
            },
            context={
                "ip": "203.0.113.7",
                "page": {"url": "https://shop.example.com/pay?card=4111"},
                "sessionId": 1795341845123,
                "device": {"id": "d-1"},
                "campaign": {"name": "spring"},
            },
        )
    )

    [touchpoint] = door.touchpoints
    assert (touchpoint.id, touchpoint.name, touchpoint.channel) == ("m-1", "Bill Paid", "app")
    assert touchpoint.identifiers == {"anonymous_id": "a-1", "user_id": "u-1", "device_id": "d-1"}
    assert touchpoint.occurred_at == NOON - timedelta(minutes=1)
    assert (touchpoint.location, touchpoint.session_hint) == ("/pay", "1795341845123")
    assert (touchpoint.signals, touchpoint.intent) == (("http_5xx",), "pay-bill")
    assert touchpoint.rating == Rating(scale="csat", value=4)
    kept = properties(touchpoint)
    assert (kept["type"], kept["campaign"]) == ("track", {"name": "spring"})
    assert "ip" not in kept["context"]


@pytest.mark.parametrize(
    ("call", "name", "channel", "signals"),
    [
        ({"type": "page", "name": "Billing"}, "Billing", "web", ()),
        ({"type": "page", "name": None}, "page_view", "web", ()),
        ({"type": "screen", "name": None}, "screen_view", "app", ()),
        ({"type": "identify"}, "identify", "web", ("identity_only",)),
        ({"type": "alias", "userId": "u", "previousId": "a-1"}, "alias", "web", ("identity_only",)),
        ({"type": "merge", "userId": "u", "previousId": "v"}, "merge", "web", ("identity_only",)),
        ({"type": "group", "groupId": "g"}, "group", "web", ("identity_only",)),
        ({"channel": "mobile"}, "Bill Paid", "app", ()),
        ({"event": "Application Crashed"}, "Application Crashed", "web", ("crash",)),
        ({"event": "Application Backgrounded"}, "Application Backgrounded", "web", ("background",)),
    ],
)
async def test_each_call_has_its_name_channel_and_signals(call, name, channel, signals):
    door = Door()

    await door.segment(track(**call))

    [touchpoint] = door.touchpoints
    assert (touchpoint.name, touchpoint.channel, touchpoint.signals) == (name, channel, signals)


async def test_the_path_says_the_type_where_the_call_does_not():
    door = Door()

    await door.segment(track(type=...), call="track")
    receipt = await door.segment(track(type=...))

    assert door.touchpoints[0].name == "Bill Paid"
    assert receipt.fault is not None
    assert receipt.fault.reason == Reason.CALL_UNKNOWN


@pytest.mark.parametrize("user", [None, "", ..., 0])
async def test_a_user_id_that_is_not_given_is_unknown(user):
    door = Door()

    await door.segment(track(userId=user))

    assert set(door.touchpoints[0].identifiers) - {"user_id"} == {"anonymous_id"}
    assert ("user_id" in door.touchpoints[0].identifiers) == (user == 0)


async def test_a_numeric_user_id_becomes_text():
    door = Door()

    await door.segment(track(userId=42))

    assert door.touchpoints[0].identifiers["user_id"] == "42"


async def test_an_alias_hands_on_the_old_id_unless_it_is_the_same():
    door = Door()
    old, same = ({"type": "alias", "userId": "u", "previousId": p} for p in ("a-9", "u"))

    await door.segment(batch(track(**old, anonymousId=None), track(**same, anonymousId=None)))

    linked, idle = (one.identifiers for one in door.touchpoints)
    assert linked == {"user_id": "u", "previous_id": "a-9"}
    assert idle == {"user_id": "u"}


async def test_traits_identify_by_hash_and_are_not_kept_in_the_clear():
    door = Door()
    traits = {"email": "ann@example.com", "phone": "+442079460042", "plan": "gold"}

    await door.segment(track(type="identify", traits=traits, context={"traits": traits}))

    [touchpoint] = door.touchpoints
    assert set(touchpoint.identifiers) == {"anonymous_id", "email", "phone"}
    assert b"ann@" not in bytes(touchpoint.properties)
    assert b"+4420" not in bytes(touchpoint.properties)
    assert properties(touchpoint)["traits"] == {"plan": "gold"}


async def test_an_original_timestamp_is_taken_where_there_is_no_other():
    door = Door()
    hour = "2026-11-22T10:00:00.000Z"

    await door.segment(
        batch(track(timestamp=None, originalTimestamp=hour), track(originalTimestamp=hour))
    )

    assert [NOON - one.occurred_at for one in door.touchpoints] == [
        timedelta(hours=2),
        timedelta(minutes=1),
    ]


async def test_a_call_without_anybody_is_refused_with_its_reason():
    door = Door()

    receipt = await door.segment(batch(track(anonymousId=None), track()))

    told = receipts(receipt)
    assert [one["status"] for one in told] == ["rejected", "accepted"]
    assert (told[0]["id"], told[0]["code"]) == ("m-1", "no_identifier")


async def test_a_call_that_cannot_be_decoded_spoils_no_other():
    door = Door()
    good = '{"type":"track","event":"x","anonymousId":"a","messageId":"m-%d"}'
    bad = '{"type":"track","event":"x","anonymousId":"a","properties":{"ratio":NaN}}'
    body = f'{{"sentAt":null,"batch":[{good % 1},{bad},{good % 2}],"writeKey":"k"}}'

    receipt = await door.raw(body.encode(), "segment")

    assert [one.id for one in door.touchpoints] == ["m-1", "m-2"]
    assert {one.source for one in door.touchpoints} == {"k"}
    assert receipts(receipt)[1]["code"] == "not_json"


async def test_the_source_channel_wins():
    door = Door(sources=[SHOP | {"channel": "survey"}])

    await door.segment(track(channel="mobile"), key="shop-key")

    assert door.touchpoints[0].channel == "survey"


async def test_a_key_in_the_body_names_the_source():
    door = Door(sources=[SHOP])

    await door.segment(batch(track(), writeKey="shop-key"))
    await door.segment(track(writeKey="shop-key"))

    assert [one.source for one in door.touchpoints] == ["shop", "shop"]


async def test_a_clock_that_is_wrong_again_and_again_is_corrected():
    door = Door()
    slow = timedelta(hours=1)

    for number in range(4):
        sent = door.now - slow
        at = sent - timedelta(seconds=1)
        await door.segment(
            batch(track(messageId=str(number), timestamp=at.isoformat()), sentAt=sent.isoformat())
        )
        door.later(seconds=30)

    behind = [one.received_at - one.occurred_at for one in door.touchpoints]
    assert behind[:2] == [slow + timedelta(seconds=1)] * 2
    assert behind[2:] == [timedelta(seconds=1)] * 2
    assert door.counted("touchpoints_limit_reached_total", limit="skew_min") == 2


async def test_a_clock_of_whoever_names_no_device_is_that_of_its_address():
    door = Door()

    for number in range(4):
        sent = (door.now - timedelta(hours=1)).isoformat()
        odd = track(messageId=f"odd-{number}", timestamp=sent, anonymousId=["a"])
        good = track(messageId=str(number), timestamp=sent)
        await door.segment(batch(odd, good, sentAt=sent), peer="10.0.0.1")

    assert [one.occurred_at == NOON for one in door.touchpoints] == [False, False, True, True]


async def test_the_time_on_the_road_is_no_wrong_clock():
    door = Door()

    for number in range(4):
        sent = (door.now - timedelta(seconds=50)).isoformat()
        await door.segment(batch(track(messageId=str(number), timestamp=sent), sentAt=sent))
        await door.segment(batch(track(messageId=f"far-{number}", timestamp=sent, anonymousId="b")))
        door.later(seconds=30)

    assert {one.received_at - one.occurred_at for one in door.touchpoints} == {
        timedelta(seconds=50)
    }


async def test_a_small_error_of_a_clock_that_was_wrong_is_left():
    door = Door()

    for number, slow in enumerate((3600, 50, 50, 50)):
        sent = (door.now - timedelta(seconds=slow)).isoformat()
        await door.segment(batch(track(messageId=str(number), timestamp=sent), sentAt=sent))

    assert [(one.received_at - one.occurred_at).seconds for one in door.touchpoints] == [
        3600, 50, 50, 50,
    ]  # fmt: skip


async def test_a_backlog_sent_late_is_no_wrong_clock():
    door = Door()

    for number in range(4):
        sent = door.now - timedelta(hours=number)
        await door.segment(
            batch(track(messageId=str(number), timestamp=sent.isoformat()), sentAt=sent.isoformat())
        )

    assert [one.received_at - one.occurred_at for one in door.touchpoints] == [
        timedelta(hours=number) for number in range(4)
    ]


async def test_a_property_of_the_emitter_is_not_overwritten_by_ours():
    door = Door()

    await door.segment(track(properties={"type": "prepaid", "context": "kiosk"}))

    assert properties(door.touchpoints[0]) == {"type": "prepaid", "context": "kiosk"}


async def test_a_field_that_no_call_should_have_is_kept():
    door = Door()
    metadata = {"bundled": ["Segment.io"]}

    await door.segment(track(rudderId="r-1", _metadata=metadata, sentAt="2026-11-22T12:00:00Z"))

    kept = properties(door.touchpoints[0])
    assert (kept["rudderId"], kept["_metadata"]) == ("r-1", metadata)
    assert "sentAt" not in kept


async def test_a_native_item_is_not_a_call():
    door = Door()

    receipt = await door.segment(page_view())

    assert receipt.accepted == 0
