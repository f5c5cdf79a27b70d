"""Faust as it comes: an agent that handles one event at a time and writes a table for each.

Faust has no session windows. The agent closes a silent customer's session by a heap of deadlines
for each partition, which a user would have to write as well; it is a small part of the cost.
"""

import heapq
import sys
from collections import defaultdict
from datetime import datetime
from importlib.metadata import version
from typing import Any

import faust

from schemas.codec import decode_touchpoint, encode
from schemas.records import Counts, Session, Touchpoint
from tests.benchmarks.engines.here import python
from tests.benchmarks.engines.jobs import GAP, PARTITIONS, TICK, Engine, Job, Progress, job_of


class Sessions:
    """What the agent does with one touchpoint."""

    def __init__(self, table: Any, output: Any) -> None:
        self._table = table
        self._output = output
        self._due: dict[int, list[tuple[datetime, str]]] = defaultdict(list)

    async def take(self, partition: int, customer: str, one: Touchpoint) -> None:
        due, at = self._due[partition], one.occurred_at
        while due and due[0][0] < at:
            _, silent = heapq.heappop(due)
            await self._close_if_due(due, silent, at)
        found = self._table.get(customer)
        if found is None:
            heapq.heappush(due, (at + GAP, customer))
            opened = {"id": one.id, "channel": one.channel, "start": at.isoformat()}
            self._table[customer] = opened | {"end": at.isoformat(), "count": 1}
        else:
            self._table[customer] = found | {"end": at.isoformat(), "count": found["count"] + 1}

    async def _close_if_due(
        self, due: list[tuple[datetime, str]], customer: str, now: datetime
    ) -> None:
        found = self._table[customer]
        ended_at = datetime.fromisoformat(found["end"])
        if ended_at + GAP >= now:
            heapq.heappush(due, (ended_at + GAP, customer))
            return
        del self._table[customer]
        session = Session(
            session_id=found["id"],
            revision=1,
            state="closed",
            customer=customer,
            channel=found["channel"],
            started_at=datetime.fromisoformat(found["start"]),
            ended_at=ended_at,
            count=found["count"],
            microjourney=(),
            verdicts=Counts(),
        )
        await self._output.send(key=session.session_id.encode(), value=encode(session))


def app_of(job: Job, progress: Progress) -> faust.App:
    app = faust.App(
        job.application,
        broker=f"kafka://{job.bootstrap_servers}",
        store="memory://",
        datadir=str(job.folder),
        autodiscover=False,
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        web_enabled=False,
    )
    raw = {"key_type": bytes, "value_type": bytes, "value_serializer": "raw"}
    output = app.topic(job.output, key_serializer="raw", **raw)
    sessions = Sessions(app.Table("sessions", partitions=PARTITIONS), output)

    @app.agent(app.topic(job.input, key_serializer="raw", **raw))
    async def cut(stream: Any) -> None:
        async for event in stream.events():
            customer = event.key.decode()
            one = decode_touchpoint(event.value)
            await sessions.take(event.message.partition, customer, one)
            if not customer.startswith(TICK):
                progress.saw()

    return app


ENGINES = (
    Engine(
        name="faust",
        variant="table",
        about="stock Faust: agent and table, in memory",
        versions=lambda: f"faust-streaming {version('faust-streaming')}",
        command=lambda job: python("tests.benchmarks.engines.faust_table", job),
    ),
)


def main() -> None:
    job = job_of()
    sys.argv[1:] = []  # the worker reads the command line too
    app = app_of(job, Progress(job.count))
    faust.Worker(app, loglevel="error", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
