"""Requests that vendors document, as they stand on the wire: taken, and refused where changed.

The requests are not part of this repository: they lie in `samples/vendors`, beside the directory
that `TOUCHPOINTS_PEER_DATA` names. Signatures in them are real, so the clock stands where they were
made.
"""

import base64
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientSession

from listeners.credentials import hashed
from tests.unit.listeners.doors import Door

FOLDER = Path(os.environ.get("TOUCHPOINTS_PEER_DATA", "."), "..", "samples", "vendors")
pytestmark = pytest.mark.skipif(
    "TOUCHPOINTS_PEER_DATA" not in os.environ or not FOLDER.is_dir(),
    reason="TOUCHPOINTS_PEER_DATA does not lead to the vendors' requests",
)

SIGNED = {
    "ivr/twilio": "twilio",
    "crm/zendesk": "zendesk",
    "surveys/typeform": "typeform",
    "signed": "webhook",
}
KEYED = (
    "ivr/amazon-connect",
    "ivr/asterisk",
    "chatbot/rasa",
    "chatbot/dialogflow-cx",
    "chatbot/bot-framework",
)
CALLED = datetime(2026, 1, 2, 3, 30, tzinfo=UTC)
"""A time at which everything in them lies behind, where no time is signed."""


class Sample(NamedTuple):
    """One recorded request."""

    folder: str
    told: dict[str, Any]

    @property
    def body(self) -> bytes:
        return base64.b64decode(self.told["body_base64"])

    @property
    def headers(self) -> dict[str, str]:
        dropped = ("host", "content-length", "connection", "transfer-encoding")
        return {name: v for name, v in self.told["headers"] if name.lower() not in dropped}

    def door(self) -> Door:
        """A listener that knows the key, or the secret, of this request."""
        source: dict[str, Any] = {"name": "vendor", "keys": [hashed("WRITEKEY")]}
        if (signed := SIGNED.get(self.folder)) is not None:
            source |= {"signed": signed, "secrets": [self.told["signing_secret_used"]]}
        door = Door(sources=[source], public_url="https://listener.example.com")
        door.now = self.signed_at or CALLED
        return door

    @property
    def signed_at(self) -> datetime | None:
        written = self.told.get("signed_at")
        if written is None:
            return None
        if written.isdigit():
            return datetime.fromtimestamp(int(written), UTC)
        return datetime.fromisoformat(written)


def samples(*folders: str) -> list[Any]:
    found = list(_samples(folders))
    return found or [pytest.param(None, id="no data")]


def _samples(folders: tuple[str, ...]) -> Iterator[Any]:
    for folder in folders:
        for path in sorted((FOLDER / folder).glob("*.json")):
            told = json.loads(path.read_text())
            if "method" in told:
                yield pytest.param(Sample(folder, told), id=f"{folder}/{path.stem}")


async def send(
    door: Door, sample: Sample, times: int = 1, **changed: Any
) -> list[tuple[int, bytes]]:
    answers = []
    headers = changed.get("headers", sample.headers)
    if sample.told["path"] == "/chatbot/rasa" and "Authorization" not in headers:
        headers = {**headers, "Authorization": "Bearer WRITEKEY"}  # Rasa's actions have none.
    async with door.served() as url, ClientSession() as client:
        for _ in range(times):
            async with client.post(
                url + sample.told["path"], data=changed.get("body", sample.body), headers=headers
            ) as answer:
                answers.append((answer.status, await answer.read()))
    return answers


@pytest.mark.parametrize("sample", samples(*SIGNED, *KEYED))
async def test_a_documented_request_is_taken_whole_and_sent_again_it_is_the_same(sample: Sample):
    door = sample.door()

    answers = await send(door, sample, times=2)

    assert [status for status, _ in answers] == [200, 200]
    assert door.letters == []
    named = [one.id for one in door.touchpoints]
    assert len(named) > 0
    assert set(named[len(named) // 2 :]) == set(named)
    for one in door.touchpoints:
        assert one.identifiers or one.session_hint
        assert "+442079460042" not in bytes(one.properties).decode()


@pytest.mark.parametrize("sample", samples(*SIGNED))
async def test_a_documented_signature_holds_for_nothing_else(sample: Sample):
    secret = sample.told["signing_secret_used"]
    door = sample.door()
    changed = bytearray(sample.body)
    changed[len(changed) // 2] ^= 1
    unsigned = {n: v for n, v in sample.headers.items() if "signature" not in n.lower()}

    refused = [
        *await send(door, sample, body=bytes(changed)),
        *await send(door, sample, headers=unsigned),
    ]
    if sample.signed_at is not None:
        door.later(seconds=301)
        refused += await send(door, sample)

    codes = [(status, json.loads(body)["code"]) for status, body in refused]
    assert (
        codes
        == [
            (401, "signature_invalid"),
            (401, "key_missing" if sample.folder == "signed" else "signature_missing"),
            (401, "signature_expired"),
        ][: len(codes)]
    )
    assert door.publisher.records == []
    assert secret not in str(refused)


async def test_what_the_call_of_the_samples_tells() -> None:
    told = {}
    for sample in (one.values[0] for one in samples("ivr/twilio")):
        door = sample.door()
        await send(door, sample)
        for one in door.touchpoints:
            told.setdefault((one.name, one.location), set()).update(one.signals)

    assert told == {
        ("call_started", None): set(),
        ("menu_choice", "main"): {"no_input"},
        ("dial", "agent"): {"transfer", "transfer_failed"},
        ("queue", "queue"): {"queue_abandoned"},
        ("queue_wait", None): set(),
        ("call_ended", None): {"hangup"},
        ("voicemail", "voicemail"): set(),
        ("reservation.accepted", None): {"transfer"},
        ("task.canceled", None): {"queue_abandoned"},
        ("menu", "gather_main_menu"): set(),
        ("execution.ended", None): set(),
    }
