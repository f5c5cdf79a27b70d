"""What every engine is told, what it says while it works, and how it is described.

Only the standard library: engines with an environment of their own import this too.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

GAP: Final = timedelta(minutes=30)
PARTITIONS: Final = 4
TICK: Final = "tick-"
"""Begins the key of a record that only moves event time on. Ticks are not counted."""

HALF: Final = "half"
CONSUMED: Final = "consumed"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One engine's work.

    Attributes:
        application: Consumer group, and beginning of whatever topics the engine makes for itself.
        count: Touchpoints on the input topic, ticks not among them.
        variant: Which of an engine's ways.
        folder: An empty folder for what the engine keeps on disk.
    """

    bootstrap_servers: str
    input: str
    output: str
    application: str
    count: int
    variant: str
    folder: Path

    def arguments(self) -> list[str]:
        return [f"--{name.replace('_', '-')}={value}" for name, value in sorted(vars(self).items())]


def job_of(arguments: Sequence[str] | None = None) -> Job:
    parser = argparse.ArgumentParser()
    for name in ("bootstrap-servers", "input", "output", "application", "variant"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    return Job(**vars(parser.parse_args(arguments)))


class Progress:
    """Tells the harness, on standard output, when half and when all touchpoints were handled."""

    def __init__(self, count: int) -> None:
        self.left = count
        self._half = count - count // 2

    def saw(self, many: int = 1) -> None:
        before, self.left = self.left, self.left - many
        if before > self._half >= self.left:
            print(HALF, flush=True)
        if before > 0 >= self.left:
            print(CONSUMED, flush=True)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One way to cut sessions.

    Attributes:
        name: What `--engine` selects; several variants may share it.
        about: The variant in words.
        versions: What it was measured with; called before the first run.
        command: The process that does a job. It runs until it is stopped.
        publishes: Whether sessions are published at all.
        count_max: The most touchpoints that are worth waiting for.
    """

    name: str
    variant: str
    about: str
    versions: Callable[[], str]
    command: Callable[[Job], list[str]]
    publishes: bool = True
    count_max: int | None = None
