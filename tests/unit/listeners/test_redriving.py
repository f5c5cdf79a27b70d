"""A dead letter before the door that refused it: the same door, with the settings of now."""

import gzip
import json
import zlib
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from multidict import CIMultiDict

from listeners.credentials import fingerprint, hash_identifier
from listeners.errors import Refused
from listeners.redriving import Judged, Redriving
from listeners.settings import ListenerSettings
from schemas.codec import decode
from schemas.letters import DeadLetter
from schemas.letters import Door as Whence
from schemas.records import Touchpoint
from tests.unit.listeners.doors import NOON, SHOP, Door, page_view, track, written
from tests.unit.listeners.signing import WEBHOOK_SECRETS, webhook_headers

LATER = NOON + timedelta(hours=3)
KEY = "a key of some length"


def settings(**given: Any) -> ListenerSettings:
    return ListenerSettings(identifier_hash_key=KEY, sources=[SHOP], **given)


def judged(letter: DeadLetter, *, by: ListenerSettings | None = None) -> Judged:
    redriving = Redriving(by or settings())
    assert redriving.unsent(letter) is None
    return redriving.judged(letter, LATER)


def touchpoints(one: Judged) -> list[Touchpoint]:
    return [decode(record.value, Touchpoint) for record in one.touchpoints]


def letters(one: Judged) -> list[DeadLetter]:
    return [decode(record.value, DeadLetter) for record in one.letters]


async def strict(dialect: str, body: bytes, **limits: Any) -> DeadLetter:
    """The only letter of a shop's listener with other settings than `settings`."""
    door = Door(sources=[SHOP], identifier_hash_key=KEY, **limits)
    with suppress(Refused):
        await door.raw(body, dialect, call="track", key="shop-key")
    [letter] = door.letters
    return letter


async def signed(body: bytes, **limits: Any) -> Door:
    """A listener that was given a body with the generic scheme's signature."""
    source = {"name": "shop", "signed": "webhook", "secrets": WEBHOOK_SECRETS[:1]}
    door = Door(sources=[source], identifier_hash_key=KEY, **limits)
    with suppress(Refused):
        await door.raw(body, "native", headers=CIMultiDict(webhook_headers(body)))
    return door


async def test_an_item_is_adapted_by_its_own_dialect_and_path():
    call = written(track(type=None, messageId="m-1", event="Bill Paid", userId="u-1"))

    letter = await strict("segment", call, id_length_max=4)

    assert (letter.door.dialect, letter.door.call) == ("segment", "track")
    [made] = touchpoints(judged(letter))
    assert (made.id, made.name, made.identifiers["user_id"]) == ("m-1", "Bill Paid", "u-1")
    assert made.source == "shop"


async def test_what_comes_of_a_letter_is_the_same_however_often_it_is_sent():
    letter = await strict("native", written(page_view(id=None, occurred_at=None)), id_length_max=2)

    first, second = judged(letter), judged(letter)

    assert first.touchpoints == second.touchpoints
    [made] = touchpoints(first)
    assert (made.occurred_at, made.received_at) == (NOON, NOON)


async def test_personal_identifiers_are_hashed_as_the_door_does():
    item = page_view(identifiers={"email": "Ann@Example.com"}, name="a-long-name")

    [made] = touchpoints(judged(await strict("native", written(item), id_length_max=10)))

    hashed = hash_identifier("ann@example.com", KEY.encode())
    assert made.identifiers["email"] == hashed


async def test_a_clock_that_was_corrected_is_corrected_again():
    door = Door(sources=[SHOP], identifier_hash_key=KEY, id_length_max=4)
    slow = NOON - timedelta(hours=2)
    body = {"sentAt": slow.isoformat(), "batch": [track(timestamp=slow.isoformat())]}
    for _ in range(3):
        await door.raw(written(body), "segment", call="batch", key="shop-key")
    letter = door.letters[-1]

    assert letter.door.shift == timedelta(hours=2).total_seconds()
    [made] = touchpoints(judged(letter))
    assert made.occurred_at == NOON


