import gzip
import json
import zlib

import pytest

from listeners.errors import (
    Reason,
    Refused,
    TooFast,
    TooLarge,
    Unauthorised,
    Unavailable,
    Unreadable,
)
from listeners.publishers.publisher import Outgoing
from tests.unit.listeners.doors import SHOP, Door, page_view, receipts, track, written


async def test_a_touchpoint_is_keyed_by_the_device_that_all_of_it_meets_at():
    door = Door()
    both = {"user_id": "u-1", "anonymous_id": "a-1"}

    await door.native(page_view(identifiers=both))

    [record] = door.publisher.records
    assert (record.topic, record.key) == ("touchpoints", "anonymous_id:a-1")


async def test_one_bad_item_spoils_no_other_and_is_a_dead_letter():
    door = Door()
    bad = page_view(id="bad", channel="fax")

    receipt = await door.native(page_view(id="1"), bad, page_view(id="2"), key="kiosk")

    assert (receipt.accepted, receipt.rejected, receipt.refused) == (2, 1, False)
    assert [one["status"] for one in receipts(receipt)] == ["accepted", "rejected", "accepted"]
    [letter] = door.letters
    assert (letter.source, letter.reason, letter.where) == ("kiosk", "field_invalid", "$.channel")
    assert json.loads(letter.content) == bad
    assert [one.key for one in door.publisher.of("dead-letters")] == ["kiosk"]
    assert door.counted("touchpoints_received_total", channel="web") == 2
    assert door.counted("touchpoints_rejected_total", reason="field_invalid") == 1


async def test_a_receipt_is_json_that_says_how_it_went():
    door = Door()

    receipt = await door.native(page_view(id='"quoted"'), page_view(name=1))

    answer = json.loads(receipt.body())
    assert (answer["success"], answer["status"]) == (True, 1)
    assert (answer["accepted"], answer["rejected"]) == (1, 1)
    assert answer["receipts"][0] == {"id": '"quoted"', "status": "accepted"}
    assert answer["receipts"][1]["expected"] == "what happened: text of 1 to 256 characters"
    assert answer["receipts"][1]["found"] == "a number"


async def test_what_was_sent_is_not_repeated_in_an_error():
    door = Door()

    receipt = await door.native(page_view(name=["secret-4111111111111111"], channel="<script>"))

    assert b"secret" not in receipt.body()
    assert b"script" not in receipt.body()


async def test_a_body_that_is_not_json_is_a_dead_letter_whole():
    door = Door()

    with pytest.raises(Unreadable):
        await door.raw(b"hello", key="kiosk")

    [letter] = door.letters
    assert (letter.source, letter.reason, letter.content) == ("kiosk", "not_json", b"hello")


async def test_a_dead_letter_keeps_a_bounded_part():
    door = Door()

    await door.native(page_view(name="n" * 20_000))

    [letter] = door.letters
    assert (len(letter.content), letter.truncated) == (8192, True)


async def test_nobody_unknown_writes_dead_letters():
    door = Door(sources=[SHOP])

    for key in (None, "wrong"):
        with pytest.raises(Refused):
            await door.raw(b"hello", key=key)

    assert door.publisher.records == []


async def test_nothing_is_acknowledged_that_is_not_durable():
    door = Door()
    door.publisher.down = True

    with pytest.raises(Unavailable) as caught:
        await door.native(page_view())

    assert caught.value.retry_after.total_seconds() == 2
    assert door.counted("touchpoints_received_total", channel="web") == 0
    assert door.counted("touchpoints_publisher_ready") == 0


async def test_any_failure_of_the_publisher_is_unavailability():
    class Failing:
        async def publish(self, records: list[Outgoing]) -> None:
            raise OSError

    door = Door()
    door.listener._publisher = Failing()

    with pytest.raises(Unavailable):
        await door.native(page_view())


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"1"%s}\n{"id":"2"%s}\n',
        b'  {"id":"1"%s}\r\n\r\n{"id":"2"%s}',
        b'[{"id":"1"%s},\n {"id":"2"%s}]',
    ],
)
async def test_arrays_and_lines_are_batches(body):
    door = Door()
    rest = b',"channel":"web","name":"x","identifiers":{"user_id":"u"}'

    receipt = await door.raw(body % (rest, rest))

    assert [one.id for one in door.touchpoints] == ["1", "2"]
    assert receipt.batch


