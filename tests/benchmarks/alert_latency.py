"""From the post of the touchpoint that decides to the alert on `touchpoint-alerts`, under load.

    python -m tests.benchmarks.alert_latency [--kafka] [--rate N] [--workers N] [--quick]

A listener gets the demo's traffic, live, at the rate; meanwhile one touchpoint after another, that
nobody came by before, breaks. How many broken votes make an alert of it is computed first, by
`replay`; the last of them is the one that decides. Those before come at times that are left to
chance, so that it falls into every phase of what sends votes at most so often. Without `--kafka`
it is `touchpoints up`; with it a listener, workers and the tests' own broker, which have the same
cores. Target: p99 below 2 s at 2,000 touchpoints a second.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

import aiohttp
from confluent_kafka import Consumer, TopicPartition

from listeners import settings
from listeners.adapters.native import adapt_replay_line, replay_context
from pipeline.catalogue import files
from pipeline.replay import results_of
from pipeline.runtimes.embedded.reader import LogReader
from pipeline.runtimes.memory import in_memory
from schemas import codec
from schemas.records import Alert
from schemas.topics import TOUCHPOINT_ALERTS
from tests.benchmarks.load.measuring import STARTS_AT, cpu_seconds, machine, traffic
from tests.benchmarks.load.serving import at
from tests.brokers.choosing import first
from tests.brokers.topics import fresh
from tests.integration.serving import SEEDS, Listen, Up, Work

BATCH = 20
WARM_UP = 5.0
TOGETHER = 4
"""Touchpoints that break a second."""

PARTITIONS = 4
VOTES_MAX = 30
PATIENCE = 15.0
"""Seconds after which an alert that did not come is given up."""


class Place(NamedTuple):
    """Where it is sent, where alerts come from, and whose CPU is counted."""

    url: str
    follow: Callable[[threading.Event], Iterator[tuple[float, Alert]]]
    pids: dict[str, int]


def catalogue(folder: Path, count: int) -> Path:
    """The demo's, and so many touchpoints more, which are steps of one mission."""
    made = folder / "catalogue"
    shutil.copytree(SEEDS, made)
    names = [f"probe-{number}" for number in range(count)]
    with (made / "inventory.toml").open("a") as file:
        for name in (*names, "probed"):
            file.write(f'\n[[touchpoint]]\nid = "{name}"\nname = "{name}"\nchannel = "web"\n')
    steps = json.dumps([*names, "probed"])
    (made / "missions" / "probe.toml").write_text(
        f'name = "probe"\nstarts = {json.dumps(names)}\ncompletes = ["probed"]\npatience = "2h"\n'
        f'[[phase]]\nname = "probe"\nsteps = {steps}\n'
    )
    return made


def broken(number: int, vote: int) -> dict[str, object]:
    """One customer's, who comes this once."""
    return {
        "id": f"probe-{number}-{vote}",
        "channel": "web",
        "name": f"probe-{number}",
        "signals": ["http_5xx"],
        "identifiers": {"anonymous_id": f"probe-{number}-{vote}"},
    }


def votes_needed(chosen: Path) -> int:
    """How many broken votes, some seconds apart, make an alert of a touchpoint nobody knows."""
    context = replay_context(settings.load(None))
    rules = files.load(chosen)
    for count in range(1, VOTES_MAX):
        lines = []
        for vote in range(count):
            when = STARTS_AT + timedelta(seconds=2 * vote)
            lines.append(json.dumps(broken(0, vote) | {"occurred_at": when.isoformat()}).encode())
        touchpoints = [adapt_replay_line(line, context) for line in lines]
        topics = frozenset({TOUCHPOINT_ALERTS})
        if any(results_of(touchpoints, in_memory(rules), topics, keep_open=True)):
            return count
    message = f"expected an alert after at most {VOTES_MAX} broken votes"
    raise RuntimeError(message)


