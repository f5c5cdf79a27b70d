from datetime import UTC, datetime, timedelta

import pytest

from listeners.adapters import identifiers
from listeners.adapters.native import adapt_replay_line, replay_context
from listeners.errors import ItemRefused, Reason
from listeners.settings import ListenerSettings
from schemas.records import Rating
from tests.unit.listeners.doors import (
    NOON,
    SHOP,
    Door,
    page_view,
    properties,
    receipts,
    written,
)


async def test_only_channel_name_and_one_identifier_are_required():
    door = Door()

    receipt = await door.native({"channel": "web", "name": "x", "identifiers": {"user_id": 42}})

    [touchpoint] = door.touchpoints
    assert receipt.accepted == 1
    assert touchpoint.identifiers == {"user_id": "42"}
    assert touchpoint.occurred_at == touchpoint.received_at == NOON
    assert touchpoint.id == "new-1"


async def test_every_field_arrives():
    door = Door()

    await door.native(
        page_view(
            location="/checkout",
            session_hint=9,
            signals=["rage_click"],
            intent="upgrade-phone",
            rating={"scale": "ces", "value": 2},
            properties={"status": 502, "nested": {"a": [1, {"b": None}]}},
        ),
        key="kiosk",
    )

    [touchpoint] = door.touchpoints
    assert (touchpoint.id, touchpoint.source, touchpoint.channel) == ("t-1", "kiosk", "web")
    assert (touchpoint.location, touchpoint.session_hint) == ("/checkout", "9")
    assert touchpoint.signals == ("rage_click", "http_5xx")
    assert touchpoint.rating == Rating(scale="ces", value=2)
    assert properties(touchpoint) == {"status": 502, "nested": {"a": [1, {"b": None}]}}


@pytest.mark.parametrize("missing", ["channel", "name", "identifiers"])
async def test_what_is_required_and_missing_is_named(missing):
    door = Door()

    receipt = await door.native(page_view(**{missing: None}))

    assert receipts(receipt)[0]["where"] == f"$.{missing}"
    assert receipts(receipt)[0]["found"] in ("nothing", "none")


async def test_a_source_that_has_a_channel_gives_it_to_items_without_one():
    door = Door(sources=[SHOP])

    await door.native(page_view(channel=None), key="shop-key")
    await door.native(page_view(channel="ivr"), key="shop-key")

    assert [one.channel for one in door.touchpoints] == ["web", "ivr"]


async def test_a_retry_without_an_id_is_the_same_touchpoint_whatever_the_order_of_its_keys():
    door = Door()
    item = page_view(id=None, properties={"a": 1, "b": 2})

    await door.native(item)
    door.later(minutes=3)
    await door.native(dict(reversed(item.items())) | {"properties": {"b": 2, "a": 1}})
    await door.native(page_view(id=None, properties={"a": 1, "b": 3}))

    first, retry, other = (one.id for one in door.touchpoints)
    assert first == retry
    assert first != other


async def test_a_number_tells_two_touchpoints_apart_that_differ_by_nothing_else():
    door = Door()

    for sequence in (1, 2, 2, None):
        await door.native(page_view(id=None, sequence=sequence))

    assert [one.sequence for one in door.touchpoints] == [1, 2, 2, None]
    first, second, again, plain = (one.id for one in door.touchpoints)
    assert second == again
    assert len({first, second, plain}) == 3


@pytest.mark.parametrize("sequence", [-1, 1.5, "1", 2**53 + 1, True])
async def test_what_is_no_number_of_a_sequence_is_refused_with_its_place(sequence):
    door = Door()

    receipt = await door.native(page_view(sequence=sequence))

    assert receipts(receipt)[0]["where"] == "$.sequence"


async def test_a_client_cannot_say_when_it_was_received_nor_by_which_source():
    door = Door()

    await door.native(page_view(received_at="2020-01-01T00:00:00Z", source="bank", customer="c-1"))

    [touchpoint] = door.touchpoints
    assert touchpoint.received_at == NOON
    assert touchpoint.source == "default"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-11-22T10:04:05.123Z", datetime(2026, 11, 22, 10, 4, 5, 123000, UTC)),
        ("2026-11-22T11:04:05.123+01:00", datetime(2026, 11, 22, 10, 4, 5, 123000, UTC)),
        (1795341845123, datetime(2026, 11, 22, 10, 4, 5, 123000, UTC)),
        (1795341845123.0, datetime(2026, 11, 22, 10, 4, 5, 123000, UTC)),
    ],
)
async def test_times_are_rfc_3339_or_epoch_milliseconds(said, meant):
    door = Door()

    await door.native(page_view(occurred_at=said))

    assert door.touchpoints[0].occurred_at == meant
    assert door.touchpoints[0].occurred_at.tzinfo is UTC


