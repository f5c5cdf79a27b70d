"""Our emitter for Python, from threads and processes of its own, against a running listener."""

import ast
import asyncio
import os
import signal
import sys
import threading

import pytest

from listeners.emitters.python.posting import Answer, pause
from tests.browser.site import LiveDoor
from tests.integration.emitting import (
    NOWHERE,
    PATIENCE,
    ROOT,
    ended,
    flushed,
    script,
    sent,
    track,
)
from tests.integration.emitting import made as made
from tests.unit.listeners.doors import SHOP, properties


async def test_what_is_said_arrives_field_by_field(made):
    door = LiveDoor(sources=[{key: value for key, value in SHOP.items() if key != "channel"}])
    async with door.served() as url:
        emitter = made(url, channel="app")
        chosen = emitter.track(
            "payment_failed",
            {"user_id": "u-1", "email": "ann@example.com"},
            properties={"status": 502, "word": "k\u016f\u0148"},
            location="/pay",
            session="s-1",
            intent="pay-bill",
            signals=("crash",),
            rating=("ces", 2),
            occurred_at=1_700_000_000.5,
        )
        emitter.identify({"user_id": 7, "device_id": "d-1"})
        emitter.track("call", {"user_id": "u-1"}, channel="ivr", touchpoint_id="mine")
        assert await flushed(emitter)

    failed, identify, call = door.touchpoints
    assert (failed.id, failed.source, failed.channel) == (chosen, "shop", "app")
    assert (failed.location, failed.session_hint, failed.intent) == ("/pay", "s-1", "pay-bill")
    assert failed.signals == ("crash", "http_5xx")
    assert failed.occurred_at.timestamp() == 1_700_000_000.5
    assert (failed.rating.scale, failed.rating.value) == ("ces", 2)
    assert properties(failed) == {"status": 502, "word": "k\u016f\u0148"}
    assert (identify.signals, identify.identifiers["user_id"]) == (("identity_only",), "7")
    assert (call.id, call.channel) == ("mine", "ivr")
    assert emitter.counts == (3, 0, 0, 0)


async def test_nothing_is_lost_or_doubled_by_503_and_then_429_and_the_order_stays(made):
    door = LiveDoor(sources=[SHOP], request_rate_max=1.0, request_burst_max=1)
    async with door.served() as url:
        door.publisher.down = True
        emitter, refused = made(url, batch_max=20), threading.Event()
        post = emitter._delivery._post

        def posting(body):
            answer = post(body)
            if answer.status == 503:
                refused.set()
            return answer

        emitter._delivery._post = posting
        track(emitter, 0, 25)
        await asyncio.to_thread(refused.wait, PATIENCE)
        door.publisher.down = False
        assert await flushed(emitter)

    assert sent(door) == list(range(25))
    assert door.counted("touchpoints_rejected_total", reason="too_fast") >= 1
    assert emitter.counts == (25, 0, 0, 0)


async def test_a_batch_too_large_for_the_listener_goes_in_parts_and_a_bad_item_alone_is_lost(made):
    door = LiveDoor(sources=[SHOP], batch_items_max=3)
    async with door.served() as url:
        emitter = made(url)
        track(emitter, 0, 10)
        emitter.track("", {"user_id": "u-1"})
        track(emitter, 10, 20)
        assert await flushed(emitter)

    assert sent(door) == list(range(20))
    assert len(door.letters) == 1
    assert emitter.counts == (20, 0, 0, 1)


async def test_eight_threads_lose_and_double_nothing(made):
    door = LiveDoor(sources=[SHOP])
    async with door.served() as url:
        emitter = made(url, batch_max=50)
        threads = [
            threading.Thread(target=track, args=(emitter, first, first + 200))
            for first in range(0, 1600, 200)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert await flushed(emitter)

    assert sorted(sent(door)) == list(range(1600))


def test_while_the_network_hangs_callers_go_on_and_the_oldest_give_way(made):
    emitter, hanging, answered = made(NOWHERE, queue_max=100), threading.Event(), threading.Event()

    def post(body):
        hanging.set()
        answered.wait(PATIENCE)
        return Answer(200, b'{"rejected": 0}')

    emitter._delivery._post = post
    track(emitter, 0, 1)
    assert hanging.wait(PATIENCE)
    track(emitter, 1, 1001)  # returns, though nothing has been answered
    answered.set()
    assert emitter.flush(PATIENCE)

    counts = emitter.counts
    assert counts.sent + counts.dropped >= 1001
    assert counts.dropped >= 800
    assert counts.waiting == 0


def test_a_page_of_somebody_else_that_answers_200_is_no_receipt(made):
    answers = [Answer(200, b"<html>Log in to the hotel's network"), Answer(200, b'{"rejected": 0}')]
    bodies = []
    emitter = made(NOWHERE)

    def post(body):
        bodies.append(body)
        return answers[len(bodies) - 1]

    emitter._delivery._post = post
    track(emitter, 0, 1)

    assert emitter.flush(PATIENCE)
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]  # the same id


