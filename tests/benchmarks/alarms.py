"""How soon a break is found, and how often an alarm is false, by simulation; and what it costs.

    python -m tests.benchmarks.alarms [--quick] [--volumes 300] [--usual 0.02] [--rules] [--cost]

The project's own detector on invented votes: the true share drifts, the usual one is known to 15 %
only. With `--rules` other rules see the same streams: they count events, of which a broken
customer causes three on average, as dashboards do. Prints rows of Markdown; the targets are those
of 300 votes an hour at 2 %.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random

from pipeline.stitching import alerts
from pipeline.stitching.evidence import Detector, Minute, Standing, weights_of, wilson
from pipeline.stitching.rules import AlertRules
from pipeline.stitching.watched import Watched
from pipeline.topology import WATCH
from schemas.records import Votes
from tests.benchmarks.load.measuring import STARTS_AT, machine
from tests.benchmarks.load.votes import Stream, Sums, World, alarms, stream
from tests.builders import RULES

BREAKS = (0.15, 0.3, 0.5, 0.9)
WEEK = 7 * 24 * 60
WARM_UP = 6 * 60
LONG_BREAK = 12 * 60
SHORT_BREAK = 2 * 60
SAME = 30
NUMBERS = AlertRules()
DRIFT = 0.25

Rule = Callable[[Stream], Iterator[bool]]


def ours(came: Stream) -> Iterator[bool]:
    """The project's detector."""
    return _detected(came.votes, came.broken, came.believed)


def ours_on_events(came: Stream) -> Iterator[bool]:
    """The project's detector, counting events instead of votes."""
    counted = 3 * came.believed / (1 + 2 * came.believed)
    return _detected(came.events, came.broken_events, counted)


def _detected(votes: list[int], broken: list[int], usual: float) -> Iterator[bool]:
    weights = weights_of(usual, DRIFT)
    detector = Detector(NUMBERS, lambda _: weights)
    standing, minutes = Standing(-1), list[Minute]()
    stirs = False
    for minute, (count, bad) in enumerate(zip(votes, broken, strict=True)):
        if count:
            minutes.append(Minute(minute, count, bad, bad))
        if bad or stirs:  # as the stage does: sound votes alone never break anything
            detector.advance(standing, minutes, minute)
            stirs = detector.stirs(standing, minutes)
        yield standing.firing


def _by_events(sees: Callable[[Sums, int, float], bool]) -> Rule:
    def rule(came: Stream) -> Iterator[bool]:
        sums = Sums(came.events, came.broken_events)
        usual = 3 * came.believed / (1 + 2 * came.believed)
        return (sees(sums, minute, usual) for minute in range(len(came.events)))

    return rule


def _burns(sums: Sums, minute: int, usual: float) -> bool:
    fast = min(sums.share(minute, 60), sums.share(minute, 5)) > 14.4 * usual
    return fast or min(sums.share(minute, 360), sums.share(minute, 30)) > 6 * usual


def _wilson(sums: Sums, minute: int, usual: float) -> bool:
    least = wilson(*sums.last(minute, 60), 3.09)
    return least > 2 * usual and sums.share(minute, 5) > 2 * usual


OTHERS: dict[str, Rule] = {
    "ours": ours,
    "ours, counting events": ours_on_events,
    "5-minute share > 3 times usual": _by_events(
        lambda sums, minute, usual: sums.share(minute, 5) > 3 * usual
    ),
    "the same, at least 20 events": _by_events(
        lambda sums, minute, usual: (
            sums.last(minute, 5)[0] >= 20 and sums.share(minute, 5) > 3 * usual
        )
    ),
    "SRE burn rates, budget the usual share": _by_events(_burns),
    "Wilson 3.09, 1 h and 5 min > 2 times usual": _by_events(_wilson),
}


def false_alarms(rule: Rule, world: World, weeks: int) -> float:
    """False alarms of a touchpoint in a week."""
    count = 0
    for number in range(weeks):
        came = stream(world, WARM_UP + WEEK, Random(f"calm {world} {number}"))
        count += alarms(rule(came), WARM_UP, SAME)
    return count / weeks


def found_after(rule: Rule, world: World, share: float, breaks: int) -> list[float]:
    """Minutes from each break to its alarm, sorted; infinite where 12 hours are not enough."""
    waits = []
    for number in range(breaks):
        during = range(WARM_UP, WARM_UP + LONG_BREAK)
        came = stream(world, during.stop, Random(f"break {world} {share} {number}"), share, during)
        seen = (at for at, fires in enumerate(rule(came)) if fires and at >= WARM_UP)
        waits.append(next(seen, float("inf")) + 1 - WARM_UP)
    return sorted(waits)


