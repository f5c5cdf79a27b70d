"""Signed requests as the listener meets them: forged, expired, tampered, repeated, replayed."""

import json
import logging

import pytest

from listeners.credentials import hashed
from listeners.errors import Reason, SettingsInvalid, Unauthorised
from listeners.settings import load
from tests.unit.listeners.doors import Door, receipts, written
from tests.unit.listeners.signing import (
    WEBHOOK_SECRETS,
    minutes,
    request,
    signing_door,
    webhook_headers,
)

OLD, NEW, OTHER = WEBHOOK_SECRETS
NOTE = {
    "name": "call note",
    "identifiers": {"user_id": "u-1"},
    "session_hint": "CA1",
    "properties": {"said": "the-customer-said-this"},
}


async def post(door, body, headers, **more):
    return await door.listener.receive(body, request("notes", headers, **more))


async def refusal(door, body, headers, **more):
    with pytest.raises(Unauthorised) as caught:
        await post(door, body, headers, **more)
    return caught.value.reason


async def test_a_signed_request_needs_no_key():
    door = signing_door("webhook", OLD)
    body = written(NOTE)

    receipt = await post(door, body, webhook_headers(body, OLD))

    assert receipt.accepted == 1
    assert [(one.source, one.channel) for one in door.touchpoints] == [("server", "agent")]


@pytest.mark.parametrize("signed_by", [(OLD,), (NEW,), (OTHER, NEW), (NEW, OLD)])
async def test_two_secrets_are_active_during_a_rotation(signed_by):
    door = signing_door("webhook", OLD, NEW)
    body = written(NOTE)

    assert (await post(door, body, webhook_headers(body, *signed_by))).accepted == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"webhook-signature": "v1,AAAA"}, Reason.SIGNATURE_INVALID),
        ({"webhook-signature": ""}, Reason.SIGNATURE_INVALID),
        ({"webhook-id": "msg-2"}, Reason.SIGNATURE_INVALID),
        ({"webhook-timestamp": str(int(minutes(1)))}, Reason.SIGNATURE_INVALID),
        ({"webhook-id": ""}, Reason.SIGNATURE_INVALID),
    ],
)
async def test_a_forged_request_is_refused_counted_and_logged_without_its_payload(
    caplog, change, reason
):
    door = signing_door("webhook", OLD)
    body = written(NOTE)

    with caplog.at_level(logging.DEBUG):
        assert await refusal(door, body, webhook_headers(body, OLD) | change) == reason

    assert door.counted("touchpoints_rejected_total", reason=str(reason)) == 1
    assert str(reason) in caplog.text
    assert "the-customer-said-this" not in caplog.text
    assert door.publisher.records == []


async def test_a_tampered_body_is_refused():
    door = signing_door("webhook", OLD)
    body = written(NOTE)

    headers = webhook_headers(body, OLD)

    assert await refusal(door, body.replace(b"u-1", b"u-2"), headers) == Reason.SIGNATURE_INVALID


async def test_another_sources_secret_does_not_open_a_door_that_has_none_of_it():
    door = signing_door("webhook", OLD)
    body = written(NOTE)

    assert await refusal(door, body, webhook_headers(body, OTHER)) == Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("by", [-5.1, 5.1])
async def test_a_request_signed_outside_the_window_is_refused(by):
    door = signing_door("webhook", OLD)
    body = written(NOTE)

    headers = webhook_headers(body, OLD, at=minutes(by))

    assert await refusal(door, body, headers) == Reason.SIGNATURE_EXPIRED
    assert door.counted("touchpoints_rejected_total", reason="signature_expired") == 1


async def test_a_recorded_request_played_back_after_the_window_is_refused():
    door = signing_door("webhook", OLD)
    body = written(NOTE)
    headers = webhook_headers(body, OLD)
    await post(door, body, headers)

    door.later(minutes=6)

    assert await refusal(door, body, headers) == Reason.SIGNATURE_EXPIRED
    assert len(door.touchpoints) == 1


