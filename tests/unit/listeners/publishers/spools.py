"""The spool's tests' vocabulary: a spool on a folder, its clock, and what it holds."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from listeners.publishers.publisher import Outgoing
from listeners.publishers.spool import Spool
from listeners.telemetry import SpoolTelemetry
from schemas.topics import TOUCHPOINTS
from tests.unit.listeners.doors import NOON


class Bench:
    """Makes spools on one folder, and keeps what a test wants to look at."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = NOON
        self.registry = CollectorRegistry()
        self.telemetry = SpoolTelemetry(self.registry)

    def spool(self, **options: Any) -> Spool:
        """A spool of another process, as it were: with metrics of its own."""
        self.registry = CollectorRegistry()
        self.telemetry = SpoolTelemetry(self.registry)
        settings: dict[str, Any] = {
            "bytes_max": 2**30,
            "age_max": timedelta(hours=24),
            "clock": lambda: self.now,
            "telemetry": self.telemetry,
        }
        return Spool(self.directory, **settings | options)

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"touchpoints_{name}", labels) or 0.0

    async def held(self) -> list[Outgoing]:
        """What another process finds there."""
        spool = self.spool()
        await spool.start()
        try:
            return await contents(spool)
        finally:
            await spool.stop()


def records(*values: object, key: str = "anonymous_id:a") -> list[Outgoing]:
    return [Outgoing(TOUCHPOINTS, key, str(value).encode()) for value in values]


async def contents(spool: Spool) -> list[Outgoing]:
    """All it holds, in order, without taking any of it out."""
    head = await spool.head(2**40)
    return [] if head is None else head.records


async def publish_until_refused(spool: Spool, taken: list[Outgoing]) -> None:
    """One record after the other; adds each that was taken."""
    for number in range(100_000):
        await spool.publish(records(f"{number} {'x' * 2_000}"))
        taken += records(f"{number} {'x' * 2_000}")


class FaultyConnection(sqlite3.Connection):
    """A connection whose commits fail on cue, as the disk would make them fail."""

    code: int | None = None

    def execute(self, sql, *arguments):
        if FaultyConnection.code is not None and sql == "COMMIT":
            error = sqlite3.OperationalError("the disk said no")
            error.sqlite_errorcode = FaultyConnection.code
            error.sqlite_errorname = "SQLITE_CODE"
            raise error
        return super().execute(sql, *arguments)