async def test_a_lone_object_may_be_spread_over_lines():
    door = Door()

    receipt = await door.raw(json.dumps(page_view(), indent=1).encode())

    assert (receipt.accepted, receipt.batch) == (1, False)
    assert b"\n" not in door.publisher.records[0].value


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (gzip.compress, "gzip"),
        (gzip.compress, None),
        (gzip.compress, "identity"),
        (zlib.compress, "deflate"),
        (zlib.compress, None),
        (lambda body: zlib.compressobj(wbits=-15).compress(body) + b"", "deflate"),
        (bytes, "gzip"),
    ],
)
async def test_what_a_body_is_shows_in_its_bytes_not_in_its_label(packed, encoding):
    door = Door()
    body = written(page_view())
    if encoding == "deflate" and packed is not zlib.compress:
        squeeze = zlib.compressobj(wbits=-15)
        body = squeeze.compress(body) + squeeze.flush()
    else:
        body = packed(body)

    receipt = await door.raw(body, encoding=encoding)

    assert receipt.accepted == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (gzip.compress(b"[" + b" " * 200_000 + b"]"), Reason.BODY_TOO_LARGE),
        (b"[" + b" " * 200_000 + b"]", Reason.BODY_TOO_LARGE),
        (gzip.compress(written(page_view()))[:-12], Reason.NOT_INFLATABLE),
        (gzip.compress(gzip.compress(b"[]")), Reason.ENCODING_UNKNOWN),
        (b"\x1f\x8bnonsense", Reason.NOT_INFLATABLE),
        (b"", Reason.EMPTY_BODY),
        (b" \n ", Reason.EMPTY_BODY),
        (gzip.compress(b""), Reason.EMPTY_BODY),
        (b'"text"', Reason.NOT_JSON),
        (b"[" + b"{}," * 10 + b"{}]", Reason.BATCH_TOO_LARGE),
        (b'{"name":"' + b"n" * 20_000 + b'"}', Reason.ITEM_TOO_LARGE),
    ],
    # Names, since gzip writes the time of day: processes must collect the same tests.
    ids=[
        "a bomb",
        "too many bytes",
        "cut short",
        "packed twice",
        "not gzip",
        "nothing",
        "white space",
        "nothing packed",
        "a word",
        "too many items",
        "one item too large",
    ],
)
async def test_a_body_beyond_a_limit_is_refused_with_its_reason(body, reason):
    door = Door(body_bytes_max=100_000, item_bytes_max=10_000, batch_items_max=10)

    with pytest.raises(Refused) as caught:
        await door.raw(body)

    assert caught.value.reason == reason
    assert door.counted("touchpoints_rejected_total", reason=reason.value) == 1


async def test_an_item_of_a_batch_beyond_its_size_is_refused_alone():
    door = Door(item_bytes_max=10_000)

    receipt = await door.native(page_view(id="1"), page_view(properties={"a": "x" * 11_000}))

    assert [one.get("code") for one in receipts(receipt)] == [None, "item_too_large"]
    assert door.counted("touchpoints_limit_reached_total", limit="item_bytes_max") == 1


async def test_segment_batches_have_the_same_limits():
    door = Door(batch_items_max=2)

    with pytest.raises(TooLarge):
        await door.segment({"batch": [track()] * 3})


async def test_a_key_of_another_source_in_the_body_is_refused():
    other = SHOP | {"name": "bank", "keys": ["sha256:" + "0" * 64]}
    door = Door(sources=[SHOP, other])

    with pytest.raises(Unauthorised):
        await door.segment({"batch": [track()], "writeKey": "bank-key"}, key="shop-key")

    assert door.publisher.records == []


async def test_a_source_beyond_its_rate_is_told_when_to_come_again():
    door = Door(request_rate_max=1, request_burst_max=2)
    await door.native(page_view(), key="a")
    await door.native(page_view(), key="a")

    with pytest.raises(TooFast) as caught:
        await door.native(page_view(), key="a")
    await door.native(page_view(), key="b")
    door.later(seconds=1)
    await door.native(page_view(), key="a")

    assert caught.value.retry_after.total_seconds() == 1
    assert door.counted("touchpoints_limit_reached_total", limit="request_rate_max") == 1


async def test_an_empty_batch_is_accepted_and_publishes_nothing():
    door = Door()

    receipt = await door.raw(b"[]")

    assert json.loads(receipt.body())["accepted"] == 0
    assert door.publisher.records == []


async def test_an_open_listener_takes_the_key_as_the_name_of_the_source():
    door = Door()

    await door.native(page_view(), key="kiosk")
    await door.native(page_view())

    assert [one.source for one in door.touchpoints] == ["kiosk", "default"]


async def test_a_refused_item_of_the_same_bytes_is_the_same_letter():
    door = Door()

    await door.native(page_view(channel="fax"))
    await door.native(page_view(channel="fax"))

    assert len({one.id for one in door.letters}) == 1


async def test_identifiers_that_name_nobody_are_counted_by_what_they_are():
    door = Door()
    identifiers = {"user_id": "null", "email": "NaN", "phone": "000000", "anonymous_id": "a-1"}

    await door.native(page_view(identifiers=identifiers), page_view(id="t-2"))

    counted = {
        why: door.registry.get_sample_value(
            "touchpoints_identifiers_blocked_total", {"reason": why}
        )
        for why in ("empty", "zeros", "placeholder", "repeated_character")
    }
    assert counted == {"empty": 0, "zeros": 1, "placeholder": 2, "repeated_character": 0}
    assert set(door.touchpoints[0].identifiers) == {"user_id", "anonymous_id"}
