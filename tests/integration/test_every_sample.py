"""Every recorded or documented request, each accounted for: taken, or refused as it should be.

The requests lie in `samples`, beside the directory that `TOUCHPOINTS_PEER_DATA` names; what each
SDK's and vendor's must become stands in `test_recorded_requests` and `test_vendor_requests`. Here
stands what is left: records of streams and files, vendors that we do not speak for, and that no
field vanishes without a word in `docs/vendors.md`.
"""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.integration import test_asterisk_bridge as exchanges
from tests.integration.test_vendor_requests import CALLED, FOLDER, KEYED, SIGNED, Sample, send
from tests.integration.test_vendor_requests import pytestmark as pytestmark
from tests.integration.test_vendor_requests import samples as of_vendors
from tests.unit.listeners.doors import Door

SAMPLES = FOLDER.parent
VENDORS = Path(__file__).parents[2] / "docs" / "vendors.md"

ELSEWHERE = (
    *("segment-analytics-python", "segment-analytics-node", "rudder-sdk-python", "cloudevents"),
    *("snowplow-tracker-python", "snowplow-browser-tracker", "posthog-python", "vendors/mobile"),
)
"""Folders that `test_recorded_requests` sends, each whole."""

RECORDS = {
    "vendors/chatbot/bot-framework/7-transcript-file.json": "/chatbot/botframework",
    "vendors/chatbot/dialogflow-cx/bigquery-interaction-log-row.json": "/chatbot/dialogflow",
    "vendors/ivr/amazon-connect/ctr-kinesis-record.json": "/ivr/amazon-connect",
}
"""Records of streams and files that a route takes as they are."""

BRIDGED = (
    "vendors/ivr/asterisk/ami-events.json",
    "vendors/ivr/asterisk/ami-cel-events.json",
)
"""What an exchange says to the bridge."""

UNSPOKEN = (
    *("vendors/chatbot/intercom", "vendors/chatbot/zendesk-sunshine", "vendors/chatbot/botpress"),
    *("vendors/ivr/freeswitch", "vendors/ivr/genesys-cloud"),
    *("vendors/crm/hubspot", "vendors/crm/salesforce"),
    *("vendors/surveys/delighted", "vendors/surveys/qualtrics", "vendors/surveys/medallia"),
)
"""Vendors without an adapter: no route, so that they learn it."""

NOT_OURS = {
    "cloudevents/kafka-binding.json": "a binding to Kafka; events are taken by HTTP",
    "rasa-kafka-event-broker/messages.json": "the topic's; sent below",
    "vendors/chatbot/rasa/rest-channel-message.json": "what a customer's client says to Rasa",
    "vendors/ivr/asterisk/ari-events.json": "another tap of Asterisk's, not the manager's",
    "vendors/ivr/asterisk/cel-json.json": "another tap of Asterisk's, a file",
    "vendors/ivr/asterisk/queue_log.json": "another tap of Asterisk's, a file",
}
"""Records of what is not sent to a listener, and why."""


def told(name: str) -> dict[str, Any]:
    return json.loads((SAMPLES / name).read_text())


def test_every_sample_is_sent_by_a_test_or_named_here() -> None:
    folders = (*ELSEWHERE, *UNSPOKEN, *(f"vendors/{one}" for one in (*SIGNED, *KEYED)))
    named = {*RECORDS, *BRIDGED, *NOT_OURS}
    for path in SAMPLES.rglob("*.json"):
        name = path.relative_to(SAMPLES).as_posix()
        covered = name in named or name.rpartition("/")[0] in folders
        assert covered, name
        if "method" not in told(name):
            assert name in named or name.startswith(UNSPOKEN), name


def keyed() -> Door:
    door = Sample("chatbot/rasa", {}).door()
    door.now = CALLED
    return door


