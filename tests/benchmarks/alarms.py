"""How soon a break is found, and how often an alarm is false, by simulation; and what it costs.

    python -m tests.benchmarks.alarms [--quick] [--volumes 300] [--usual 0.02] [--cost] [--silence]

The project's own detector on invented votes: the true share drifts, the usual one is known to 15 %
only, every broken customer tries again and again, all for the same hard reason. Prints one row of
Markdown for each volume and usual share; then how other rules fare on the same streams, counting
events, of which a broken customer causes three on average, as dashboards do.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import blake2b
from operator import attrgetter
from random import Random
from uuid import UUID

from pipeline.stitching import alerts, silence
from pipeline.stitching.baseline import Baseline, Cell
from pipeline.stitching.evidence import Detector, Standing, weights_of
from pipeline.stitching.minutes import Minute, wilson
from pipeline.stitching.rules import AlertRules
from pipeline.stitching.silence import horizon
from pipeline.stitching.tallies import SAMPLES_MAX
from pipeline.stitching.votes import BLOCK, OVERALL
from pipeline.stitching.watched import Series, Watched
from pipeline.topology import WATCH
from schemas.records import Votes
from tests.benchmarks.load.measuring import STARTS_AT, machine
from tests.benchmarks.load.votes import Stream, Sums, World, alarms, came_by, stream
from tests.builders import RULES

VOLUMES = (3, 30, 300, 3000)
USUAL = (0.005, 0.02, 0.08)
RULES_AT = ((30, 0.02), (30, 0.08), (300, 0.02), (300, 0.08))
BREAKS = (0.15, 0.3, 0.5, 0.9)
WEEK = 7 * 24 * 60
WARM_UP = 6 * 60
LONG_BREAK = 12 * 60
SHORT_BREAK = 2 * 60
SAME = 30
FEW = 300
"""Votes an hour up to which all the weeks that are asked for are simulated; beyond, a quarter."""
NUMBERS = AlertRules()
DRIFT = 0.25

Rule = Callable[[Stream], Iterator[bool]]


def ours(came: Stream) -> Iterator[bool]:
    """The project's detector."""
    return _detected(came.votes, came.broken, came.believed, came.per_hour)


def ours_on_events(came: Stream) -> Iterator[bool]:
    """The project's detector, counting events instead of votes."""
    counted = 3 * came.believed / (1 + 2 * came.believed)
    return _detected(came.events, came.broken_events, counted, came.per_hour)


