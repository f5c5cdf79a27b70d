"""One customer who cannot pay a bill on the web nor in the app, asks the chat, and pays by phone.

Each channel speaks by another maker's emitter, as it is: Snowplow's tracker and RudderStack's SDK
are run, Rasa's events are those that its event broker writes, Twilio's forms are signed as Twilio
signs them. `touchpoints up` has the shipped catalogue; what comes of it is read by `touchpoints
tail`. Nothing but identifiers joins the four: the user's id of web, app and chat, and the telephone
number that the app's traits have and the network attests to the call.
"""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from listeners.credentials import hashed
from tests.integration.sdks import packages
from tests.integration.serving import Up, eventually, fetch, latest, records_of
from tests.unit.listeners.signing import TWILIO_TOKEN, twilio_signature

PUBLIC = "https://in.example.com"
NUMBER = "+442079460042"
SETTINGS = f"""
public_url = "{PUBLIC}"
identifier_hash_key = "a key of some length"

[[sources]]
name = "web"
keys = ["{hashed("shop-web")}"]

[[sources]]
name = "app"
keys = ["{hashed("shop-app")}"]

[[sources]]
name = "chat"
keys = ["{hashed("shop-chat")}"]
user_ids = true

[[sources]]
name = "phone"
signed = "twilio"
secrets = ["{TWILIO_TOKEN}"]
"""
CHANNELS = ["web", "app", "chatbot", "ivr"]


@pytest.fixture(scope="module")
def pypi() -> Path:
    try:
        return packages.of_pypi()
    except packages.Missing as why:
        pytest.skip(str(why))