async def posted(door: Door, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": "Bearer WRITEKEY"}
    async with (
        door.served() as url,
        ClientSession(url) as client,
        client.post(path, data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


@pytest.mark.parametrize("name", RECORDS)
async def test_a_record_of_a_stream_or_file_is_taken_as_it_lies_there(name: str) -> None:
    door = keyed()

    status, _ = await posted(door, RECORDS[name], base64.b64decode(told(name)["body_base64"]))

    assert status == 200
    assert door.letters == []
    assert door.touchpoints


async def test_what_rasa_put_on_its_topic_is_taken_whole() -> None:
    messages = told("rasa-kafka-event-broker/messages.json")["messages"]
    door = keyed()

    status, answer = await posted(
        door, "/chatbot/rasa", "\n".join(one["value_text"] for one in messages).encode()
    )

    assert (status, answer["accepted"], answer["rejected"]) == (200, 19, 0)
    assert {one.session_hint for one in door.touchpoints} == {"u-42"}


async def test_what_a_client_says_to_rasa_is_no_event_of_it() -> None:
    record = told("vendors/chatbot/rasa/rest-channel-message.json")

    status, answer = await posted(keyed(), "/chatbot/rasa", base64.b64decode(record["body_base64"]))

    assert (status, answer["code"]) == (400, "field_missing")


@pytest.mark.parametrize("name", BRIDGED)
async def test_what_an_exchange_says_comes_through_the_bridge(name: str) -> None:
    door, exchange = exchanges.pbx(), exchanges.Exchange(said=told(name)["body_text"] + "\n")

    async with (
        exchange.served() as port,
        door.served() as url,
        exchanges.bridge(port, url),
    ):
        await exchanges.eventually(
            lambda: any(one.name == "call_ended" for one in door.touchpoints)
        )

    assert door.letters == []
    assert {one.session_hint for one in door.touchpoints} == {"1767323045.17"}
    assert door.touchpoints[0].name == "call_started"


@pytest.mark.parametrize("folder", UNSPOKEN)
async def test_a_vendor_that_we_do_not_speak_for_is_told_so(folder: str) -> None:
    door = keyed()
    async with door.served() as url, ClientSession(url) as client:
        for path in sorted((SAMPLES / folder).glob("*.json")):
            request = json.loads(path.read_text())
            if "method" not in request:
                continue
            body = base64.b64decode(request["body_base64"])
            async with client.request(request["method"], request["path"], data=body) as answer:
                said = await answer.json()

            assert answer.status == 404, path.name
            assert {"code", "message"} <= said.keys()

    assert door.publisher.records == []


def words_of(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"\w+", text)}


def silent_in(value: Any, kept: set[str], written: set[str]) -> set[str]:
    """The fields that say something, and of which neither record nor document says a word.

    What is only written of is not looked into: it is written of as a whole.
    """
    if isinstance(value, list):
        return set().union(*(silent_in(one, kept, written) for one in value))
    found: set[str] = set()
    for name, one in value.items() if isinstance(value, dict) else ():
        words = words_of(name)
        if one in ("", None, [], {}) or name.endswith(("Arn", "ARN")):
            continue  # so it is written
        if words <= kept:
            found |= silent_in(one, kept, written)
        elif not words <= kept | written:
            found.add(name)
    return found


def items_of(sample: Sample) -> list[Any]:
    told = sample.told
    if (read := told.get("json", told.get("form"))) is not None:
        return read if isinstance(read, list) else [read]
    return [json.loads(line) for line in sample.body.splitlines() if line]


@pytest.mark.parametrize("sample", of_vendors(*SIGNED, *KEYED))
async def test_no_field_of_a_vendor_vanishes_without_a_word(sample: Sample) -> None:
    door = sample.door()
    await send(door, sample)

    kept = words_of(" ".join(bytes(one.value).decode() for one in door.publisher.records))
    written = words_of(" ".join(re.findall(r"`([^`\n]+)`", VENDORS.read_text())))

    assert silent_in(items_of(sample), kept, written) == set()