@pytest.mark.parametrize(
    "said",
    [
        "yesterday",
        "2026-11-22",
        "2026-11-22T10:04:05",
        "0001-01-01T00:00:00+14:00",
        1e300,
        10**17,
        True,
    ],
)
async def test_what_is_no_time_is_refused_at_its_place(said):
    door = Door()

    receipt = await door.native(page_view(occurred_at=said))

    assert receipt.fault is not None
    assert (receipt.fault.reason, receipt.fault.where) == (Reason.TIME_INVALID, "$.occurred_at")


async def test_a_time_far_in_the_future_is_the_time_of_arrival():
    door = Door()
    ahead = [timedelta(minutes=4), timedelta(minutes=6)]

    await door.native(*(page_view(id=str(by), occurred_at=str(NOON + by)) for by in ahead))

    assert [one.occurred_at - NOON for one in door.touchpoints] == [ahead[0], timedelta(0)]
    assert door.counted("touchpoints_limit_reached_total", limit="future_max") == 1


async def test_personal_identifiers_cross_no_topic_in_the_clear():
    door = Door()
    people = {"email": " Ann@Example.COM ", "phone": "0044 20 7946 0042", "user_id": "u-1"}

    await door.native(page_view(identifiers=people))
    await door.native(page_view(identifiers={"email": "ann@example.com", "phone": "+442079460042"}))

    first, again = (one.identifiers for one in door.touchpoints)
    assert {k: v for k, v in first.items() if k != "user_id"} == again
    assert all(len(value) == 32 for value in again.values())
    assert b"example" not in b"".join(one.value for one in door.publisher.records).lower()


@pytest.mark.parametrize("kind", ["email", "phone", "caller_number", "ip"])
async def test_so_it_is_with_each_personal_type(kind):
    door = Door()

    await door.native(page_view(identifiers={kind: "203.0.113.9", "user_id": "203.0.113.9"}))

    [touchpoint] = door.touchpoints
    assert touchpoint.identifiers["user_id"] == "203.0.113.9"
    assert len(touchpoint.identifiers[kind]) == 32


async def test_another_hash_key_gives_other_hashes():
    one = Door(identifier_hash_key="0123456789abcdef")
    other = Door(identifier_hash_key="fedcba9876543210")

    for door in (one, other):
        await door.native(page_view(identifiers={"email": "ann@example.com"}))

    assert one.touchpoints[0].identifiers != other.touchpoints[0].identifiers


async def test_a_personal_value_that_names_nobody_is_dropped_and_other_ones_are_kept():
    door = Door()

    await door.native(page_view(identifiers={"phone": "withheld", "user_id": "null"}))
    receipt = await door.native(page_view(identifiers={"email": "n/a", "user_id": ""}))

    assert door.touchpoints[0].identifiers == {"user_id": "null"}
    assert receipt.fault is not None
    assert receipt.fault.reason == Reason.NO_IDENTIFIER


async def test_an_identifier_is_trimmed_and_unquoted():
    door = Door()

    await door.native(page_view(identifiers={"user_id": ' "u-1" ', "anonymous_id": "e\u0301"}))

    assert door.touchpoints[0].identifiers == {"user_id": "u-1", "anonymous_id": "\u00e9"}


async def test_no_emitter_parts_what_others_showed_but_a_replay_may_repeat_an_operators_word():
    item = page_view(identifiers={"anonymous_id": "a", "unlinked_from": "user_id:ann"})
    door = Door()

    receipt = await door.native(item)

    [told] = receipts(receipt)
    assert (told["status"], told["where"]) == ("rejected", "$.identifiers.unlinked_from")
    again = adapt_replay_line(written(item), replay_context(door.settings))
    assert again.identifiers["unlinked_from"] == "user_id:ann"