async def test_a_repeated_delivery_is_answered_as_the_first_and_publishes_nothing():
    door = signing_door("webhook", OLD)
    body = written([NOTE, NOTE | {"name": "another note"}])

    first = await post(door, body, webhook_headers(body, OLD))
    door.later(minutes=1)
    again = await post(door, body, webhook_headers(body, OLD, at=minutes(1)))

    assert receipts(again) == receipts(first)
    assert len(door.publisher.records) == 2
    assert door.counted("touchpoints_discarded_total") == 1
    assert door.counted("touchpoints_received_total", channel="agent") == 2


async def test_a_repeat_is_the_same_touchpoint_also_for_a_listener_that_forgot():
    body = written([NOTE, NOTE])
    ids = []
    for _ in range(2):
        door = signing_door("webhook", OLD)
        await post(door, body, webhook_headers(body, OLD))
        ids.append([one.id for one in door.touchpoints])

    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


async def test_a_delivery_that_was_not_made_durable_is_taken_when_it_comes_again():
    door = signing_door("webhook", OLD)
    body = written(NOTE)
    door.publisher.down = True
    with pytest.raises(Exception, match="down"):
        await post(door, body, webhook_headers(body, OLD))
    door.publisher.down = False

    await post(door, body, webhook_headers(body, OLD))

    assert len(door.touchpoints) == 1


async def test_a_known_id_with_another_body_is_refused():
    door = signing_door("webhook", OLD)
    body, other = written(NOTE), written(NOTE | {"name": "another"})
    await post(door, body, webhook_headers(body, OLD))

    assert await refusal(door, other, webhook_headers(other, OLD)) == Reason.SIGNATURE_REPLAYED
    assert len(door.touchpoints) == 1


async def test_the_memory_of_deliveries_is_bounded():
    door = signing_door("webhook", OLD)
    door.listener._webhooks._ids_max = 3
    for number in range(9):
        body = written(NOTE | {"name": f"note {number}"})
        await post(door, body, webhook_headers(body, OLD, named=f"msg-{number}"))

    assert len(door.listener._webhooks._delivered) == 3
    assert len(door.touchpoints) == 9


async def test_a_source_that_signs_is_not_let_in_by_a_key_alone():
    door = signing_door("webhook", OLD, keys=[hashed("server-key")])

    reason = await refusal(door, written(NOTE), {}, key="server-key")

    assert reason == Reason.SIGNATURE_MISSING


async def test_a_signed_request_with_another_sources_key_is_refused():
    door = signing_door("webhook", OLD)
    body = written(NOTE)

    headers = webhook_headers(body, OLD)

    assert await refusal(door, body, headers, key="keyed-key") == Reason.KEY_MISMATCH


async def test_a_source_with_a_key_and_no_secret_needs_no_signature():
    door = signing_door("webhook", OLD)

    receipt = await post(door, written(NOTE), {}, key="keyed-key")

    assert receipt.accepted == 1
    assert door.touchpoints[0].source == "keyed"


async def test_a_signature_counts_on_the_native_route_too():
    door = signing_door("webhook", OLD)
    body = written(NOTE | {"channel": "agent"})

    await door.listener.receive(body, request("native", webhook_headers(body, OLD)))

    assert door.touchpoints[0].source == "server"


async def test_a_listener_without_sources_takes_a_request_whatever_signed_it():
    door = Door()

    receipt = await post(door, written(NOTE), {"webhook-signature": "v1,AAAA"})

    assert receipt.accepted == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('signed = "webhook"', "together"),
        ('secrets = ["whsec_AAAA"]', "together"),
        ('signed = "webhook"\nsecrets = ["my-plain-secret"]', "whsec_"),
        ('signed = "twilio"\nsecrets = ["short"]', "8 characters"),
        ('signed = "fax"\nsecrets = ["my-plain-secret"]', "webhook"),
        ('signed = "twilio"\nsecrets = ["my-plain-secret", "bbbbbbbbb", "ccccccccc"]', "2"),
        ("", "secrets"),
    ],
)
def test_settings_that_cannot_verify_anything_are_refused(tmp_path, lines, said):
    path = tmp_path / "settings.toml"
    path.write_text(
        'identifier_hash_key = "a key of some length"\n[[sources]]\nname = "x"\n' + lines
    )

    with pytest.raises(SettingsInvalid) as caught:
        load(path)

    assert said in str(caught.value)
    assert "my-plain-secret" not in str(caught.value)
    assert json.dumps(lines) not in str(caught.value)
