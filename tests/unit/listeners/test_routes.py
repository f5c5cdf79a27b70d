import asyncio
import base64
import gzip
import json
import socket
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession

from listeners.adapters.segment import PATHS as SEGMENT_CALLS
from listeners.dialects import DIALECTS
from tests.unit.listeners.doors import PAGE, SHOP, Door, page_view, track, written

TYPES = {"track", "page", "screen", "identify", "alias", "group", "merge"}


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    @property
    def json(self):
        return json.loads(self.text)


@pytest.fixture
async def ask():
    """Ask a door over HTTP: ask(door, method, path, body, headers)."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(ClientSession())
        served = {}

        async def ask(door, method, path, body=None, **headers):
            if door not in served:
                served[door] = await stack.enter_async_context(door.served())
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            async with client.request(
                method, served[door] + path, data=body, headers=named
            ) as answer:
                return Answer(answer.status, answer.headers, await answer.text())

        yield ask


async def test_success_is_exactly_200_with_a_receipt(ask):
    answer = await ask(Door(), "POST", "/v1/touchpoints", written(page_view()))

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json == {
        "success": True,
        "status": 1,
        "accepted": 1,
        "rejected": 0,
        "receipts": [{"id": "t-1", "status": "accepted"}],
    }


async def test_a_lone_bad_item_is_400_and_a_bad_item_in_a_batch_is_200(ask):
    door = Door()

    alone = await ask(door, "POST", "/v1/touchpoints", written(page_view(channel="fax")))
    among = await ask(door, "POST", "/v1/touchpoints", written([page_view(channel="fax")]))

    assert (alone.status, among.status) == (400, 200)
    assert alone.json["code"] == "field_invalid"
    assert alone.json["message"].startswith("expected one of web, app")
    assert among.json["rejected"] == alone.json["rejected"] == 1


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", list(SEGMENT_CALLS))
async def test_every_spelling_of_a_segment_call_is_known(ask, path, slash):
    door = Door()
    call = track(type=SEGMENT_CALLS[path] or "track", userId="u")
    body = call if SEGMENT_CALLS[path] else {"batch": [call]}

    answer = await ask(door, "POST", f"/v1/{path}{slash}", written(body))

    assert answer.status == 200
    assert answer.json["accepted"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": "image/png"},
    ],
)
async def test_a_content_type_is_not_trusted(ask, headers):
    body = gzip.compress(written(page_view()))

    answer = await ask(Door(), "POST", "/v1/touchpoints?unknown=1", body, **headers)

    assert answer.status == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/touchpoints", {"Authorization": "Bearer shop-key"}),
        (
            "/v1/touchpoints",
            {"authorization": "Basic " + base64.b64encode(b"shop-key:").decode()},
        ),
        ("/v1/touchpoints", {"X_Write_Key": "shop-key"}),
        ("/v1/touchpoints?writeKey=shop-key", {}),
    ],
)
async def test_a_key_opens_the_door(ask, path, headers):
    door = Door(sources=[SHOP])

    answer = await ask(door, "POST", path, written(page_view()), **headers)

    assert answer.status == 200
    assert door.touchpoints[0].source == "shop"


async def test_errors_have_a_code_and_a_message(ask):
    door = Door(sources=[SHOP], body_bytes_max=1000, request_rate_max=0.01, request_burst_max=3)
    key = {"Authorization": "Bearer shop-key"}
    item = written(page_view())

    answers = [
        await ask(door, "POST", "/v1/touchpoints", item),
        await ask(door, "POST", "/v1/touchpoints", item, Authorization="Bearer wrong"),
        await ask(door, "POST", "/v1/touchpoints", b"nonsense", **key),
        await ask(door, "POST", "/v1/nothing", item, **key),
        await ask(door, "GET", "/v1/touchpoints", **key),
        await ask(door, "POST", "/v1/touchpoints", b"[" + b" " * 2000 + b"]", **key),
    ]
    door.publisher.down = True
    answers += [
        await ask(door, "POST", "/v1/touchpoints", item, **key),
        await ask(door, "POST", "/v1/touchpoints", b"[]", **key),
        await ask(door, "POST", "/v1/touchpoints", item, **key),
    ]

    assert [one.status for one in answers] == [401, 401, 400, 404, 405, 413, 503, 200, 429]
    for answer in answers:
        if answer.status != 200:
            assert set(answer.json) >= {"code", "message"}
        if answer.status in (429, 503):
            assert int(answer.headers["Retry-After"]) >= 1
    assert answers[4].headers["Allow"]


async def test_a_body_that_does_not_come_is_408(ask):
    door = Door(body_deadline="200ms")
    async with door.served() as url:
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/touchpoints HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n{")
        answer = await reader.read()
        writer.close()

    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"body_too_slow"' in answer
    assert door.counted("touchpoints_limit_reached_total", limit="body_deadline") == 1


async def test_up_and_ready_are_different_questions(ask):
    door = Door()
    door.publisher.down = True

    assert (await ask(door, "GET", "/healthz")).status == 200
    assert (await ask(door, "GET", "/readyz")).status == 503
    door.publisher.down = False
    assert (await ask(door, "GET", "/readyz")).status == 200


async def test_a_preflight_of_a_listed_page_is_answered_for_ten_minutes(ask):
    door = Door(sources=[SHOP | {"origins": [PAGE]}])

    answer = await ask(
        door,
        "OPTIONS",
        "/v1/t",
        Origin=PAGE,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization,x-retry-count",
    )

    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization,x-retry-count"
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Vary"] == "Origin"


async def test_a_page_that_is_not_listed_learns_nothing(ask):
    door = Door(sources=[SHOP | {"origins": [PAGE]}])

    answer = await ask(door, "OPTIONS", "/v1/t", Origin="https://evil.example.com")
    sent = await ask(
        door,
        "POST",
        "/v1/t?writeKey=shop-key",
        written(track()),
        Origin="https://evil.example.com",
    )

    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Origin" not in sent.headers
    assert (sent.status, sent.json["code"]) == (401, "origin_refused")


async def test_errors_are_told_to_the_page_too(ask):
    door = Door(sources=[SHOP | {"origins": [PAGE]}])
    door.publisher.down = True

    answers = [
        await ask(door, "POST", "/v1/t?writeKey=shop-key", written(track()), Origin=PAGE),
        await ask(door, "POST", "/v1/t", written(track()), Origin=PAGE),
        await ask(door, "POST", "/nowhere", b"", Origin=PAGE),
    ]

    assert [one.status for one in answers] == [503, 401, 404]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"


@pytest.mark.parametrize("path", ["/v1/projects/shop-key/settings", "/projects/shop-key/settings/"])
async def test_segments_sdks_are_told_where_to_send(ask, path):
    door = Door(sources=[SHOP], public_url="https://in.example.com")

    answer = await ask(door, "GET", path)

    told = answer.json["integrations"]["Segment.io"]
    assert told == {"apiKey": "shop-key", "apiHost": "in.example.com/v1", "protocol": "https"}


async def test_an_unknown_key_gets_no_settings(ask):
    assert (await ask(Door(sources=[SHOP]), "GET", "/projects/wrong/settings")).status == 401


async def test_an_sdks_own_metrics_are_taken_and_not_kept(ask):
    door = Door()

    answer = await ask(door, "POST", "/v1/m", b'{"series":[]}')

    assert (answer.status, answer.json["success"]) == (200, True)
    assert door.publisher.records == []
    assert door.counted("touchpoints_discarded_total") == 1


async def test_the_interface_is_described(ask):
    answer = await ask(Door(), "GET", "/openapi.json")

    paths = answer.json["paths"]
    assert answer.json["openapi"].startswith("3.1")
    assert {f"/v1/{name}" for name in SEGMENT_CALLS} <= paths.keys()
    assert {"400", "401", "408", "413", "429", "503"} <= paths["/v1/touchpoints"]["post"][
        "responses"
    ].keys()
    missing = [
        ref
        for ref in _references(answer.json)
        if ref.rpartition("/")[2] not in answer.json["components"]["schemas"]
    ]
    assert missing == []


async def test_every_route_of_every_dialect_is_described(ask):
    paths = (await ask(Door(), "GET", "/openapi.json")).json["paths"]

    served = {
        (one.path, method.lower())
        for dialect in DIALECTS.values()
        for one in (*dialect.routes, *dialect.questions)
        for method in one.methods
        if method != "HEAD"
    } | {(path, "post") for dialect in DIALECTS.values() for path in dialect.discards}
    described = {(path, method) for path, methods in paths.items() for method in methods}
    unkeyed = {(path, "get") for path in ("/healthz", "/readyz", "/openapi.json", "/emitter.js")}
    assert described == served | {("/v1/touchpoints", "post")} | unkeyed


def _references(value):
    if isinstance(value, dict):
        yield from (v for k, v in value.items() if k == "$ref")
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


async def test_a_connection_gone_in_mid_body_leaves_no_record_and_no_storm(caplog):
    door = Door()
    async with door.served() as url:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        for _ in range(5):
            with socket.create_connection(address) as wire:
                wire.sendall(
                    b"POST /v1/touchpoints HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n{"
                )
        await asyncio.sleep(0.1)
        async with ClientSession() as client, client.get(url + "/healthz") as answer:
            assert answer.status == 200

    assert door.publisher.records == []
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []
