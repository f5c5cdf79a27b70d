"""The demo's emitter against a listener that behaves in all the ways listeners may."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline.cli import demo
from pipeline.cli.main import main
from pipeline.demo.sender import DemoFailed, NothingListens, Sent, clock_of, send

LINES = [b'{"id":"%d"}' % number for number in range(1_234)]


class Listener:
    """Answers as it is told, in turn; then takes everything."""

    def __init__(self, *answers: web.Response) -> None:
        self.answers = list(answers)
        self.taken: list[str] = []
        self.keys: set[str | None] = set()

    async def take(self, request: web.Request) -> web.Response:
        self.keys.add(request.headers.get("X-Write-Key"))
        ids = [json.loads(line)["id"] for line in (await request.read()).splitlines()]
        if self.answers:
            return self.answers.pop(0)
        self.taken += ids
        return web.json_response({"success": True, "status": 1})

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "up"})


@pytest.fixture
async def serve():
    servers = []

    async def at(listener: Listener) -> str:
        app = web.Application(client_max_size=8 << 20)
        app.router.add_post("/v1/touchpoints", listener.take)
        app.router.add_get("/healthz", listener.health)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return str(server.make_url("")).rstrip("/")

    yield at
    for server in servers:
        await server.close()


async def test_every_line_is_sent_once_and_in_order(serve):
    listener = Listener()
    seen = []

    sent = await send(LINES, await serve(listener), "k-1", seen.append)

    assert sent == Sent(accepted=1_234, refused=0)
    assert listener.taken == [str(number) for number in range(1_234)]
    assert listener.keys == {"k-1"}
    assert seen == [500, 1_000, 1_234]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_listener_that_is_busy_gets_the_same_batch_again(serve, status):
    busy = web.Response(status=status, headers={"Retry-After": "0"})
    listener = Listener(busy, web.Response(status=status, headers={"Retry-After": "0"}))

    sent = await send(LINES[:3], await serve(listener), "k-1")

    assert sent.accepted == 3
    assert listener.taken == ["0", "1", "2"]


async def test_a_listener_that_stays_busy_for_too_long_is_given_up(serve):
    listener = Listener(web.Response(status=503, headers={"Retry-After": "3600"}))

    with pytest.raises(DemoFailed, match="still answers 503"):
        await send(LINES[:3], await serve(listener), "k-1")


async def test_a_refused_batch_is_said_with_the_listeners_own_words(serve):
    listener = Listener(web.Response(status=401, text='{"code": "key_unknown"}'))

    with pytest.raises(DemoFailed, match=r"401: .*key_unknown"):
        await send(LINES[:3], await serve(listener), "k-1")


async def test_the_listeners_own_clock_says_when_the_day_ends(serve):
    now = await clock_of(await serve(Listener()))

    assert now.tzinfo is not None
    assert now.microsecond == 0


async def test_nothing_listening_is_said_with_the_remedy(unused_tcp_port):
    url = f"http://127.0.0.1:{unused_tcp_port}"

    with pytest.raises(NothingListens, match="touchpoints up"):
        await clock_of(url)
    with pytest.raises(NothingListens, match="touchpoints up"):
        await send(LINES[:1], url, "k-1")


async def test_the_command_prints_exactly_the_truth_of_the_day(serve, capsys):
    listener = Listener()
    url = await serve(listener)
    ends_at = "2026-11-20T21:30:00Z"
    arguments = ["demo", "--url", url, "--json", "--customers", "50", "--ends-at", ends_at]

    code = await asyncio.to_thread(main, arguments)

    said = json.loads(capsys.readouterr().out)
    assert code == 0
    assert list(said) == ["customers", "touchpoints", "journeys", "broken"]
    assert said["customers"] == 50
    assert said["touchpoints"] == len(set(listener.taken))
    assert sum(sum(ends.values()) for ends in said["journeys"].values()) >= 50
    assert said["broken"] == {
        "touchpoint": "pay-in-app",
        "mission": "pay-bill",
        "from": "2026-11-20T16:30:00Z",
        "to": "2026-11-20T18:30:00Z",
        "release": "5.2.0",
    }


async def test_the_command_tells_people_the_same_in_words(serve, capsys):
    url = await serve(Listener())
    ends_at = "2026-11-20T21:30:00Z"

    code = await asyncio.to_thread(main, ["demo", "--url", url, "--ends-at", ends_at])

    said = capsys.readouterr()
    assert code == 0
    assert "4,000 customers sent" in said.out
    assert "broken for pay-bill from 16:30 to 18:30 UTC, with release 5.2.0" in said.out
    assert said.err == ""


def test_refused_items_are_told_and_end_in_failure():
    told = demo.day(1, datetime(2026, 11, 20, tzinfo=UTC), 5)

    said = "\n".join(demo.as_text(told, Sent(accepted=1, refused=2)))

    assert "The listener refused 2" in said