def _detected(votes: list[int], broken: list[int], usual: float, per_hour: float) -> Iterator[bool]:
    weights = weights_of(usual, DRIFT, 24 * per_hour)
    detector = Detector(NUMBERS, lambda _: weights)
    standing, minutes = Standing(-1), list[Minute]()
    stirs = False
    for minute, (count, bad) in enumerate(zip(votes, broken, strict=True)):
        if count:
            minutes.append(Minute(minute, count, bad, bad, None, "http_5xx" if bad else "", bad))
        # As the stage does: sound votes alone never break anything, but they mend.
        if bad or stirs or (count and standing.firing):
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
        wrong = false_alarms(ours, world, weeks if world.per_hour <= FEW else max(1, weeks // 4))
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


def silence_table(volumes: list[float], weeks: int, breaks: int) -> None:
    """One row a volume: the window, false alarms, minutes to notice that all or 95 % are gone."""
    _row(["votes/h", "window, min", "false alarms", "all gone", "95 % gone"])
    _row(["---"] * 5)
    for per_hour in volumes:
        chance = Random(f"silence {per_hour}")
        wrong = sum(_quiet(per_hour, WEEK, chance, 1.0)[0] for _ in range(weeks))
        waits = [
            sorted(_quiet(per_hour, WEEK // 2, chance, left)[1] for _ in range(breaks))
            for left in (0.0, 0.05)
        ]
        looked = horizon(_known(per_hour), KNOWN_DAYS * 1440)
        window = "-" if looked is None else f"{looked.minutes}"
        _row([f"{per_hour:g}", window, f"{wrong / weeks:.4f}", *(said(w, breaks) for w in waits)])


KNOWN_DAYS = 28


def _known(per_hour: float) -> Baseline:
    """A touchpoint that has had so many votes every hour for four weeks, known to drift."""
    known = Baseline(Cell(0))
    for hour in range(KNOWN_DAYS * 24):
        known.add(hour, round(per_hour), 0, 0.0)
    known.traffic = Cell(0)  # the drift that is believed in to begin with, not none
    return known


def _quiet(per_hour: float, until: int, chance: Random, left: float) -> tuple[int, float]:
    """Minute by minute as a touchpoint judges itself: false alarms until a time, then the wait.

    From then on only a share is left of the votes; all of it, and only the false alarms count.
    """
    known = _known(per_hour)
    state = Watched("pay-online", series={OVERALL: Series([Standing(0)], Standing(0), known)})
    series, begin = state.series[OVERALL], KNOWN_DAYS * 1440
    end = until if left == 1.0 else until + 2 * 1440
    wrong = heard = 0
    for minute, votes in enumerate(came_by(per_hour, end, chance, until, left), begin):
        state.now = minute
        if minute % 60 == 0 and heard:
            known.add(minute // 60 - 1, heard, 0, 0.0)
            heard = 0
        heard += votes
        if state.look and minute > state.look:
            silent = bool(silence.look(state)) and state.presence.silent >= 0
            if silent and minute - begin >= until:
                return wrong, float(minute - begin - until + 1)
            wrong += silent
        if votes:
            series.minutes.append(Minute(minute, votes, 0, 0))
            if minute >= state.speaks:
                silence.heard(state, series, minute, RULES)
            del series.minutes[:-SILENCE_KEEPS]
    return wrong, float("inf")


SILENCE_KEEPS = 60


def cost(series: int) -> None:
    """CPU seconds of a day of minutes for 10,000 series, and the bytes of one after two weeks."""
    came = [stream(World(300, 0.02), 1440, Random(f"cost {n}")) for n in range(series)]
    started = time.process_time()
    for one in came:
        for _ in ours(one):
            pass
    alone = (time.process_time() - started) * 10_000 / series
    heard = [_heard(one, 0) for one in came]
    started = time.process_time()
    for records in heard:
        _through_the_stage(records)
    whole = (time.process_time() - started) * 10_000 / series
    print(f"10,000 series x 1,440 minutes, 300 votes/h: {alone:.0f} CPU s in the detector")
    print(f"the same through the stage, one record a minute: {whole:.0f} CPU s (60)")
    for world in (World(30, 0.02), World(300, 0.02), World(300, 0.08), World(3000, 0.02)):
        for partitions in (1, 4):
            print(f"a series' state as stored, after two weeks of {world.per_hour:.0f} votes/h, "
                  f"{world.usual:.0%} broken, of {partitions} partitions: "
                  f"{_stored(world, partitions):,} bytes (4,096)")  # fmt: skip


def _stored(world: World, partitions: int) -> int:
    """Bytes of a series' state, all that broke named by ids as long as UUIDs."""
    split, heard = World(world.per_hour / partitions, world.usual), list[Votes]()
    for day in range(14):
        for number in range(partitions):
            came = stream(split, 1440, Random(f"size {day} {number}"))
            heard += _heard(came, day, number)
    state = _through_the_stage(sorted(heard, key=attrgetter("at")))
    return len(WATCH.encode(state))


def _heard(came: Stream, day: int, partition: int = 0) -> list[Votes]:
    """A day's votes as records, one a minute, under one release; what broke has ids like UUIDs."""
    began = STARTS_AT.replace(second=0, microsecond=0) + timedelta(days=day)
    records, block, cast = [], -1, (0, 0)
    for minute, (votes, broken) in enumerate(zip(came.votes, came.broken, strict=True)):
        cast = (0, 0) if minute // BLOCK != block else cast
        block, cast = minute // BLOCK, (cast[0] + votes, cast[1] + broken)
        at = began + timedelta(minutes=minute)
        if not votes:
            continue
        records.append(
            Votes(
                touchpoint="pay-online",
                mission=None,
                minute=at,
                partition=partition,
                votes=votes,
                broken=broken,
                customers=broken,
                at=at,
                variants={"release=5.2.0": cast},
                reasons={"http_5xx": broken} if broken else {},
                sources=("shop",),
                touchpoints=tuple(_uuid(minute, n) for n in range(min(broken, SAMPLES_MAX))),
            )
        )
    return records


def _uuid(*of: int) -> str:
    return str(UUID(bytes=blake2b(repr(of).encode(), digest_size=16).digest()))


def _through_the_stage(records: list[Votes]) -> Watched:
    state = Watched("pay-online")
    for one in records:
        state = alerts.observe(state, [one], RULES, one.at).state
    return state


def _row(cells: list[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--volumes", type=float, nargs="+", default=VOLUMES, help="votes an hour")
    parser.add_argument("--usual", type=float, nargs="+", default=USUAL, help="usual shares")
    parser.add_argument("--weeks", type=int, default=400, help="touchpoint-weeks without a break")
    parser.add_argument("--breaks", type=int, default=200, help="breaks of each kind")
    parser.add_argument("--silence", action="store_true", help="touchpoints that go quiet instead")
    parser.add_argument("--cost", action="store_true", help="CPU and bytes instead")
    asked = parser.parse_args()
    weeks, breaks = (40, 40) if asked.quick else (asked.weeks, asked.breaks)
    worlds = [World(volume, usual) for volume in asked.volumes for usual in asked.usual]
    print(machine())
    started = time.process_time()
    if asked.cost:
        cost(20 if asked.quick else 100)
    elif asked.silence:
        silence_table(asked.volumes, weeks, breaks)
    else:
        table(worlds, weeks, breaks)
        compared = [one for one in worlds if (one.per_hour, one.usual) in RULES_AT]
        if compared:
            print()
            rules_table(compared, max(1, weeks // 4), breaks // 2)
    print(f"{time.process_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