def emit(what: str, up: Up, pypi: Path, minutes: int) -> None:
    """Run a maker's emitter in a process of its own."""
    script = Path(packages.__file__).with_name("one_customer.py")
    done = subprocess.run(
        [sys.executable, str(script), what, up.url, str(minutes)],
        env=os.environ | {"PYTHONPATH": str(pypi)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def chat(up: Up, minutes: int) -> None:
    """What Rasa's event broker writes of two turns; it answers, and stops listening."""
    intents = ("pay_bill", 0.97), ("greet", 0.02)
    ranking = [{"name": name, "confidence": sure} for name, sure in intents]
    model = {"metadata": {"model_id": "m-1", "assistant_id": "shop"}}
    step = {"event": "action", "policy": None, "confidence": None, "action_text": None}
    step |= {"hide_rule_turn": False}
    parsed = {"intent": ranking[0], "entities": [], "text": "I want to pay", "message_id": "m1"}
    parsed |= {"metadata": {}, "text_tokens": [[0, 1]], "intent_ranking": ranking}
    heard = {"event": "user", "text": "I want to pay", "input_channel": "rest", "message_id": "m1"}
    events = [
        {**step, **model, "name": "action_session_start", "confidence": 1.0},
        {"event": "session_started"},
        {**step, "name": "action_listen"},
        {**heard, **model, "parse_data": parsed},
        {"event": "user_featurization", "use_text_for_featurization": False},
        {"event": "slot", "name": "bill_type", "value": "monthly"},
        {**step, "name": "utter_ring_us", "policy": "policy_1_RulePolicy", "confidence": 1.0},
        {"event": "bot", **model, "text": "Ring us, and pay by phone.", "data": {"buttons": None}},
    ]
    began = time.time() - minutes * 60  # noqa: TID251 - the emitter's clock
    lines = [
        json.dumps({"sender_id": "u-4711", **event, "timestamp": began + 2 * number})
        for number, event in enumerate(events)
    ]
    headers = {"Content-Type": "application/x-ndjson", "Authorization": "Bearer shop-chat"}
    answer = fetch(f"{up.url}/chatbot/rasa", "\n".join(lines).encode(), headers)
    assert (answer.status, answer.json["accepted"]) == (200, len(events)), answer


def call(up: Up) -> None:
    """A call, as Twilio posts it: it rings, two menus, the end."""
    common = {"AccountSid": "AC1", "ApiVersion": "2010-04-01", "CallSid": "CA1", "From": NUMBER}
    common |= {"To": "+18005551212", "Direction": "inbound", "FromCity": ""}
    common |= {"StirVerstat": "TN-Validation-Passed-A", "CallToken": "%7B%7D"}
    ended = {"CallStatus": "completed", "CallDuration": "95", "Duration": "2"}
    ended |= {"CallbackSource": "call-progress-events", "SequenceNumber": "3"}
    over = datetime.now(UTC) + timedelta(seconds=95)  # noqa: TID251 - shorter ones are not judged
    ended["Timestamp"] = format_datetime(over)
    pressed = {"CallStatus": "in-progress", "FinishedOnKey": "", "msg": "Gather End"}
    for number, (query, told) in enumerate(
        (
            ("", {"CallStatus": "ringing"}),
            ("?menu=pay", {**pressed, "Digits": "1"}),
            ("?menu=pay/done", {**pressed, "Digits": "1"}),
            ("", ended),
        )
    ):
        pairs = list({**common, **told}.items())
        address = f"/ivr/twilio{query}"
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": twilio_signature(PUBLIC + address, pairs),
            "I-Twilio-Idempotency-Token": f"5f0a3d6e-{number}",
        }
        answer = fetch(up.url + address, urlencode(pairs).encode(), headers)
        assert (answer.status, answer.body) == (200, b"<Response/>")


def standing(up: Up, topic: str, by: str, told_by: str) -> list[dict[str, Any]]:
    """Each result's last revision, without those that others took in."""
    return [
        one for one in latest(records_of(up.data, topic), by).values() if one[told_by] != "absorbed"
    ]


def complete(up: Up, judged: set[str]) -> bool:
    """Whether all are judged, and all but the hang-up after the end are one journey."""
    outcomes = standing(up, "journey-outcomes", "journey_id", "outcome")
    verdicts = latest(records_of(up.data, "verdicts"), "id")
    return [one["count"] for one in outcomes] == [len(judged) - 1] and verdicts.keys() == judged


@pytest.mark.parametrize(
    "order", [("web", "app", "chat", "call"), ("call", "chat", "web", "app")], ids="-".join
)
def test_four_channels_by_four_makers_are_one_customers_journey_with_one_outcome(
    order: tuple[str, ...], pypi: Path, tmp_path: Path
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(SETTINGS)
    with Up(tmp_path / "data", arguments=("--settings", path)) as up:
        steps = {
            "web": lambda: emit("web", up, pypi, 12),
            "app": lambda: emit("app", up, pypi, 8),
            "chat": lambda: chat(up, 5),
            "call": lambda: call(up),
        }
        for step in order:
            steps[step]()
        sent = {one["id"]: one for one in records_of(up.data, "touchpoints")}
        judged = {
            id_ for id_, one in sent.items() if "identity_only" not in (one.get("signals") or ())
        }
        eventually(lambda: complete(up, judged))
        (outcome,) = standing(up, "journey-outcomes", "journey_id", "outcome")
        sessions = standing(up, "sessions", "session_id", "state")
        verdicts = latest(records_of(up.data, "verdicts"), "id")
        assert records_of(up.data, "dead-letters") == []

    assert {one["source"] for one in sent.values()} == {"web", "app", "chat", "phone"}
    assert len(judged) == 2 + 2 + 8 + 4
    assert verdicts.keys() == judged
    (customer,) = {one["customer"] for one in verdicts.values()}
    assert (outcome["customer"], outcome["mission"]) == (customer, "pay-bill")
    assert (outcome["outcome"], outcome["reason"]) == ("completed", "completing_touchpoint")
    assert outcome["channels"] == CHANNELS
    assert sorted(one["channel"] for one in sessions) == sorted(CHANNELS)
    assert {one["customer"] for one in sessions} == {customer}

    assert outcome["phases"] == ["look", "pay", "know"]
    first, last = outcome["microjourney"][0], outcome["microjourney"][-1]
    assert (first, last) == ("view-bill-online", "paid-by-phone")
    broken = {
        (sent[id_]["source"], sent[id_]["name"]): [reason["rule"] for reason in one["reasons"]]
        for id_, one in verdicts.items()
        if one["verdict"] == "broken"
    }
    assert broken == {
        ("app", "payment_failed"): ["http_5xx"],
        ("chat", "bot_message"): ["leaked_to_call"],
    }
