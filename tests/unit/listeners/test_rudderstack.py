"""What RudderStack's SDKs write differently from Segment's, in the same dialect."""

import base64
import gzip
from datetime import timedelta

import pytest
from aiohttp import ClientSession

from tests.unit.listeners.doors import NOON, PAGE, SHOP, Door, properties, track, written


def event(**changes):
    """A call as the Node SDK writes it: no timestamp, its own sentAt, an empty user id."""
    return track(
        timestamp=...,
        originalTimestamp="2026-11-22T11:58:00.000Z",
        sentAt="2026-11-22T11:59:59.000Z",
        userId="",
        channel="web",
        integrations={"All": True},
        **changes,
    )


async def test_a_call_of_node_happened_when_it_was_made():
    door = Door()

    await door.segment({"batch": [event()], "sentAt": "2026-11-22T11:59:59.000Z"})

    [touchpoint] = door.touchpoints
    assert touchpoint.occurred_at == NOON - timedelta(minutes=2)
    assert touchpoint.identifiers == {"anonymous_id": "a-1"}
    assert properties(touchpoint)["integrations"] == {"All": True}


async def test_a_time_given_by_the_caller_wins_over_that_of_the_call():
    door = Door()

    await door.segment({"batch": [event() | {"timestamp": "2026-11-22T10:00:00.000001Z"}]})

    [touchpoint] = door.touchpoints
    assert touchpoint.occurred_at == NOON - timedelta(hours=2) + timedelta(microseconds=1)


@pytest.mark.parametrize("session", [1795341845123, 1795341845, "1795341845123", 1795341845123.0])
async def test_a_session_is_known_by_its_number_in_any_unit(session):
    door = Door()

    await door.segment(event(context={"sessionId": session, "sessionStart": True}))

    [touchpoint] = door.touchpoints
    assert touchpoint.session_hint == str(int(session))
    assert properties(touchpoint)["context"]["sessionStart"] is True


async def test_traits_that_stand_in_the_context_alone_identify():
    door = Door()
    traits = {"email": "Ann@Example.com", "plan": "gold"}

    await door.segment(event(type="identify", context={"traits": traits}) | {"userId": "u-1"})

    [touchpoint] = door.touchpoints
    assert touchpoint.identifiers.keys() == {"anonymous_id", "user_id", "email"}
    assert touchpoint.signals == ("identity_only",)
    assert properties(touchpoint)["context"]["traits"] == {"plan": "gold"}


async def test_an_alias_of_the_browser_names_the_new_id_and_the_old():
    door = Door()

    await door.segment(event(type="alias", previousId="u-1") | {"userId": "u-2"}, call="alias")

    assert door.touchpoints[0].identifiers == {
        "anonymous_id": "a-1",
        "user_id": "u-2",
        "previous_id": "u-1",
    }


async def test_gzip_that_calls_itself_a_form_is_read():
    door = Door(sources=[SHOP])
    basic = "Basic " + base64.b64encode(b"shop-key:").decode()
    body = gzip.compress(written({"batch": [event()]}))
    labels = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": basic}

    async with (
        door.served() as url,
        ClientSession() as client,
        client.post(url + "/v1/batch", data=body, headers=labels) as answer,
    ):
        assert (answer.status, (await answer.json())["accepted"]) == (200, 1)


async def test_a_page_that_is_left_sends_by_beacon_with_its_key_in_the_query():
    door = Door(sources=[SHOP | {"origins": [PAGE]}])
    body = written({"batch": [event()], "sentAt": "2026-11-22T11:59:59.000Z"})
    headers = {"Content-Type": "text/plain", "Origin": PAGE, "Cookie": "rl_user_id=secret"}

    async with door.served() as url, ClientSession() as client:
        where = url + "/beacon/v1/batch?writeKey=shop-key"
        async with client.post(where, data=body, headers=headers) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == PAGE
            assert answer.headers["Access-Control-Allow-Credentials"] == "true"

    assert [one.source for one in door.touchpoints] == ["shop"]


async def test_the_browser_is_told_that_its_source_is_on_and_has_no_destinations():
    door = Door(sources=[SHOP])
    basic = {"Authorization": "Basic " + base64.b64encode(b"shop-key:").decode()}

    async with door.served() as url, ClientSession() as client:
        async with client.get(url + "/sourceConfig/?p=npm&v=3", headers=basic) as answer:
            told = await answer.json()
        async with client.get(url + "/sourceConfig/?writeKey=wrong") as answer:
            assert answer.status == 401

    assert told["source"]["enabled"] is True
    assert told["source"]["destinations"] == []
    assert told["source"]["writeKey"] == "shop-key"


async def test_a_preflight_may_ask_for_the_headers_of_a_retry():
    door = Door(sources=[SHOP | {"origins": [PAGE]}])
    asked = "anonymousid,authorization,content-type,rsa-retry-attempt,rsa-retry-reason,sentat"
    headers = {"Origin": PAGE, "Access-Control-Request-Headers": asked}

    async with (
        door.served() as url,
        ClientSession() as client,
        client.options(url + "/v1/track", headers=headers) as answer,
    ):
        assert answer.headers["Access-Control-Allow-Headers"] == asked


async def test_a_key_may_stand_in_the_header_alone():
    door = Door(sources=[SHOP])

    await door.segment({"batch": [event()]}, key="shop-key")

    assert [one.source for one in door.touchpoints] == ["shop"]
