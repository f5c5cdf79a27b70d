"""Hostile JSON: each case is refused with a reason and a place, or kept exactly; none fails."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listeners.errors import Refused
from schemas.records import Touchpoint
from tests.unit.listeners.doors import Door, page_view, properties, receipts

HEAD = b'{"channel":"web","name":"x","identifiers":{"user_id":"u"},"properties":{"a":'


def inside(value: bytes) -> bytes:
    """A value among the properties of an item that is otherwise good."""
    return HEAD + value + b"}}"


def lists(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def objects(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


REFUSED = {
    "500 lists": (inside(lists(500)), "too_deep"),
    "1,023 lists": (inside(lists(1_023)), "too_deep"),
    "1,025 lists": (inside(lists(1_025)), "too_deep"),
    "100,000 lists": (inside(lists(100_000)), "too_deep"),
    "100,000 objects": (inside(objects(100_000)), "too_deep"),
    "33 levels": (inside(lists(31)), "too_deep"),
    "2^64": (inside(b"18446744073709551616"), "number_out_of_range"),
    "-2^63 - 1": (inside(b"-9223372036854775809"), "number_out_of_range"),
    "2^64 in a list": (inside(b"[1,{},18446744073709551616]"), "number_out_of_range"),
    "5,000 digits": (inside(b"9" * 5_000), "number_out_of_range"),
    "100,000 digits": (inside(b"9" * 100_000), "number_out_of_range"),
    "1e999": (inside(b"1e999"), "number_out_of_range"),
    "NaN": (inside(b"NaN"), "not_json"),
    "Infinity": (inside(b"[Infinity]"), "not_json"),
    "invalid UTF-8": (inside(b'"\xff\xfe"'), "not_utf8"),
    "invalid UTF-8 in a field nobody reads": (b'{"x":"\xff",' + inside(b"1")[1:], "not_utf8"),
    "overlong": (inside(b'"\xc0\xaf"'), "not_utf8"),
    "a lone surrogate": (inside(b'"\\ud800"'), "not_json"),
    "a surrogate as bytes": (inside(b'"\xed\xa0\x80"'), "not_utf8"),
    "a raw control character": (inside(b'"a\x01b"'), "not_json"),
    "a raw newline": (inside(b'"a\nb"'), "not_json"),
    "a comma too many": (inside(b"[1,]"), "not_json"),
    "a number as key": (inside(b"{1:2}"), "not_json"),
    "a key of 1 MB": (inside(b'{"' + b"k" * 1_000_000 + b'":1}'), "key_too_long"),
    "a key of 257": (inside(b'{"' + b"k" * 257 + b'":1}'), "key_too_long"),
    "a nested key of 257": (inside(b'[[{"' + b"k" * 257 + b'":1}]]'), "key_too_long"),
    "a string of 32 KiB + 1": (inside(b'"' + b"s" * 32_769 + b'"'), "string_too_long"),
    "513 keys": (
        inside(b"{" + b",".join(b'"%d":0' % n for n in range(513)) + b"}"),
        "too_many_keys",
    ),
    "100,000 lists in a field nobody reads": (
        b'{"x":' + lists(100_000) + b"," + inside(b"1")[1:],
        "too_deep",
    ),
    "something after it": (inside(b"1") + b" x", "not_json"),
}

KEPT = {
    "2^53 + 1": (b"9007199254740993", 9007199254740993),
    "2^64 - 1": (b"18446744073709551615", 18446744073709551615),
    "-0": (b"-0", 0),
    "1e-999": (b"1e-999", 0.0),
    "a fraction of 400 digits": (b"0." + b"1" * 400, 0.1111111111111111),
    "30 lists": (lists(30), json.loads(lists(30))),
    "__proto__": (b'{"__proto__":{"x":1}}', {"__proto__": {"x": 1}}),
    "the same key twice": (b'{"k":1,"k":2}', {"k": 2}),
    "NUL": (b'["a\\u0000b",{"c\\u0000":"\\\\u0000"}]', ["ab", {"c": "\\u0000"}]),
    "a pair of surrogates": (b'"\\ud83d\\ude00"', "\U0001f600"),
    "512 keys less ours": (
        b"{" + b",".join(b'"%d":0' % n for n in range(500)) + b"}",
        {str(n): 0 for n in range(500)},
    ),
}


async def reason_of(door: Door, body: bytes) -> str | None:
    """Why a lone body is refused, as a whole or as the item that it is."""
    try:
        fault = (await door.raw(body)).fault
    except Refused as refused:
        return refused.reason
    return None if fault is None else fault.reason


@pytest.mark.parametrize(("item", "reason"), REFUSED.values(), ids=REFUSED.keys())
async def test_it_is_refused_with_its_reason_and_its_neighbours_are_not(item, reason):
    door = Door()
    good = json.dumps(page_view()).encode()

    receipt = await door.raw(b"[" + good + b"," + item + b"," + good + b"]")

    told = receipts(receipt)
    assert [one["status"] for one in told] == ["accepted", "rejected", "accepted"]
    assert told[1]["code"] == reason
    assert told[1]["where"].startswith("$")
    assert door.letters[0].reason == reason


@pytest.mark.parametrize(("item", "reason"), REFUSED.values(), ids=REFUSED.keys())
async def test_alone_it_is_refused_too(item, reason):
    door = Door()

    assert await reason_of(door, item) == reason
    assert door.touchpoints == []


@pytest.mark.parametrize(("value", "kept"), KEPT.values(), ids=KEPT.keys())
async def test_it_is_kept_exactly(value, kept):
    door = Door()

    receipt = await door.raw(inside(value))

    assert receipt.accepted == 1
    assert properties(door.touchpoints[0]) == {"a": kept}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"\xef\xbb\xbf" + inside(b"1"),
        inside(b"1").decode().encode("utf-16"),
        b"[1,2",
        b"[]]",
        b"nul",
        b"{",
        lists(100_000)[:-1],
    ],
    ids=["empty", "spaces", "byte order mark", "UTF-16", "cut", "too many", "nul", "brace", "deep"],
)
async def test_a_body_that_is_no_json_is_refused_whole(body):
    assert await reason_of(Door(), body) in ("empty_body", "not_json")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", b"9007199254740993", "number_out_of_range"),
        ("id", b"18446744073709551616", "number_out_of_range"),
        ("id", b'"a\\u0000b"', "control_character"),
        ("id", b'"\\ud800"', "not_json"),
        ("id", b"1.5", "field_invalid"),
        ("name", b'"a\\u0000b"', "control_character"),
        ("name", b"true", "field_invalid"),
        ("rating", b'{"scale":"ces","value":NaN}', "not_json"),
        ("rating", b'{"scale":"ces","value":1e999}', "number_out_of_range"),
        ("rating", b'{"scale":"ces","value":"1"}', "field_invalid"),
        ("rating", b'{"scale":"ces","value":true}', "field_invalid"),
        ("identifiers", b'{"user_id":9007199254740993}', "number_out_of_range"),
        ("identifiers", b'{"user_id":"a\\u0000b"}', "control_character"),
        ("identifiers", b'{"user id":"u"}', "field_invalid"),
    ],
)
async def test_in_a_typed_field_it_is_refused(field, value, reason):
    door = Door()
    item = json.dumps(page_view(**{field: 0})).encode()
    name = b'"%b": ' % field.encode()

    receipt = await door.raw(item.replace(name + b"0", name + value))

    assert receipt.fault is not None
    assert receipt.fault.reason == reason


async def test_an_id_twice_is_the_last_one():
    door = Door()

    await door.raw(b'{"id":"1","id":"2",' + inside(b"1")[1:])

    assert door.touchpoints[0].id == "2"


SHARED = Door()  # For generated examples: building one costs more than an example.

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {"channel": st.just("web"), "name": st.text(), "identifiers": st.just({"user_id": "u"})},
        optional={
            "id": JSON,
            "properties": st.dictionaries(st.text(), JSON),
            "location": st.text(),
            "intent": JSON,
            "session_hint": JSON,
        },
    )
)
async def test_what_is_accepted_can_be_read_again(item):
    door = SHARED
    door.publisher.records.clear()

    receipt = await door.raw(json.dumps(item).encode())

    for record in door.publisher.of("touchpoints"):
        touchpoint = msgspec.json.decode(record.value, type=Touchpoint)
        assert b"\n" not in record.value
        msgspec.json.decode(touchpoint.properties)
    assert receipt.accepted + receipt.rejected == 1


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["native", "segment"]))
async def test_no_bytes_at_all_make_it_fail(body, dialect):
    for text in (body, b"[" + body + b"]", b'{"batch":[' + body + b"]}"):
        with contextlib.suppress(Refused):
            await SHARED.raw(text, dialect)