def test_a_pause_grows_has_chance_in_it_and_is_at_least_what_was_asked():
    first, tenth = ([pause(Answer(503), n) for _ in range(50)] for n in (1, 10))
    asked = [pause(Answer(429, retry_after=7.0), 1) for _ in range(50)]

    assert 0.5 <= min(first) < max(first) <= 1
    assert 30 <= min(tenth) < max(tenth) <= 60
    assert 7.5 <= min(asked) < max(asked) <= 8


EXITS = """
emitter = Emitter(sys.argv[1], key="shop-key", flush_after=60)
for n in range(20):
    emitter.track("step", {"user_id": "u-1"}, properties={"n": n})
"""


async def test_the_end_of_the_process_sends_what_waits():
    door = LiveDoor(sources=[SHOP])
    async with door.served() as url:
        await ended(script(EXITS, url))

    assert sent(door) == list(range(20))


async def test_the_end_of_a_process_that_reaches_nobody_says_what_it_lost():
    said = await ended(script(EXITS.replace("=60", "=60, exit_after=0.3"), NOWHERE))

    assert "20 touchpoints could not be sent before the end" in said


SPOOLS = """
emitter = Emitter(sys.argv[1], key="shop-key", spool=sys.argv[2], flush_after=0.01)
for n in range(int(sys.argv[3]), int(sys.argv[4])):
    emitter.track("step", {"user_id": "u-1"}, properties={"n": n})
while not emitter._delivery._moved(): time.sleep(0.01)
print("spooled", flush=True)
if len(sys.argv) > 5: time.sleep(60)
"""


async def test_what_is_spooled_survives_kill_9_and_the_next_process_sends_it_once(tmp_path):
    door = LiveDoor(sources=[SHOP])
    killed = script(SPOOLS, NOWHERE, tmp_path, 0, 500, "stay")
    assert await asyncio.to_thread(killed.stdout.readline) == "spooled\n"
    killed.send_signal(signal.SIGKILL)
    await asyncio.to_thread(killed.communicate)
    await ended(script(SPOOLS, NOWHERE, tmp_path, 500, 510))  # offline, too: takes it over
    async with door.served() as url:
        await ended(script(SPOOLS, url, tmp_path, 510, 520))

    assert sent(door) == list(range(520))
    assert list(tmp_path.iterdir()) == []


async def test_the_spool_of_a_living_process_is_its_own_and_a_broken_one_is_set_aside(
    made, tmp_path
):
    (tmp_path / "1-0.spool").write_bytes(b"no database, this" * 100)
    door = LiveDoor(sources=[SHOP])
    offline = made(NOWHERE, spool=tmp_path)
    track(offline, 0, 5)
    assert not await asyncio.to_thread(offline.flush, 0.2)
    async with door.served() as url:
        online = made(url, spool=tmp_path)
        track(online, 5, 10)
        assert await flushed(online)
        assert sent(door) == list(range(5, 10))
        offline.close(0.0)
        third = made(url, spool=tmp_path)
        track(third, 10, 11)
        assert await flushed(third)

    assert sorted(sent(door)) == list(range(11))
    assert (tmp_path / "1-0.broken").exists()


def test_a_spool_that_cannot_be_is_waiting_in_memory(made, tmp_path):
    (tmp_path / "file").write_text("no folder")
    emitter = made(NOWHERE, spool=tmp_path / "file" / "spool")
    emitter._delivery._post = lambda body: Answer(200, b'{"rejected": 0}')
    track(emitter, 0, 3)

    assert emitter.flush(PATIENCE)
    assert emitter.counts.sent == 3


FORKS = """
emitter = Emitter(sys.argv[1], key="shop-key", spool=sys.argv[2], flush_after=0.2)
def track(*numbers):
    for n in numbers:
        emitter.track("step", {"user_id": "u-1"}, properties={"n": n})
track(0, 1, 2)
while not emitter._delivery._moved(): time.sleep(0.01)
if (child := os.fork()) == 0:
    track(3, 4)
    gc.collect()  # SQLite: not even close what was opened before a fork
    opened = [os.path.realpath(f"/proc/self/fd/{number}") for number in range(32)]
    assert not os.path.exists("/proc/self/fd") or any(f"/{os.getppid()}-" in o for o in opened)
    sys.exit(0)
track(5, 6)
assert os.waitpid(child, 0)[1] == 0
track(7)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
async def test_parent_and_child_of_a_fork_each_send_their_own(tmp_path):
    door = LiveDoor(sources=[SHOP])
    async with door.served() as url:
        await ended(script(FORKS, url, tmp_path))

    assert sorted(sent(door)) == list(range(8))
    assert list(tmp_path.iterdir()) == []


def test_the_emitter_imports_nothing_but_pythons_own_library_and_itself():
    imported = {
        name
        for path in (ROOT / "listeners" / "emitters").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _names(node)
    }

    assert "sqlite3" in imported
    assert {
        name
        for name in imported
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not name.startswith("listeners.emitters.")
    } == set()


def _names(node):
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) else []