async def test_a_body_that_could_not_be_read_is_judged_item_by_item():
    lines = [page_view(id="t-1"), page_view(id="t-2", channel=None, name=None)]
    body = gzip.compress(b"\n".join(written(line) for line in lines))
    letter = await strict("native", b"hello")
    letter = replace(letter, content=body)

    one = judged(letter)

    assert [made.id for made in touchpoints(one)] == ["t-1"]
    item, whole = letters(one)
    assert (item.reason, item.redriven, item.door.body) == ("field_missing", "refused", False)
    assert json.loads(item.content) == lines[1]
    assert (whole.id, whole.redriven, whole.content) == (letter.id, "refused", b"")


async def test_a_refusal_for_another_reason_is_a_letter_of_its_own_beside_the_note():
    letter = await strict("native", written(page_view(rating={"scale": "ces", "value": 99})),
                          id_length_max=2)  # fmt: skip

    one = judged(letter)

    again, noted = letters(one)
    assert (again.reason, again.where) == ("field_invalid", "$.rating.value")
    assert again.id != letter.id
    assert (noted.id, noted.reason, noted.redriven) == (letter.id, letter.reason, "refused")
    assert [str(fault) for fault in one.refused] == [
        "expected 1 to 7 on the scale ces; found a number outside at $.rating.value"
    ]


async def test_a_source_that_the_settings_no_longer_name_is_not_spoken_for():
    letter = await strict("native", written(page_view(channel="fax")))
    other = ListenerSettings(identifier_hash_key=KEY, sources=[{**SHOP, "name": "other"}])

    assert Redriving(other).unsent(letter) == "no_source"


@pytest.mark.parametrize(("content", "redriven"), [(b'{"id": 1}', "refused"), (b"\xff", "refused")])
async def test_bytes_of_a_stage_that_are_no_touchpoint_are_refused(content, redriven):
    letter = DeadLetter(
        id="l-1", source="unknown", reason="processing_failed", where="identify",
        expected="", found="", received_at=NOON, content=content,
    )  # fmt: skip

    one = judged(letter)

    assert one.touchpoints == []
    assert [noted.redriven for noted in letters(one)] == ["refused"]
    assert len(one.refused) == 1


async def test_a_body_is_judged_by_its_own_dialect_path_and_compression():
    door = Door(sources=[SHOP], identifier_hash_key=KEY)
    with suppress(Refused):
        await door.raw(b"\x01\x02", "segment", call="track", key="shop-key", encoding="deflate")
    [letter] = door.letters
    assert letter.door == Whence(
        dialect="segment",
        call="track",
        body=True,
        encoding="deflate",
        hashed_by=fingerprint(KEY.encode()),
    )
    call = zlib.compress(written(track(type=None)), wbits=-15)

    [made] = touchpoints(judged(replace(letter, content=call)))

    assert (made.id, made.name) == ("m-1", "Bill Paid")


async def test_what_a_mend_accepts_does_not_take_the_id_of_its_neighbour():
    lines = [
        page_view(id=None, occurred_at=None, name="first", signals=["a", "b", "c"]),
        page_view(id=None, occurred_at=None, name="second"),
    ]
    whole = await strict("native", b"hello")
    whole = replace(whole, content=b"\n".join(written(line) for line in lines))

    before = judged(whole, by=settings(signals_max=2))
    item = next(letter for letter in letters(before) if not letter.door.body)
    after, alone = judged(whole), judged(item)

    ids = {made.name: made.id for made in touchpoints(after)}
    assert ids.keys() == {"first", "second"}
    assert {made.name: made.id for made in touchpoints(before)} == {"second": ids["second"]}
    assert alone.touchpoints == after.touchpoints[:1]


