"""What one item costs inside the listener, and one request over HTTP: CPU microseconds.

    python -m tests.benchmarks.listener

Inside: decode, validate, normalise, hash, encode, receipt, one core, memory publisher. Target: 8 us
an ordinary native item in batches of 20. Over HTTP: aiohttp on loopback, the client in a process of
its own, CPU seconds of the server alone. Targets: 60,000 touchpoints/s in batches of 20, 8,000
singles/s, per CPU-second.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from prometheus_client import CollectorRegistry

from listeners.listener import Delivery, Listener
from listeners.publishers.publisher import Outgoing
from listeners.routes import application, runner
from listeners.settings import ListenerSettings
from listeners.telemetry import Telemetry

ROUNDS = 3
AT = datetime(2026, 11, 22, 10, 5, tzinfo=UTC)


class Nowhere:
    async def publish(self, records: Sequence[Outgoing]) -> None:
        pass


def native(number: int) -> dict[str, Any]:
    return {
        "id": f"7f9c2ba4-e88f-827d-6160-{number:012x}",
        "channel": "web",
        "name": "Checkout Step Viewed",
        "location": "/checkout/payment",
        "occurred_at": "2026-11-22T10:04:05.123Z",
        "identifiers": {"anonymous_id": f"a-{number}", "user_id": f"u-{number // 7}"},
        "session_hint": f"s-{number // 5}",
        "signals": ["http_5xx"],
        "intent": "upgrade-phone",
        "properties": {
            "status": 502,
            "duration_ms": 131,
            "plan": "gold-unlimited",
            "url": "https://www.example.com/checkout/payment?step=2",
            "title": "Pay for your order",
            "currency": "EUR",
            "amount": 38.5,
            "agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        },
    }


def segment(number: int) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Checkout Step Viewed",
        "messageId": f"node-next-{number:012x}",
        "timestamp": "2026-11-22T10:04:05.123+00:00",
        "anonymousId": f"a-{number}",
        "userId": None,
        "integrations": {},
        "properties": {"status": 200, "amount": 38.5, "currency": "EUR"},
        "context": {
            "page": {"path": "/checkout", "url": "https://www.example.com/checkout"},
            "library": {"name": "analytics-python", "version": "2.4.0"},
        },
    }


def new_listener(**named: Any) -> tuple[Listener, ListenerSettings, Telemetry]:
    settings = ListenerSettings(**named)
    telemetry = Telemetry(CollectorRegistry())
    ids = count()
    listener = Listener(
        settings, Nowhere(), telemetry, clock=lambda: AT, new_id=lambda: f"new-{next(ids)}"
    )
    return listener, settings, telemetry


async def inside(body: bytes, delivery: Delivery, requests: int) -> float:
    """CPU seconds of one request, the best of some rounds."""
    listener, _, _ = new_listener()
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(requests):
            await listener.receive(body, delivery)
        best = min(best, time.process_time() - started)
    return best / requests


CLIENT = """
import socket, sys, threading
port, requests, lanes = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
path, lines = sys.argv[4], sys.argv[5:]
body = sys.stdin.buffer.read()
lines += [f"Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}", "", ""]
head = "\\r\\n".join([f"POST {path} HTTP/1.1", *lines]).encode()
def lane():
    with socket.create_connection(("127.0.0.1", port)) as wire:
        for _ in range(requests // lanes):
            wire.sendall(head + body)
            answer = b""
            while b"\\r\\n\\r\\n" not in answer:
                answer += wire.recv(65536)
            top, _, rest = answer.partition(b"\\r\\n\\r\\n")
            assert top.startswith(b"HTTP/1.1 200"), answer
            length = int(top.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0])
            while len(rest) < length:
                rest += wire.recv(65536)
threads = [threading.Thread(target=lane) for _ in range(lanes)]
[one.start() for one in threads]
[one.join() for one in threads]
"""


async def over_http(
    body: bytes,
    requests: int,
    path: str = "/v1/touchpoints",
    kind: str = "application/json",
    headers: Mapping[str, str] | None = None,
    **named: Any,
) -> float:
    """CPU seconds of the server, with the settings named, for one request."""
    listener, settings, telemetry = new_listener(**named)
    wired = runner(application(listener, settings, telemetry), settings)
    await wired.setup()
    wire = socket.create_server(("127.0.0.1", 0))
    from aiohttp import web

    await web.SockSite(wired, wire).start()
    started = time.process_time()
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CLIENT,
        str(wire.getsockname()[1]),
        str(requests),
        "16",
        path,
        f"Content-Type: {kind}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
        stdin=subprocess.PIPE,
    )
    await client.communicate(body)
    assert client.returncode == 0
    spent = time.process_time() - started
    await wired.cleanup()
    return spent / requests


async def main() -> None:
    batch = json.dumps([native(number) for number in range(20)]).encode()
    single = json.dumps(native(1)).encode()
    calls = json.dumps({"batch": [segment(number) for number in range(20)]}).encode()
    in_batch = await inside(batch, Delivery(), 2_000) / 20
    alone = await inside(single, Delivery(), 10_000)
    called = await inside(calls, Delivery("segment"), 1_000) / 20
    print(f"native item of {len(single)} B, in batches of 20: {in_batch * 1e6:.2f} us (target 8)")
    print(f"native item alone: {alone * 1e6:.2f} us")
    print(f"segment call in batches of 20: {called * 1e6:.2f} us")
    batches = await over_http(batch, 4_000)
    print(f"HTTP, batches of 20: {20 / batches:,.0f} touchpoints per CPU-second (target 60,000)")
    singles = await over_http(single, 16_000)
    print(f"HTTP, singles: {1 / singles:,.0f} requests per CPU-second (target 8,000)")


if __name__ == "__main__":
    asyncio.run(main())