@pytest.mark.parametrize(
    ("given", "signals"),
    [
        ({"status": 502}, ("http_5xx",)),
        ({"status_code": 404}, ("http_4xx",)),
        ({"status": "503"}, ("http_5xx",)),
        ({"status": "paid", "status_code": 500}, ("http_5xx",)),
        ({"timeout": True}, ("timeout",)),
        ({"timeout": 30, "status": 200}, ()),
        ({"status": True}, ()),
    ],
)
async def test_properties_show_signals(given, signals):
    door = Door()

    await door.native(page_view(properties=given))

    assert door.touchpoints[0].signals == signals


async def test_a_signal_given_and_shown_is_there_once():
    door = Door()

    await door.native(page_view(signals=["http_5xx"], properties={"status": 500}))

    assert door.touchpoints[0].signals == ("http_5xx",)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"channel": "fax"}, "$.channel"),
        ({"name": ""}, "$.name"),
        ({"name": 7}, "$.name"),
        ({"name": "a\nb"}, "$.name"),
        ({"id": True}, "$.id"),
        ({"id": 2**53 + 1}, "$.id"),
        ({"id": "x" * 257}, "$.id"),
        ({"id": "a\x00b"}, "$.id"),
        ({"identifiers": ["u-1"]}, "$.identifiers"),
        ({"identifiers": {"user_id": {"is": "u"}}}, "$.identifiers.user_id"),
        ({"identifiers": {str(n): "x" for n in range(17)}}, "$.identifiers"),
        ({"signals": "rage_click"}, "$.signals"),
        ({"signals": ["Rage Click"]}, "$.signals[0]"),
        ({"signals": ["a"] * 17}, "$.signals"),
        ({"rating": {"scale": "stars", "value": 3}}, "$.rating.scale"),
        ({"rating": {"scale": "nps", "value": 11}}, "$.rating.value"),
        ({"rating": {"scale": "nps"}}, "$.rating.value"),
        ({"properties": [1]}, "$.properties"),
        ({"properties": {"n": 2**64}}, "$.properties.n"),
        ({"properties": {"n": [{"m": -(2**63) - 1}]}}, "$.properties.n[0].m"),
        ({"location": "/" * 2049}, "$.location"),
    ],
)
async def test_a_fault_is_named_by_its_place_and_the_value_is_not_repeated(change, where):
    door = Door()

    receipt = await door.native(page_view(**change))

    [told] = receipts(receipt)
    assert told["status"] == "rejected"
    assert told["where"].replace(".0", "[0]") == where
    assert told["expected"]


async def test_a_replay_line_says_its_source_and_arrival():
    line = written(page_view(source="shop", received_at="2026-11-22T13:00:00Z"))

    touchpoint = adapt_replay_line(line, replay_context(ListenerSettings()))

    assert touchpoint.source == "shop"
    assert touchpoint.received_at == datetime(2026, 11, 22, 13, tzinfo=UTC)


async def test_a_replay_line_without_arrival_was_received_when_it_occurred():
    context = replay_context(ListenerSettings())

    touchpoint = adapt_replay_line(written(page_view()), context)

    assert touchpoint.received_at == touchpoint.occurred_at
    with pytest.raises(ItemRefused, match=r"\$\.occurred_at"):
        adapt_replay_line(written(page_view(occurred_at=None)), context)


async def test_what_a_listener_wrote_replays_as_the_same_touchpoint():
    door = Door()
    await door.native(page_view(id=None, identifiers={"email": "ann@example.com"}))
    [record] = door.publisher.records

    replayed = adapt_replay_line(record.value, replay_context(door.settings))

    assert replayed == door.touchpoints[0]


async def test_a_replay_reads_identifiers_again_as_it_did_first_and_remembers_a_bounded_number(
    monkeypatch,
):
    monkeypatch.setattr(identifiers, "REMEMBERED_MAX", 3)
    people = [
        {"user_id": 42},
        {"user_id": "42", "email": "A@b.example"},
        {"email": " a@B.example", "user_id": "42", "phone": ""},
        {"device_id": "00000000", "anonymous_id": "a-1"},
    ]
    lines = [written(page_view(identifiers=one)) for one in people]
    fresh = [adapt_replay_line(line, replay_context(ListenerSettings())) for line in lines]
    context = replay_context(ListenerSettings())

    for _ in range(3):
        for line, expected in zip(lines, fresh, strict=True):
            assert adapt_replay_line(line, context) == expected
            assert adapt_replay_line(line, context) == expected
            assert len(context.remembered) <= 3
        with pytest.raises(ItemRefused):
            adapt_replay_line(written(page_view(identifiers={"email": "null"})), context)
