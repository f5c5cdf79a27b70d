import gzip
import json
from datetime import timedelta
from urllib.parse import urlencode

from aiohttp import ClientSession

from listeners.adapters.snowplow import PIXEL
from listeners.errors import Reason
from tests.unit.listeners.doors import NOON, PAGE, SHOP, Door, properties
from tests.unit.listeners.snowplow_events import encoded, event, millis, self_describing


async def test_deep_or_endless_contexts_are_refused():
    door = Door()
    deep = {"data": [self_describing("a", "b", json.loads("[" * 40 + "]" * 40))]}
    wide = {"data": [self_describing("a", "b", {str(n): n for n in range(600)})]}

    await door.snowplow(event(cx=encoded(deep)), event(cx=encoded(wide)))

    assert [one.reason for one in door.letters] == [Reason.TOO_DEEP, Reason.TOO_MANY_KEYS]


async def test_the_app_id_is_the_key_and_pages_are_bound_to_their_origins():
    app = SHOP | {"origins": [PAGE]}
    door = Door(sources=[app])

    async with door.served() as url, ClientSession() as client:
        where = url + "/com.snowplowanalytics.snowplow/tp2"
        for aid, origin, status in (
            ("shop-key", PAGE, 200),
            ("shop-key", "https://evil.example.com", 401),
            ("other", PAGE, 401),
            (None, PAGE, 401),
        ):
            body = json.dumps({"data": [event(aid=aid)]})
            async with client.post(where, data=body, headers={"Origin": origin}) as answer:
                assert answer.status == status

    assert [one.source for one in door.touchpoints] == ["shop"]


async def test_an_app_id_is_free_where_a_header_has_the_key():
    door = Door(sources=[SHOP])

    await door.snowplow(event(aid="a"), event(aid="b", eid="e-2"), key="shop-key")

    assert [one.source for one in door.touchpoints] == ["shop", "shop"]


async def test_a_query_is_an_event_and_is_answered_by_a_picture():
    door = Door()

    async with door.served() as url, ClientSession() as client:
        async with client.get(f"{url}/i?{urlencode(event(page='Účet ☎'))}") as answer:
            assert (answer.status, answer.content_type) == (200, "image/gif")
            assert answer.headers["Cache-Control"] == "no-cache, no-store"
            assert await answer.read() == PIXEL
        async with client.get(f"{url}/i?{urlencode(event('zz'))}") as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, "call_unknown")
        async with client.get(f"{url}/i?e=pv&page=%ff") as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, "not_utf8")
        async with client.head(f"{url}/i?{urlencode(event(eid='asked'))}") as answer:
            assert answer.status == 405

    [touchpoint] = door.touchpoints
    assert touchpoint.id == "e-1"
    assert properties(touchpoint)["page"] == "Účet ☎"


async def test_a_body_too_large_is_400_since_trackers_send_again_what_is_413():
    door = Door(body_bytes_max=2000)
    body = json.dumps({"data": [event(page="x" * 3000)]})

    async with door.served() as url, ClientSession() as client:
        where = url + "/com.snowplowanalytics.snowplow/tp2"
        for content in (body.encode(), gzip.compress(body.encode())):
            async with client.post(where, data=content) as answer:
                assert (answer.status, (await answer.json())["code"]) == (400, "body_too_large")


async def test_an_event_without_an_id_is_the_same_when_it_is_sent_again():
    door = Door()

    await door.snowplow(event(eid=None))
    door.later(seconds=5)
    await door.snowplow(event(eid=None, stm=millis(NOON + timedelta(seconds=5))))
    await door.snowplow(event(eid=None, page="Another"))

    first, again, other = (one.id for one in door.touchpoints)
    assert first == again != other
