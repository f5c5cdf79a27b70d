"""One customer that never stops: what the ten-thousandth touchpoint costs, and what one late costs.

    python -m tests.benchmarks.hot [--quick]

A robot, a wall tablet, a log-in that a thousand people share. CPU time a touchpoint in each tenth,
which is to stay flat: one hot key may not stall the partition it is on.
"""

import argparse
from collections.abc import Iterator
from datetime import timedelta
from time import process_time

from pipeline.catalogue import files
from pipeline.runtimes.memory import in_memory
from pipeline.stitching.change import Message
from pipeline.stitching.rules import Rules
from pipeline.topology import STITCH
from schemas.records import Touchpoint
from schemas.topics import CUSTOMER_TOUCHPOINTS
from tests.benchmarks.load.measuring import ROOT, STARTS_AT, machine

TENTHS = 10
NAMES = ("view-bill-online", "search-help", "pay-online")


def touchpoints(
    count: int, per_second: float, *, numbered: bool, late: bool
) -> Iterator[Touchpoint]:
    """One device's; every other one late by one and a half, where asked."""
    for number in range(count):
        at = STARTS_AT + timedelta(seconds=number / per_second)
        yield Touchpoint(
            id=f"t-{number:06}",
            source="shop",
            channel="web",
            name=NAMES[number % len(NAMES)],
            occurred_at=at - timedelta(seconds=1.5 / per_second) if late and number % 2 else at,
            received_at=at,
            identifiers={"anonymous_id": "the wall tablet"},
            session_hint="a session" if numbered else None,
            sequence=number if numbered else None,
        )


def tenths(
    rules: Rules, count: int, per_second: float, *, numbered: bool = False, late: bool = False
) -> list[float]:
    """CPU microseconds a touchpoint in each tenth, through identify and stitch, one by one."""
    engine = in_memory(rules, watching=False)
    spent, started = [], process_time()
    told = touchpoints(count, per_second, numbered=numbered, late=late)
    for number, one in enumerate(told, start=1):
        engine.process(one)
        engine.outbox.clear()
        if number % (count // TENTHS) == 0:
            now = process_time()
            spent.append(1e6 * (now - started) / (count // TENTHS))
            started = now
    return spent


def at_once(rules: Rules, count: int, size: int) -> float:
    """The same of stitch alone, where so many come in one batch, as on Kafka."""
    route = ("anonymous_id:the wall tablet", ("anonymous_id:the wall tablet",))
    told = list(touchpoints(count, 30, numbered=False, late=False))
    state, started = None, process_time()
    for at in range(0, count, size):
        batch = [Message(CUSTOMER_TOUCHPOINTS, "c", one, route) for one in told[at : at + size]]
        assert STITCH.at_once is not None
        state = STITCH.at_once(state, "c", batch, None, rules).state
    return 1e6 * (process_time() - started) / count


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    count = 10_000 if parser.parse_args().quick else 100_000
    rules = files.load(ROOT / "seeds")
    print(f"machine: {machine()}; {count:,} touchpoints of one customer, us CPU each, by tenths")
    for per_second in (1, 30, 1_000):
        told = " ".join(f"{spent:.0f}" for spent in tenths(rules, count, per_second))
        print(f"  {per_second:>5,}/s: {told}")
    told = " ".join(f"{spent:.0f}" for spent in tenths(rules, count, 30, numbered=True))
    print(f"     30/s, numbered: {told}")
    told = " ".join(f"{spent:.0f}" for spent in tenths(rules, count // 10, 30, late=True))
    print(f"     30/s, every other one late, of {count // 10:,}: {told}")
    for size in (100, count):
        print(f"     in batches of {size:,}, stitch alone: {at_once(rules, count, size):.0f}")


if __name__ == "__main__":
    main()
