"""What people who look at the console cost: `up` under a steady load with none, and with 200.

    python -m tests.benchmarks.viewers [--quick] [--page /]

Each viewer is a connection to the event stream of a page, as a browser has it, and reads whatever
comes. Stretches without and with viewers take turns, so that what else the machine does falls on
both. What `up` takes of a processor is read off for each; by how much it is more with viewers is
what they take from the pipeline, whose throughput is what that one processor can do. A page is
renewed once a second at most; where the machine was too busy for that, the cost of what was sent is
reckoned up to once a second. Target: 200 viewers take less than 5 % of a processor from `up`. The
console's own process, at a lower priority, is told beside it.
"""

import argparse
import http.client
import json
import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.load.measuring import ROOT, bodies, cpu_seconds, machine
from tests.benchmarks.load.serving import Served

VIEWERS = 200
PAIRS = 5
STRETCH = 12.0
"""Seconds of each stretch that is measured."""

BATCH = 25
RATE = 500
"""Touchpoints a second: the page changes with every look."""

LANES = 4
SHARE_MAX = 0.05


class Stretch(NamedTuple):
    """Of a second: CPU of `up` and of the console, touchpoints, updates and kilobytes a viewer."""

    up: float
    console: float
    touchpoints: float
    updates: float
    kilobytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short pairs")
    parser.add_argument("--page", default="/", help="the page that is looked at")
    parser.add_argument("--plain", action="store_true", help="viewers that take no gzip")
    parser.add_argument("--look", nargs=4, help=argparse.SUPPRESS)  # in a process of its own
    chosen = parser.parse_args()
    if chosen.look:
        look(int(chosen.look[0]), int(chosen.look[1]), *chosen.look[2:])
        return
    print(machine())
    pairs, seconds = (2, 5.0) if chosen.quick else (PAIRS, STRETCH)
    takes = "identity" if chosen.plain else "gzip, deflate"
    made = bodies(int(RATE * 2 * pairs * (seconds + 6)), BATCH, LANES)
    costs, reckoned = [], []
    with Served() as served, sending(served.up.url, made) as sent:
        for _ in range(pairs):
            alone = measured(served, sent, 0, seconds, (chosen.page, takes))
            watched = measured(served, sent, VIEWERS, seconds, (chosen.page, takes))
            costs.append(watched.up - alone.up)
            reckoned.append(costs[-1] / min(1.0, watched.updates or 1.0))
            print(
                f"at {alone.touchpoints:,.0f} and {watched.touchpoints:,.0f} touchpoints a second "
                f"`up` takes {alone.up:.3f} of a CPU, with {VIEWERS} viewers {watched.up:.3f}; the "
                f"console {alone.console:.3f} and {watched.console:.3f}; each viewer gets "
                f"{watched.updates:.2f} updates, {watched.kilobytes:.1f} KB a second"
            )
    print(
        f"{VIEWERS} viewers take {statistics.median(costs):.1%} of a CPU from `up`, "
        f"{statistics.median(reckoned):.1%} at an update a second; target: < {SHARE_MAX:.0%}"
    )


@contextmanager
def sending(url: str, made: list[bytes]) -> Iterator[list[int]]:
    """Send touchpoints at the steady rate meanwhile; yields the batches that were taken."""
    port, stopping = int(url.rpartition(":")[2]), threading.Event()
    sent: list[int] = []

    def lane(number: int) -> None:
        wire = http.client.HTTPConnection("127.0.0.1", port)
        headers = {"Content-Type": "application/json", "X-Write-Key": "shop"}
        started = time.monotonic()
        for at, body in enumerate(made[number::LANES]):
            wait = started + at * BATCH * LANES / RATE - time.monotonic()
            if stopping.wait(max(0.0, wait)):
                return
            wire.request("POST", "/v1/touchpoints", body, headers)
            answer = wire.getresponse()
            answer.read()
            sent.append(answer.status)

    threads = [threading.Thread(target=lane, args=(one,)) for one in range(LANES)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    if set(sent) != {200}:
        message = f"expected answers of 200; found {sorted(set(sent))}"
        raise RuntimeError(message)


def measured(
    served: Served, sent: list[int], viewers: int, seconds: float, asked: tuple[str, str]
) -> Stretch:
    """A stretch while so many look at a page, and take an encoding."""
    port = served.up.operations.rpartition(":")[2]
    looking = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.viewers", "--look", port, str(viewers), *asked],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert looking.stdin is not None
    assert looking.stdout is not None
    looking.stdout.readline()  # all are connected, and have the whole page
    up, console = served.up.pid, console_of(served.up.pid)
    before = cpu_seconds(up), cpu_seconds(console), len(sent)
    started = time.perf_counter()
    looking.stdin.write(b"\n")
    looking.stdin.flush()
    time.sleep(seconds)
    took = time.perf_counter() - started
    after = cpu_seconds(up), cpu_seconds(console), len(sent)
    looking.stdin.close()
    told = json.loads(looking.stdout.readline())
    looking.wait()
    looking.stdout.close()
    each = max(1, viewers) * took
    return Stretch(
        (after[0] - before[0]) / took,
        (after[1] - before[1]) / took,
        (after[2] - before[2]) * BATCH / took,
        told["updates"] / each,
        told["bytes"] / each / 1e3,
    )


def console_of(pid: int) -> int:
    """The process that `up` runs the console in."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(
        int(one) for one in children if b"--beside" in Path(f"/proc/{one}/cmdline").read_bytes()
    )


def look(port: int, viewers: int, page: str, takes: str) -> None:
    """Be the viewers until standard input ends; print what came since it had its first line."""
    asked = (
        f"GET /live?seq=0&page={page} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Accept: text/event-stream\r\nAccept-Encoding: {takes}\r\n\r\n"
    ).encode()
    selector = selectors.DefaultSelector()
    for _ in range(viewers):
        wire = socket.create_connection(("127.0.0.1", port))
        wire.sendall(asked)
        if not wire.recv(65536).startswith(b"HTTP/1.1 200"):
            message = "expected every viewer to be let in"
            raise RuntimeError(message)
        selector.register(wire, selectors.EVENT_READ)
    until = time.monotonic() + 3  # what everybody gets at first: the whole page
    came = updates = 0
    selector.register(sys.stdin, selectors.EVENT_READ)
    while time.monotonic() < until:
        taken(selector)
    print("connected", flush=True)
    while True:
        some, ended = taken(selector)
        if ended is not None:
            if ended:
                print(json.dumps({"bytes": came, "updates": updates}), flush=True)
                return
            came = updates = 0
        came += sum(some)
        updates += sum(size > BEAT for size in some)


BEAT = 200
"""Bytes of a part that are no update, but tell that the connection is alive."""


def taken(selector: selectors.BaseSelector) -> tuple[list[int], bool | None]:
    """The sizes of what came, and whether standard input ended; None where it said nothing."""
    sizes, ended = [], None
    for key, _ in selector.select(0.1):
        if key.fileobj is sys.stdin:
            ended = not sys.stdin.readline()
            continue
        read = key.fileobj.recv(1 << 20)  # type: ignore[union-attr]
        if not read:
            message = "expected the stream to last"
            raise RuntimeError(message)
        sizes.append(len(read))
    return sizes, ended


if __name__ == "__main__":
    main()
