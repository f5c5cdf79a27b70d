"""The project's own Kafka runtime, with a stage that cuts sessions and does nothing else.

Everything around the stage is what `touchpoints work` runs: batches, states, a transaction for each
batch with results, changelog and progress in it.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import NoReturn

import msgspec
from faust.types import TP
from prometheus_client import CollectorRegistry

from pipeline import bootstrap
from pipeline.catalogue import files
from pipeline.runtimes.kafka import app
from pipeline.runtimes.kafka.batch import Fetched
from pipeline.runtimes.kafka.topics import changelogs
from pipeline.runtimes.kafka.worker import Ownership
from pipeline.settings import WorkerSettings
from pipeline.stitching.change import Change, Message
from pipeline.stitching.rules import Rules
from pipeline.telemetry import PipelineTelemetry
from pipeline.topology import Stage
from schemas.brokers import Brokers
from schemas.records import Channel, Counts, Session, Touchpoint
from tests.benchmarks.engines.here import python
from tests.benchmarks.engines.jobs import GAP, TICK, Engine, Job, Progress, job_of
from tests.benchmarks.engines.topics import Topics
from tests.benchmarks.load.measuring import ROOT

CUT = "cut"
OVER = GAP + timedelta(milliseconds=1)
"""A silence of exactly the gap does not end a session."""


class Open(msgspec.Struct, array_like=True, gc=False):
    """An open session."""

    id: str
    customer: str
    channel: Channel
    start: datetime
    end: datetime
    count: int


def stage_of(job: Job) -> Stage:
    """A stage that cuts sessions from one topic to another."""

    def closed(one: Open) -> Message:
        session = Session(
            session_id=one.id,
            revision=1,
            state="closed",
            customer=one.customer,
            channel=one.channel,
            started_at=one.start,
            ended_at=one.end,
            count=one.count,
            microjourney=(),
            verdicts=Counts(),
        )
        return Message(job.output, session.session_id, session)

    def step(
        state: Open | None, key: str, message: Message, watermark: datetime | None, rules: Rules
    ) -> Change[Open]:
        one = message.record
        assert isinstance(one, Touchpoint)
        at = one.occurred_at
        if state is not None and at < state.end + OVER:
            state.end = at
            state.count += 1
            return Change(state, [])
        opened = Open(one.id, key, one.channel, at, at, 1)
        return Change(opened, [] if state is None else [closed(state)])

    return Stage(
        name=CUT,
        reads=(job.input,),
        writes=(job.output,),
        step=step,
        expire=lambda state, watermark, rules: Change(None, [closed(state)]),
        due_at=lambda state, rules: state.end + OVER,
        encode=msgspec.msgpack.Encoder().encode,
        decode=msgspec.msgpack.Decoder(Open).decode,
    )


class Counting(Ownership):
    """Tells how many touchpoints are durable."""

    progress: Progress

    async def take(self, tp: TP, records: Sequence[Fetched]) -> None:
        await super().take(tp, records)
        tick = TICK.encode()
        self.progress.saw(sum(not (one.key or b"").startswith(tick) for one in records))


async def work(job: Job, progress: Progress) -> None:
    """Run the worker until it is stopped."""
    brokers = Brokers(bootstrap_servers=job.bootstrap_servers, application=job.application)
    stage = stage_of(job)
    topics = Topics(job.bootstrap_servers)
    topics.make(changelogs(job.application, [stage])[CUT], {"cleanup.policy": "compact"})
    topics.close()
    settings = WorkerSettings()
    ownership = Counting(
        brokers,
        files.load(ROOT / "seeds"),
        settings,
        PipelineTelemetry(CollectorRegistry()),
        clock=bootstrap.now,
        stages=(stage,),
    )
    ownership.progress = progress
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    made = app.create(brokers, settings, ownership, clock=bootstrap.now, fail=leave)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    async with app.running(made, ownership):
        await stopped.wait()


def leave(error: BaseException) -> NoReturn:
    print(error, file=sys.stderr, flush=True)
    os._exit(1)


ENGINES = (
    Engine(
        name="ours",
        variant="sessions",
        about="Touchpoints: the Kafka runtime, exactly once",
        versions=lambda: f"touchpoints {version('touchpoints')}",
        command=lambda job: python("tests.benchmarks.engines.ours", job),
    ),
)


def main() -> None:
    for noisy in ("faust", "mode", "aiokafka", "kafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    job = job_of()
    asyncio.run(work(job, Progress(job.count)))


if __name__ == "__main__":
    main()