def resolved_after(world: World, share: float, breaks: int) -> list[float]:
    """Minutes from the end of each two-hour break until its alarm resolves, sorted."""
    waits = []
    for number in range(breaks):
        during = range(WARM_UP, WARM_UP + SHORT_BREAK)
        chance = Random(f"mended {world} {share} {number}")
        came = stream(world, during.stop + 24 * 60, chance, share, during)
        fires = list(ours(came))
        if fires[during.stop - 1]:
            after = (at for at, still in enumerate(fires[during.stop :]) if not still)
            waits.append(float(next(after, float("inf"))))
    return sorted(waits)


def said(waits: list[float], of: int) -> str:
    """Median and 90th percentile, and the share that was found where that is not all."""
    if len(waits) < 10:
        return "-"
    found = sum(wait != float("inf") for wait in waits) / of
    two = [waits[min(len(waits) - 1, int(part * len(waits)))] for part in (0.5, 0.9)]
    text = " / ".join("-" if wait == float("inf") else f"{wait:.0f}" for wait in two)
    return text if round(found, 2) == 1 else f"{text} ({found:.0%})"


def table(worlds: list[World], weeks: int, breaks: int) -> None:
    """One row a world: false alarms, minutes to find each break, minutes to resolve."""
    shares = [f"{share:.0%}" for share in BREAKS]
    head = ["votes/h", "usual", "false alarms", *shares, *(f"resolve {s}" for s in shares[1:])]
    _row(head)
    _row(["---"] * len(head))
    for world in worlds:
        wrong = false_alarms(ours, world, weeks)
        waits = [said(found_after(ours, world, share, breaks), breaks) for share in BREAKS]
        mended = [resolved_after(world, share, breaks) for share in BREAKS[1:]]
        ends = [said(minutes, len(minutes)) for minutes in mended]
        _row([f"{world.per_hour:g}", f"{world.usual:.1%}", f"{wrong:.4f}", *waits, *ends])


def rules_table(worlds: list[World], weeks: int, breaks: int) -> None:
    """One row a rule, on the same streams: false alarms, median minutes at 30 % and at 90 %."""
    _row(["rule", *(f"{world.per_hour:g}/h, {world.usual:.0%}" for world in worlds)])
    _row(["---"] * (len(worlds) + 1))
    for name, rule in OTHERS.items():
        cells = []
        for world in worlds:
            waits = [
                said(found_after(rule, world, share, breaks), breaks).partition(" /")[0]
                for share in (0.3, 0.9)
            ]
            cells.append(f"{false_alarms(rule, world, weeks):.3f}: {'; '.join(waits)}")
        _row([name, *cells])


def cost(series: int) -> None:
    """CPU seconds of a day of minutes for 10,000 series, and the bytes of one."""
    came = [stream(World(300, 0.02), 1440, Random(f"cost {n}")) for n in range(series)]
    started = time.process_time()
    for one in came:
        for _ in ours(one):
            pass
    alone = (time.process_time() - started) * 10_000 / series
    began = STARTS_AT.replace(second=0, microsecond=0)
    sizes = []
    started = time.process_time()
    for one in came:
        state = Watched("pay-online")
        for minute, (votes, broken) in enumerate(zip(one.votes, one.broken, strict=True)):
            at = began + timedelta(minutes=minute)
            heard = Votes(touchpoint="pay-online", mission=None, minute=at, partition=0,
                          votes=votes, broken=broken, customers=broken, at=at)  # fmt: skip
            state = alerts.observe(state, [heard], RULES).state
        sizes.append(len(WATCH.encode(state)))
    whole = (time.process_time() - started) * 10_000 / series
    print(f"10,000 series x 1,440 minutes, 300 votes/h: {alone:.0f} CPU s in the detector (60)")
    print(f"the same through the stage, one record a minute: {whole:.0f} CPU s")
    print(f"a series' state as stored: {max(sizes):,} bytes at most (4,096)")


def _row(cells: list[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--volumes", type=float, nargs="+", default=[300], help="votes an hour")
    parser.add_argument("--usual", type=float, nargs="+", default=[0.02], help="usual shares")
    parser.add_argument("--weeks", type=int, default=400, help="touchpoint-weeks without a break")
    parser.add_argument("--breaks", type=int, default=200, help="breaks of each kind")
    parser.add_argument("--rules", action="store_true", help="other rules on the same streams")
    parser.add_argument("--cost", action="store_true", help="CPU and bytes instead")
    asked = parser.parse_args()
    weeks, breaks = (40, 40) if asked.quick else (asked.weeks, asked.breaks)
    worlds = [World(volume, usual) for volume in asked.volumes for usual in asked.usual]
    print(machine())
    started = time.process_time()
    if asked.cost:
        cost(20 if asked.quick else 100)
    elif asked.rules:
        rules_table(worlds, weeks, breaks)
    else:
        table(worlds, weeks, breaks)
    print(f"{time.process_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