async def test_an_item_of_a_signed_delivery_gets_the_id_that_it_would_have_got_live():
    lines = [
        page_view(id=None, occurred_at=None, name="first", signals=["a", "b", "c"]),
        page_view(id=None, occurred_at=None, name="second"),
    ]
    strictly, mended = await signed(written(lines), signals_max=2), await signed(written(lines))

    first, second = mended.touchpoints
    assert [made.id for made in strictly.touchpoints] == [second.id]
    [letter] = strictly.letters
    assert touchpoints(judged(letter, by=mended.settings)) == [first]


async def test_a_body_of_a_signed_delivery_gets_the_ids_that_it_would_have_got_live():
    body = b"\n".join(
        written(page_view(id=None, occurred_at=None, name=name)) for name in ("a", "b")
    )
    broken, mended = await signed(b"hello"), await signed(body)

    [letter] = broken.letters
    assert letter.door.body
    again = judged(replace(letter, content=body), by=mended.settings)
    assert touchpoints(again) == mended.touchpoints


@pytest.mark.parametrize("header", ["User-Agent", "PostHog-Sdk-Info"])
async def test_a_body_whose_library_stood_in_the_headers_is_judged_as_it_would_have_been_live(
    header: str,
):
    event = {"event": "tap", "distinct_id": "d-1", "uuid": "u-1", "timestamp": NOON.isoformat()}
    body = written({"batch": [event, event | {"uuid": "u-2"}]})
    headers = CIMultiDict({header: "posthog-android/3.1"})
    door = Door(sources=[SHOP | {"channel": None}])
    with suppress(Refused):
        await door.raw(b"\xff", "posthog", key="shop-key", headers=headers)
    await door.raw(body, "posthog", key="shop-key", headers=headers)

    [letter] = door.letters
    assert letter.door.body
    again = judged(replace(letter, content=body), by=door.settings)
    assert touchpoints(again) == door.touchpoints
    assert {made.channel for made in door.touchpoints} == {"app"}


@pytest.mark.parametrize(
    ("dialect", "delivery"),
    [
        ("posthog", {"query": "compression=lz64"}),
        ("cloudevents", {"headers": CIMultiDict({"ce-id": "e-1", "ce-type": "tap"}),
                         "encoding": "br"}),
    ],
    ids=["posthog", "cloudevents"],
)  # fmt: skip
async def test_a_body_that_headers_or_a_query_explained_is_not_judged_without_them(
    dialect: str, delivery: dict[str, Any]
):
    door = Door(sources=[SHOP])
    with suppress(Refused):
        await door.raw(b"\x01", dialect, key="shop-key", **delivery)
    [letter] = door.letters

    assert letter.door.body
    assert Redriving(door.settings).unsent(letter) == "partial"


async def test_a_body_that_says_all_itself_is_judged():
    door = Door(sources=[SHOP])
    for dialect in ("posthog", "cloudevents"):
        with suppress(Refused):
            await door.raw(b"\xff", dialect, key="shop-key")

    assert [Redriving(door.settings).unsent(letter) for letter in door.letters] == [None, None]


async def test_a_letter_tells_by_which_key_identifiers_are_hashed_and_not_the_key():
    item = await strict("native", written(page_view(channel="fax")))
    whole = await strict("native", b"hello")
    other = ListenerSettings(identifier_hash_key="another key of some length", sources=[SHOP])

    for letter in (item, whole):
        assert Redriving(settings()).same_key(letter)
        assert not Redriving(other).same_key(letter)
        assert not Redriving(ListenerSettings()).same_key(letter)
        assert len(letter.door.hashed_by) == 8


async def test_a_letter_that_does_not_tell_its_key_is_trusted_to_a_key_that_is_not_everybodys():
    letter = await strict("native", written(page_view(channel="fax")))
    letter = replace(letter, door=replace(letter.door, hashed_by=None))

    assert Redriving(settings()).same_key(letter)
    assert not Redriving(ListenerSettings()).same_key(letter)
    assert Redriving(ListenerSettings()).same_key(replace(letter, door=None))
