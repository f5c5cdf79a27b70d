"""Signed requests to `touchpoints up` as users have it: a process, a settings file, its metrics."""

import json
import time
from urllib.parse import urlencode

import pytest

from tests.integration.serving import Up, fetch, records_of
from tests.unit.listeners.signing import (
    TWILIO_TOKEN,
    WEBHOOK_SECRETS,
    twilio_signature,
    webhook_headers,
)

OLD, NEW, OTHER = WEBHOOK_SECRETS
SETTINGS = f"""
public_url = "https://in.example.com"
identifier_hash_key = "a key of some length"

[[sources]]
name = "phone"
channel = "ivr"
signed = "twilio"
secrets = ["{TWILIO_TOKEN}"]

[[sources]]
name = "desk"
signed = "webhook"
secrets = ["{OLD}", "{NEW}"]
"""
CALL = [
    ("CallSid", "CA1"),
    ("From", "+442079460042"),
    ("Direction", "inbound"),
    ("SpeechResult", "what the customer said"),
]
ADDRESS = "/ivr/twilio?menu=main"


@pytest.fixture
def up(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(SETTINGS)
    with Up(tmp_path / "data", arguments=("--settings", path)) as started:
        yield started


def rejected(up, reason):
    text = fetch(f"{up.operations}/metrics").body.decode()
    name = f'touchpoints_rejected_total{{reason="{reason}"}} '
    return sum(float(line.removeprefix(name)) for line in text.splitlines() if name in line)


def call(up, pairs=CALL, signed=CALL, token="t-1"):
    headers = {
        "X-Twilio-Signature": twilio_signature("https://in.example.com" + ADDRESS, signed),
        "I-Twilio-Idempotency-Token": token,
    }
    return fetch(up.url + ADDRESS, urlencode(pairs).encode(), headers)


def note(up, body, headers):
    return fetch(up.url + "/v1/notes", body, headers)


def test_what_is_signed_comes_through_and_what_is_forged_does_not(up):
    body = json.dumps(
        {"name": "note", "identifiers": {"user_id": "u-1"}, "properties": {"text": "secret words"}}
    ).encode()
    now = time.time()  # noqa: TID251 - the server's clock, too
    good = webhook_headers(body, NEW, named="m-1", at=now)

    taken = [call(up), call(up), note(up, body, good), note(up, body, good)]
    refused = [
        call(up, pairs=[("CallSid", "CA2"), *CALL[1:]]),
        note(up, body, webhook_headers(body, OTHER, named="m-2", at=now)),
        note(up, body.replace(b"u-1", b"u-2"), good),
        note(up, body, webhook_headers(body, OLD, named="m-3", at=now - 301)),
        note(up, body + b" ", webhook_headers(body + b" ", OLD, named="m-1", at=now)),
    ]

    assert [answer.status for answer in taken] == [200] * 4
    assert taken[0].body == b"<Response/>"
    assert taken[3].json == taken[2].json
    assert [(answer.status, answer.json["code"]) for answer in refused] == [
        (401, "signature_invalid"),
        (401, "signature_invalid"),
        (401, "signature_invalid"),
        (401, "signature_expired"),
        (401, "signature_replayed"),
    ]
    assert rejected(up, "signature_invalid") == 3
    assert rejected(up, "signature_expired") == 1
    assert rejected(up, "signature_replayed") == 1
    names = [(one["source"], one["name"]) for one in records_of(up.data, "touchpoints")]
    assert names == [("phone", "menu_choice"), ("desk", "note")]
    said = up.said.read_text()
    assert said.count("signature_") >= 5
    for private in ("secret words", "what the customer said", "+4420", TWILIO_TOKEN, NEW):
        assert private not in said
