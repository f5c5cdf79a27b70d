"""The demo's day, watched: when its break is flagged and called mended, and quiet weeks.

    python -m tests.benchmarks.demo_day [--seeds 20] [--customers 4000] [--weeks 2]

Each seed is a day that ends at another hour, taken through the pipeline touchpoint by touchpoint;
minutes are from the break's beginning to the occurrence of the touchpoint that made the alert
fire, and from the repair to that of the one that resolved it. A quiet week is a week of the same
traffic without a break. Prints Markdown.
"""

import argparse
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from statistics import median
from typing import NamedTuple

from listeners import settings
from listeners.adapters.native import adapt_replay_line, replay_context
from pipeline.catalogue.files import load
from pipeline.demo.day import CUSTOMERS, Day, day, touchpoints_of
from pipeline.runtimes.memory import in_memory
from schemas.records import Alert, Touchpoint
from schemas.topics import TOUCHPOINT_ALERTS
from tests.benchmarks.load.measuring import STARTS_AT, machine
from tests.unit.demo.test_day import SEEDS

A_DAY = 17_100
"""Touchpoints of a day of so many customers as the demo has by default."""


class Watching(NamedTuple):
    """How a day went: incidents, and what was said of the one that should be."""

    incidents: int
    opened: float
    closed: float
    release: str


def alerts_of(lines: Iterator[bytes]) -> Iterator[tuple[Touchpoint, Alert]]:
    """Alerts, each with the touchpoint that had just been taken when it came."""
    context, engine = replay_context(settings.load(None)), in_memory(load(SEEDS))
    for line in lines:
        one = adapt_replay_line(line, context)
        engine.process(one)
        for message in engine.outbox:
            if message.topic == TOUCHPOINT_ALERTS and isinstance(message.record, Alert):
                yield one, message.record
        engine.outbox.clear()


def watched(told: Day, alerts: Iterable[tuple[Touchpoint, Alert]]) -> Watching:
    """How a day went by its alerts. One at the wrong place is an incident, too."""
    broken, opened, closed, release = told.broken, float("inf"), float("inf"), ""
    incidents: set[str] = set()
    for one, alert in alerts:
        if alert.within is None:
            incidents.add(alert.id)
        if (alert.touchpoint, alert.mission) != (broken.touchpoint, broken.mission):
            incidents.add(f"{alert.id} at the wrong place")
        elif alert.state == "firing" and opened == float("inf"):
            opened = (one.occurred_at - broken.starts_at).total_seconds() / 60
            release = alert.shared.get("release", "")
        elif alert.state == "resolved":
            closed = (one.occurred_at - broken.ends_at).total_seconds() / 60
    return Watching(len(incidents), opened, closed, release)


def day_of(seed: int, customers: int = CUSTOMERS) -> Day:
    """A day that ends three hours and a bit after that of the seed before."""
    return day(seed, STARTS_AT + seed * timedelta(hours=3, minutes=7), customers)


def days(seeds: int, customers: int) -> list[Watching]:
    """How so many of them went."""
    made = (day_of(seed, customers) for seed in range(1, seeds + 1))
    return [watched(one, alerts_of(iter(one.lines))) for one in made]


def quiet(seed: int, length: timedelta, customers: int) -> int:
    """Incidents in so long a time without a break."""
    count = round(A_DAY * customers / CUSTOMERS * (length / timedelta(days=1)))
    lines = touchpoints_of(seed, customers * 7, count, STARTS_AT, length)
    return len({alert.id for _, alert in alerts_of(lines)})


def main() -> None:
    """Print the days, then the weeks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--weeks", type=int, default=2)
    asked = parser.parse_args()
    print(machine())
    started = time.process_time()
    print("| seed | incidents | opened after, min | closed after, min | release |")
    print("| --- | --- | --- | --- | --- |")
    found = days(asked.seeds, asked.customers)
    for seed, one in enumerate(found, 1):
        print(f"| {seed} | {one.incidents} | {one.opened:.1f} | {one.closed:.1f} | {one.release} |")
    opened, closed = median(one.opened for one in found), median(one.closed for one in found)
    most = max(one.incidents for one in found)
    print(f"| median (incidents: most) | {most} | {opened:.1f} | {closed:.1f} | |")
    for seed in range(1, asked.weeks + 1):
        incidents = quiet(seed, timedelta(days=7), asked.customers)
        print(f"a quiet week, seed {seed}: {incidents} incidents")
    print(f"{time.process_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
