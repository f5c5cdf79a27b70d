"""Runs one engine in a process of its own and says what it cost and whether it was right.

The CPU time is that of the engine's process, user and system, with all its threads. The harness
counts what arrives on the output topic while the engine works; neither its own CPU time nor the
broker's is part of a figure.
"""

import os
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from tests.benchmarks.engines.jobs import CONSUMED, HALF, Engine, Job
from tests.benchmarks.engines.topics import PREFIX, Topics, values
from tests.benchmarks.engines.traffic import Session
from tests.benchmarks.load.measuring import ROOT, cpu_seconds

TICK_EVERY: Final = 0.5
QUIET: Final = 15.0
"""Seconds without a further session after which no more is expected."""

PATIENCE: Final = 3_600.0
"""Seconds after which an engine is given up."""


class Published(msgspec.Struct):
    """What a session record must say, whoever wrote it."""

    session_id: str
    customer: str
    started_at: datetime
    ended_at: datetime
    count: int


_decode = msgspec.json.Decoder(Published).decode


@dataclass
class Measured:
    """One run.

    Attributes:
        cpu: CPU seconds until everything was read and the last session had arrived.
        half: Those until half of the touchpoints were handled.
        memory: Greatest resident memory, in bytes.
        published: The sessions on the output topic, and how often each stands there.
    """

    cpu: float = 0.0
    half: float = 0.0
    memory: int = 0
    published: Counter[Session] = field(default_factory=Counter)


class Running:
    """An engine's process."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )
        self.said: dict[str, float] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() in (HALF, CONSUMED):
                self.said[line.strip()] = cpu_seconds(self.process.pid)

    def cpu(self) -> float:
        if self.process.poll() is not None:
            message = f"expected the engine to go on; it ended with {self.process.returncode}"
            raise RuntimeError(message)
        return cpu_seconds(self.process.pid)

    def memory(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run(engine: Engine, topics: Topics, source: str, touchpoints: int, last_ms: int) -> Measured:
    """Let one engine read a topic.

    Args:
        engine: Which.
        topics: Where.
        source: The input topic.
        touchpoints: How many are on it.
        last_ms: When the last of them happened; ticks come after it.
    """
    name = f"{PREFIX}-{os.urandom(4).hex()}"
    output = f"{name}-sessions"
    topics.make(output)
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            bootstrap_servers=topics.servers,
            input=source,
            output=output,
            application=name,
            count=touchpoints,
            variant=engine.variant,
            folder=Path(folder),
        )
        running = Running(engine.command(job))
        try:
            return _watch(running, job, topics, last_ms, waits=engine.publishes and touchpoints > 1)
        finally:
            running.stop()
            topics.remove(name)


def _watch(running: Running, job: Job, topics: Topics, last_ms: int, *, waits: bool) -> Measured:
    measured = Measured()
    started = grown = ticked = time.monotonic()
    with topics.reader(job.output) as reader:
        while time.monotonic() - started < PATIENCE:
            arrived = values(reader, 0.1)
            cpu, now = running.cpu(), time.monotonic()
            for value in arrived:
                measured.published[_session(value)] += 1
            if arrived or CONSUMED not in running.said:
                grown = now
                measured.cpu = cpu
                continue
            measured.cpu = max(measured.cpu, running.said[CONSUMED])
            if not waits or now - grown > QUIET:
                measured.half = running.said.get(HALF, 0.0)
                measured.memory = running.memory()
                return measured
            if now - ticked > TICK_EVERY:
                topics.tick(job.input, last_ms)
                ticked = now
    message = f"expected the engine to finish within {PATIENCE:.0f} s"
    raise RuntimeError(message)


def _session(value: bytes) -> Session:
    one = _decode(value)
    return (
        one.customer,
        round(one.started_at.timestamp() * 1000),
        round(one.ended_at.timestamp() * 1000),
        one.count,
    )
