import base64
import gzip
import json
import zlib
from urllib.parse import quote_plus

import cramjam
import pytest
from aiohttp import ClientSession

from listeners.errors import Reason, Unreadable
from tests.unit.listeners.doors import PAGE, SHOP, Door, properties, written
from tests.unit.listeners.posthog_events import event, server


def zstd(body):
    return bytes(cramjam.zstd.compress(body))


def form(body):
    return b"data=" + quote_plus(base64.b64encode(body)).encode()


@pytest.mark.parametrize(
    ("packed", "headers", "query"),
    [
        (lambda body: body, {"Content-Type": "application/json"}, ""),
        (gzip.compress, {"Content-Type": "text/plain"}, "?compression=gzip-js&_=1&ver=1.4"),
        (gzip.compress, {"Content-Encoding": "gzip"}, ""),
        (zlib.compress, {"Content-Encoding": "deflate"}, ""),
        (zstd, {"Content-Encoding": "zstd"}, ""),
        (form, {"Content-Type": "application/x-www-form-urlencoded"}, "?compression=base64"),
        (lambda body: form(gzip.compress(body)), {}, ""),
        (lambda body: b"data=" + quote_plus(body).encode(), {}, ""),
        (lambda body: base64.b64encode(body).rstrip(b"="), {}, "?compression=base64"),
    ],
    ids=[
        "plain",
        "unlabelled",
        "gzip",
        "deflate",
        "zstd",
        "form",
        "form-gzip",
        "form-plain",
        "b64",
    ],
)
@pytest.mark.parametrize("path", ["/batch/", "/batch", "/e/", "/i/v0/e/"])
async def test_every_encoding_is_read_on_every_path(path, packed, headers, query):
    door = Door(sources=[SHOP])
    body = packed(written({"api_key": "shop-key", "batch": [event()]}))

    async with (
        door.served() as url,
        ClientSession() as client,
        client.post(url + path + query, data=body, headers=headers) as answer,
    ):
        told = await answer.json()
        assert (answer.status, told["status"], told["accepted"]) == (200, 1, 1)


@pytest.mark.parametrize(
    "body",
    [
        {"api_key": "shop-key", **event()},
        {"token": "shop-key", **event()},
        event(),
        [event()],
        {"batch": [event()]},
    ],
    ids=["api_key", "token", "in properties", "a list", "a batch without a key"],
)
async def test_the_key_is_found_wherever_it_stands(body):
    door = Door(sources=[SHOP])

    await door.raw(written(body), "posthog")

    assert [one.source for one in door.touchpoints] == ["shop"]


async def test_a_bomb_in_a_form_is_too_large_and_nonsense_is_unreadable():
    door = Door(body_bytes_max=4000)
    bomb = b"x" * 100_000

    async with door.served() as url, ClientSession() as client:
        for body, status in (
            (form(gzip.compress(bomb)), 413),
            (zstd(bomb), 413),
            (zstd(written(event()))[:-4], 400),
            (b"data=!!!", 400),
            (b"lz64:~~", 400),
        ):
            async with client.post(url + "/e/", data=body) as answer:
                assert answer.status == status


LZ64 = b"data=N4IgpgHgbglgdjALgLxALhAEwA4EMAuAFgPYBOIAvkA%3D&compression=lz64"


@pytest.mark.parametrize(
    ("body", "query"),
    [(LZ64, ""), (LZ64, "compression=lz64&ip=1"), (b"N4IgpgHg", "compression=lz64")],
    ids=["form", "both", "query"],
)
async def test_lz64_is_refused_by_its_name(body, query):
    door = Door()

    with pytest.raises(Unreadable) as refused:
        await door.raw(body, "posthog", query=query)

    assert refused.value.reason == Reason.ENCODING_UNKNOWN
    assert "lz64" in refused.value.message
    assert len(door.letters) == 1  # of an open listener: nothing is lost unseen


async def test_the_newest_path_says_what_became_of_each_event():
    door = Door()
    bad = server("$groupidentify", "x", top={"uuid": "e-2"})

    async with door.served() as url, ClientSession() as client:
        where = url + "/i/v1/analytics/events"
        body = written({"batch": [server("x", "u-1"), bad]})
        async with client.post(where, data=body) as answer:
            told = await answer.json()

    assert answer.status == 200
    assert told["results"]["e-1"] == {"result": "ok"}
    assert told["results"]["e-2"]["result"] == "drop"
    assert told["results"]["e-2"]["details"].startswith("no_identifier")


async def test_the_library_of_the_newest_path_stands_in_a_header():
    door = Door()
    alias = event("$create_alias", of={"$is_server": True}, distinct_id="a-1", alias="u-1")

    await door.raw(
        written({"batch": [alias]}), "posthog", headers={"PostHog-Sdk-Info": "posthog-python/7.9"}
    )

    assert door.touchpoints[0].identifiers == {"user_id": "u-1", "previous_id": "a-1"}
    assert properties(door.touchpoints[0])["$lib"] == "posthog-python"


async def test_a_page_that_is_too_fast_is_told_503_and_a_server_429():
    door = Door(sources=[SHOP | {"origins": [PAGE]}], request_rate_max=0.01, request_burst_max=1)
    body = written({"api_key": "shop-key", "batch": [event()]})

    async with door.served() as url, ClientSession() as client:
        statuses = []
        for path in ("/e/", "/e/", "/i/v0/e/", "/batch/"):
            async with client.post(url + path, data=body, headers={"Origin": PAGE}) as answer:
                statuses.append(answer.status)
                if answer.status != 200:
                    assert int(answer.headers["Retry-After"]) >= 1
                    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
                    assert {"code", "message"} <= (await answer.json()).keys()

    assert statuses == [200, 503, 503, 429]


async def test_flags_and_the_configuration_are_answered_at_once():
    door = Door(sources=[SHOP])

    async with door.served() as url, ClientSession() as client:
        for path in ("/flags/?v=2", "/decide/?v=3"):
            async with client.post(url + path, data=b'{"token":"shop-key"}') as answer:
                told = await answer.json()
                assert (answer.status, told["flags"], told["featureFlags"]) == (200, {}, {})
                assert told["errorsWhileComputingFlags"] is False
        async with client.get(url + "/array/shop-key/config") as answer:
            assert (await answer.json())["analytics"] == {"endpoint": "/i/v0/e/"}
        async with client.get(url + "/array/wrong/config") as answer:
            assert answer.status == 401

    assert door.publisher.records == []


async def test_a_recording_is_taken_and_not_kept():
    door = Door()

    async with (
        door.served() as url,
        ClientSession() as client,
        client.post(url + "/s/?compression=gzip-js", data=gzip.compress(b"{}")) as answer,
    ):
        assert answer.status == 200

    assert door.publisher.records == []
    assert door.counted("touchpoints_discarded_total") == 1


async def test_a_query_may_hold_the_event():
    door = Door()
    told = quote_plus(base64.b64encode(json.dumps({"api_key": "k", **event()}).encode()))

    async with (
        door.served() as url,
        ClientSession() as client,
        client.get(f"{url}/e/?data={told}") as answer,
    ):
        assert answer.status == 200

    assert [one.id for one in door.touchpoints] == ["e-1"]