class Sending:
    """The load and the breaks, on one event loop.

    Attributes:
        decided: When the deciding touchpoint of each probe was posted.
        sent: Touchpoints of the load that were answered with 200.
    """

    def __init__(self, url: str, rate: float, needed: int) -> None:
        self._url, self._rate, self._needed = url, rate, needed
        self._chance = Random(1)
        self.decided: dict[str, float] = {}
        self.sent = self.refused = 0
        self.waits: list[float] = []
        self._done = False

    async def run(self, probes: int) -> None:
        """Warm up, let one touchpoint after another break, wait for the last alerts."""
        seconds = WARM_UP + probes / TOGETHER + PATIENCE
        connector = aiohttp.TCPConnector(limit=64)
        async with aiohttp.ClientSession(connector=connector) as self._session:
            load = asyncio.create_task(self._load(seconds))
            await asyncio.sleep(WARM_UP)
            async with asyncio.TaskGroup() as group:
                for number in range(probes):
                    group.create_task(self._break(number))
                    await asyncio.sleep(1 / TOGETHER)
            self._done = True
            await load

    async def _load(self, seconds: float) -> None:
        count = int(seconds * self._rate)
        live = (
            re.sub(rb'"occurred_at":"[^"]*",?', b"", line)
            for line in traffic(count, max(100, count // 10), seed=7)
        )
        started = time.perf_counter()
        under_way: set[asyncio.Task[None]] = set()
        number = 0
        while (lines := list(islice(live, BATCH))) and not self._done:
            number += BATCH
            task = asyncio.create_task(self._post(b"[" + b",".join(lines) + b"]", len(lines)))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            await asyncio.sleep(max(0.0, started + number / self._rate - time.perf_counter()))
        await asyncio.gather(*under_way)

    async def _post(self, body: bytes, count: int) -> None:
        started = time.perf_counter()
        headers = {"Content-Type": "application/json", "X-Write-Key": "load"}
        async with self._session.post(
            f"{self._url}/v1/touchpoints", data=body, headers=headers
        ) as answer:
            await answer.read()
            if answer.status == 200:
                self.sent += count
            else:
                self.refused += count
        self.waits.append(time.perf_counter() - started)

    async def _break(self, number: int) -> None:
        for vote in range(self._needed):
            if vote:
                await asyncio.sleep(self._chance.uniform(0.05, 1.5))
            if vote == self._needed - 1:
                self.decided[f"probe-{number}"] = time.perf_counter()
            await self._post(json.dumps(broken(number, vote)).encode(), 1)


@contextmanager
def embedded(folder: Path, chosen: Path) -> Iterator[Place]:
    with Up(folder / "data", catalogue=chosen) as up:

        def follow(stopped: threading.Event) -> Iterator[tuple[float, Alert]]:
            offset = 0
            with LogReader(up.data) as reader:
                while not stopped.is_set():
                    for record in reader.read(TOUCHPOINT_ALERTS, offset, 1_000):
                        offset = record.offset + 1
                        yield time.perf_counter(), codec.decode(record.value, Alert)
                    time.sleep(0.005)

        yield Place(up.url, follow, {"up": up.pid})


@contextmanager
def on_kafka(folder: Path, chosen: Path, workers: int) -> Iterator[Place]:
    broker = first()
    print(f"broker: {broker.description}, {PARTITIONS} partitions, {workers} workers")
    with ExitStack() as stack:
        stack.callback(broker.close)
        brokers = fresh(broker, partitions=PARTITIONS)
        (folder / "settings.toml").write_text(
            f'[kafka]\nbootstrap_servers = "{brokers.bootstrap_servers}"\n'
            f'application = "{brokers.application}"\n'
        )
        working = []
        for number in range(workers):
            worker = Work(folder / "settings.toml")
            worker._command[-1] = str(chosen)
            worker.said = folder / f"worker-{number}.stderr"
            working.append(stack.enter_context(worker))
        listen = stack.enter_context(Listen(folder / "spool", brokers.bootstrap_servers))

        def follow(stopped: threading.Event) -> Iterator[tuple[float, Alert]]:
            client = {"group.id": "latency", "isolation.level": "read_committed"}
            reader = Consumer(
                {**brokers.librdkafka(), **client, "fetch.wait.max.ms": 5}
                | {"auto.offset.reset": "earliest"}
            )
            places = [TopicPartition(TOUCHPOINT_ALERTS, number, 0) for number in range(PARTITIONS)]
            reader.assign(places)
            while not stopped.is_set():
                for record in reader.consume(1_000, 0.005):
                    if record.error() is None:
                        yield time.perf_counter(), codec.decode(record.value(), Alert)
            reader.close()

        pids = {"listener": listen.pid} | {f"worker {n}": one.pid for n, one in enumerate(working)}
        time.sleep(10)  # until every worker has its partitions
        yield Place(listen.url, follow, pids)


def measure(place: Place, rate: float, probes: int, needed: int) -> None:
    seen: dict[str, float] = {}
    stopped = threading.Event()

    def follow() -> None:
        for when, alert in place.follow(stopped):
            if alert.state == "firing":
                seen.setdefault(alert.touchpoint, when)

    following = threading.Thread(target=follow, daemon=True)
    following.start()
    sending = Sending(place.url, rate, needed)
    before = {name: cpu_seconds(pid) for name, pid in place.pids.items()}
    started = time.perf_counter()
    asyncio.run(sending.run(probes))
    seconds = time.perf_counter() - started
    spent = {name: cpu_seconds(pid) - before[name] for name, pid in place.pids.items()}
    deadline = time.perf_counter() + PATIENCE
    while not sending.decided.keys() <= seen.keys() and time.perf_counter() < deadline:
        time.sleep(0.1)
    stopped.set()
    following.join(10)
    waits = sorted(seen[one] - sending.decided[one] for one in sending.decided if one in seen)
    early = sum(wait < 0 for wait in waits)
    shares = ", ".join(f"{name} {100 * cpu / seconds:.0f} %" for name, cpu in spent.items())
    print(
        f"load of the machine {os.getloadavg()[0]:.1f}; "
        f"{sending.sent / seconds:,.0f} touchpoints a second ({rate:,.0f} asked for, "
        f"{sending.refused:,} refused), answers p99 {at(0.99, sorted(sending.waits)):.0f} ms; "
        f"of one core: {shares}"
    )
    if not waits:
        message = f"expected alerts on {probes} touchpoints; found none"
        raise RuntimeError(message)
    print(
        f"from the post that decides to the alert: p50 {at(0.5, waits):.0f} ms, p90 "
        f"{at(0.9, waits):.0f} ms, p99 {at(0.99, waits):.0f} ms, most {1e3 * waits[-1]:.0f} ms "
        f"({len(waits)} of {probes} alerts, {early} of them a vote earlier; target 2,000 ms)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", action="store_true", help="on Kafka, with the tests' broker")
    parser.add_argument("--rate", type=float, default=2_000.0, help="touchpoints a second")
    parser.add_argument("--workers", type=int, default=1, help="on Kafka, how many")
    parser.add_argument("--quick", action="store_true", help="a quarter of the breaks")
    options = parser.parse_args()
    probes = 40 if options.quick else 160
    print(machine())
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        chosen = catalogue(folder, probes)
        needed = votes_needed(chosen)
        print(
            f"{needed} broken votes make an alert; {probes} touchpoints break, {TOGETHER} a second"
        )
        if options.kafka:
            place = stack.enter_context(on_kafka(folder, chosen, options.workers))
        else:
            place = stack.enter_context(embedded(folder, chosen))
        measure(place, options.rate, probes, needed)


if __name__ == "__main__":
    main()
