"""Our emitter for Python where its user, its disk or its processes fail: nothing goes unsaid."""

import asyncio
import json
import os
import sqlite3
import threading
import time

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from listeners.emitters.python import Emitter, waiting
from listeners.emitters.python.posting import Answer
from listeners.emitters.python.waiting import Spool
from tests.browser.site import LiveDoor
from tests.integration.emitting import KEY, NOWHERE, PATIENCE, ended, script, sent, track
from tests.integration.emitting import made as made
from tests.unit.listeners.doors import SHOP


class Mute:
    """What a program may have among its properties."""

    def __str__(self):
        raise LookupError


def test_what_cannot_be_sent_is_counted_and_never_raised(made):
    emitter = made(NOWHERE)
    loop = {}
    loop["loop"] = loop

    emitter.track("nan", {"user_id": "u"}, properties={"x": float("nan")})
    emitter.track("loop", {"user_id": "u"}, properties=loop)
    emitter.track("large", {"user_id": "u"}, properties={"x": "x" * 70_000})
    emitter.track("no identifiers", None)
    emitter.track("no time", {"user_id": "u"}, occurred_at=float("inf"))
    emitter.track("half a rating", {"user_id": "u"}, rating=("ces",))
    emitter.track("no text", {"user_id": "u"}, properties={"x": Mute()})
    emitter.close(0.0)
    emitter.track("after the end", {"user_id": "u"})

    assert emitter.counts == (0, 0, 1, 7)


@pytest.mark.parametrize(
    ("url", "key", "channel", "said"),
    [
        ("ftp://x", KEY, "web", "http"),
        ("http://", KEY, "web", "http"),
        ("http://in.example.com/a b", KEY, "web", "http"),
        ("http://in.example.com:port", KEY, "web", "Port"),
        ("http://x", KEY, "fax", "one of web"),
        ("http://x", "shop-key\n", "web", "without spaces and line ends"),
        ("http://x", "schl\u00fcssel", "web", "ASCII"),
        ("http://x", "", "web", "a key"),
    ],
)
def test_a_mistake_in_the_set_up_is_said_at_once(url, key, channel, said):
    with pytest.raises(ValueError, match=said) as raised:
        Emitter(url, key=key, channel=channel)

    assert key == "" or key.strip() not in str(raised.value)


async def test_a_redirect_is_not_followed_since_it_would_show_the_key_and_lose_the_body(made):
    seen, came = [], asyncio.Event()

    async def elsewhere(request):
        seen.append((request.method, request.path))
        came.set()
        return web.Response(status=302, headers={"Location": "/other"})

    server = TestServer(web.Application())
    server.app.router.add_route("*", "/{path:.*}", elsewhere)
    async with server:
        emitter = made(str(server.make_url("/")), flush_after=0.01)
        track(emitter, 0, 1)
        async with asyncio.timeout(PATIENCE):
            await came.wait()
        assert not await asyncio.to_thread(emitter.flush, 0.5)

    assert seen[0] == ("POST", "/v1/touchpoints")
    assert {path for _, path in seen} == {"/v1/touchpoints"}
    assert emitter.counts.waiting == 1


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
emitter = Emitter(sys.argv[1], key="shop-key", spool=sys.argv[2], flush_after=0.01)
for n in range(5):
    emitter.track("step", {"user_id": "u-1"}, properties={"n": n})
"""


async def test_a_full_disk_at_the_start_is_waiting_in_memory_too(tmp_path):
    door = LiveDoor(sources=[SHOP])
    async with door.served() as url:
        said = await ended(script(FULL, url, tmp_path))

    assert sent(door) == list(range(5))
    assert "going on in memory" in said
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_loses_nothing_of_what_came_since(made, tmp_path):
    posted, full, bodies = threading.Event(), threading.Event(), []
    emitter = made(NOWHERE, spool=tmp_path)

    def post(body):
        bodies.append(body)
        posted.set()
        full.wait(PATIENCE)
        return Answer(200, b'{"rejected": 0}')

    emitter._delivery._post = post
    track(emitter, 0, 3)
    assert posted.wait(PATIENCE)
    emitter._delivery._store._file.close()  # neither takes nor forgets anything any more
    track(emitter, 3, 8)
    until = time.monotonic() + PATIENCE
    while not emitter._delivery._moved():
        assert time.monotonic() < until
        time.sleep(0.01)
    full.set()

    assert emitter.flush(PATIENCE)
    items = [one["properties"]["n"] for body in bodies for one in json.loads(body)]
    assert items == list(range(8))
    assert emitter.counts == (8, 0, 0, 0)


def test_a_spool_damaged_in_the_middle_gives_what_it_can_and_is_set_aside(made, tmp_path):
    emitter = made(NOWHERE, spool=tmp_path)
    for number in range(200):
        emitter.track("step", {"user_id": "u-1"}, properties={"n": number, "x": "x" * 200})
    assert not emitter.flush(0.2)
    emitter.close(0.0)
    [path] = tmp_path.glob("*.spool")
    held = path.read_bytes()
    middle = len(held) // 8192 * 4096
    path.write_bytes(held[:middle] + b"\xff" * 4096 + held[middle + 4096 :])

    bodies = []
    another = made(NOWHERE, spool=tmp_path)

    def post(body):
        bodies.append(body)
        return Answer(200, b'{"rejected": 0}')

    another._delivery._post = post
    another.track("step", {"user_id": "u-1"}, properties={"n": 200})
    assert another.flush(PATIENCE)

    arrived = [one["properties"]["n"] for body in bodies for one in json.loads(body)]
    assert arrived[0] == 0
    assert 50 < len(arrived) < 201
    assert arrived[-1] == 200
    assert [one.suffix for one in tmp_path.glob("*.broken")] == [".broken"]
    assert isinstance(another._delivery._store, Spool)


TWO_FORK = """
import threading
emitter = Emitter(sys.argv[1], key="shop-key", flush_after=0.01, exit_after=0.1)
emitter.track("step", {"user_id": "u-1"})
def forking():
    for _ in range(40):
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)
threads = [threading.Thread(target=forking) for _ in range(4)]
for one in threads: one.start()
for one in threads: one.join()
emitter.track("step", {"user_id": "u-1"})
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
async def test_threads_that_fork_at_once_do_not_stand_still():
    said = await ended(script(TWO_FORK, NOWHERE))

    assert "Traceback" not in said


def test_a_folder_in_which_every_new_file_is_locked_is_given_up(tmp_path, monkeypatch):
    tried = []

    def locked(path):
        tried.append(path)
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error

    monkeypatch.setattr(waiting, "_open", locked)

    with pytest.raises(sqlite3.OperationalError):
        waiting._own(tmp_path)
    assert len(tried) == waiting.BUSY_MAX + 1
