"""Requests recorded from the real SDKs: all of them are accepted, and none becomes two touchpoints.

They are not part of this repository. `TOUCHPOINTS_PEER_DATA` names a directory; the requests are
in `samples` beside it, a folder for each SDK. Nothing here needs a broker.
"""

import base64
import json
import os
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession
from yarl import URL

from tests.unit.listeners.doors import Door

SAMPLES = Path(os.environ.get("TOUCHPOINTS_PEER_DATA", ".")).parent / "samples"
pytestmark = pytest.mark.skipif(
    "TOUCHPOINTS_PEER_DATA" not in os.environ or not SAMPLES.is_dir(),
    reason="TOUCHPOINTS_PEER_DATA does not lead to recorded requests",
)

HOP = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}
"""What belongs to the connection they were recorded on."""


async def replayed(door, folder, only="*"):
    """Every request of a folder as it was recorded; the statuses of the answers."""
    statuses = []
    paths = sorted((SAMPLES / folder).glob(f"{only}.json"))
    assert paths
    async with door.served() as url, ClientSession(auto_decompress=False) as client:
        for path in paths:
            request = json.loads(path.read_text())
            if "method" not in request:
                continue
            if "received_at" in request:
                door.now = datetime.fromisoformat(request["received_at"]) + timedelta(seconds=1)
            headers = [(k, v) for k, v in request["headers"] if k.lower() not in HOP]
            async with client.request(
                request["method"],
                URL(url + request["path"], encoded=True),
                data=base64.b64decode(request["body_base64"]),
                headers=headers,
            ) as answer:
                await answer.read()
                statuses.append((path.name, answer.status))
    return statuses


@pytest.mark.parametrize(
    ("folder", "ids", "refused"),
    [
        ("segment-analytics-python", 31, 0),
        ("segment-analytics-node", 19, 0),
        ("rudder-sdk-python", 30, 0),
        ("snowplow-tracker-python", 25, 0),
        ("snowplow-browser-tracker", 24, 0),
        ("posthog-python", 73, 12),  # refused: what a server says of a group names nobody
    ],
)
async def test_every_recorded_request_is_accepted_and_each_id_is_one_touchpoint(
    folder, ids, refused
):
    door = Door()

    statuses = await replayed(door, folder)

    assert {status for _, status in statuses} <= {200, 204}
    assert len({one.id for one in door.touchpoints}) == ids
    assert len(door.letters) == refused
    assert {one.reason for one in door.letters} <= {"no_identifier"}
    twice = {}
    for one in door.touchpoints:  # Sent again, it is the same but for its arrival.
        twice.setdefault(one.id, set()).add((one.name, one.occurred_at, str(one.identifiers)))
    fixed = {"custom-msg-id-1", "00000000-0000-0000-0000-00000000004d"}
    assert {key for key, said in twice.items() if len(said) > 1} <= fixed


async def test_events_of_a_page_are_known_by_their_origin():
    door = Door()

    await replayed(door, "snowplow-browser-tracker", "post-*")

    assert {one.source for one in door.touchpoints} == {"demo-app"}
    assert {one.session_hint for one in door.touchpoints} != {None}
    assert all(one.identifiers.keys() == {"anonymous_id", "user_id"} for one in door.touchpoints)


async def test_anonymous_tracking_has_a_session_and_no_person():
    door = Door()

    await replayed(door, "snowplow-browser-tracker", "anon-*")

    for one in door.touchpoints:
        assert one.identifiers == {"anonymous_id": f"session-{one.session_hint}"}


async def test_cloud_events_name_three_and_two_without_a_person_are_refused():
    door = Door()

    statuses = dict(await replayed(door, "cloudevents"))

    assert {one.id for one in door.touchpoints} == {f"/channels/web#ce-{n}" for n in range(3)}
    refused = {name for name, status in statuses.items() if status == 400}
    assert {name[:2] for name in refused} == {"05", "06", "09", "10"}
    assert statuses["08-options-handshake.json"] == 200


async def test_what_phones_send_is_accepted():
    door = Door()

    statuses = await replayed(door, "vendors/mobile")

    assert {status for _, status in statuses} == {200}
    assert door.letters == []
    assert {one.channel for one in door.touchpoints} == {"app"}
    assert {one.identifiers.get("user_id") for one in door.touchpoints} <= {"u-42", None}


def fields_of(item):
    """The fields of an event; below them those that an SDK names, and not its user."""
    for key, value in item.items():
        yield key
        if key in ("context", "options"):
            yield from value
        if key == "properties":
            yield from (name for name in value if name.startswith("$"))


def items_of(request):
    told = request.get("json") or request.get("body_decoded", {}).get("json")
    if told is None:
        return [request["query_decoded"]] if request.get("query_decoded") else []
    if isinstance(told, list):
        return told
    listed = next((told[key] for key in ("batch", "data") if isinstance(told.get(key), list)), None)
    return [told] if listed is None else [*listed, dict.fromkeys(told, 0)]


@pytest.mark.parametrize(
    "folder",
    [
        *("segment-analytics-python", "segment-analytics-node", "rudder-sdk-python"),
        *("snowplow-tracker-python", "snowplow-browser-tracker", "posthog-python"),
        *("cloudevents", "vendors/mobile"),
    ],
)
def test_every_field_of_the_recorded_requests_is_accounted_for(folder):
    document = (Path(__file__).parents[2] / "docs" / "emitters.md").read_text()
    named = {
        word
        for code in re.findall(r"`([^`\n]+)`", document)
        for word in re.findall(r"[$\w]+", code)
    }

    seen = set()
    for path in (SAMPLES / folder).glob("*.json"):
        request = json.loads(path.read_text())
        if "method" in request:
            seen |= {field for item in items_of(request) for field in fields_of(item)}

    assert seen
    of_users = {"message", "unicode", "url"}  # A binary event's body is its sender's data.
    assert seen - named - of_users - {"batch", "data"} == set()
