"""Norms, measured: how long steps and menus usually take, from a log of the past.

The log is replayed under the catalogue with its verdicts telling what they would be compared by,
so that what is measured is by definition what the rules compare.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from typing import Final, NamedTuple

import msgspec

from pipeline.catalogue.norms import MenuTable, StepTable
from pipeline.runtimes.memory import in_memory
from pipeline.stitching.norms import SEEN_MIN, Norms
from pipeline.stitching.rules import Rules
from pipeline.stitching.verdicts import MEASURED
from schemas.records import Touchpoint, Verdict
from schemas.topics import VERDICTS

BEST: Final = 0.25
"""The share that is the best quarter."""

LONG: Final = 0.95
"""The share of calls that reach a menu in no more than the norm."""

DIGITS: Final = 2
"""Digits after the point that a norm is written with, as effort is."""


class Measured(NamedTuple):
    """What a log shows.

    Attributes:
        steps: Sorted by mission and touchpoint.
        menus: Sorted by node.
        few: How many steps and menus were seen, but too seldom to say anything.
    """

    steps: list[StepTable]
    menus: list[MenuTable]
    few: int


def measure(touchpoints: Iterable[Touchpoint], rules: Rules) -> Measured:
    """Replay a log and take its percentiles; what is seen fewer than `SEEN_MIN` times is left out.

    Args:
        touchpoints: In order of arrival.
        rules: Of the catalogue whose steps are measured; its own norms do not count.

    Holds a few numbers for every step that was reached and every menu that was visited.
    """
    times: dict[tuple[str, str], list[float]] = {}
    efforts: dict[tuple[str, str], list[float]] = {}
    nodes: dict[str, list[float]] = {}
    for verdict in _final_verdicts(touchpoints, rules):
        told = {reason.rule: reason.value for reason in verdict.reasons}
        seconds, effort, node = (told.get(rule) for rule in MEASURED)
        if isinstance(node, str):
            name, _, took = node.rpartition(" ")
            nodes.setdefault(name, []).append(float(took))
        if isinstance(seconds, float) and isinstance(effort, float) and verdict.mission:
            step = (verdict.mission, verdict.touchpoint)
            times.setdefault(step, []).append(seconds)
            efforts.setdefault(step, []).append(effort)
    steps = [
        StepTable(
            touchpoint=touchpoint,
            mission=mission,
            seen=len(seen),
            time_best=round(percentile(seen, BEST), DIGITS),
            effort_best=round(
                -percentile([-e for e in efforts[mission, touchpoint]], BEST), DIGITS
            ),
        )
        for (mission, touchpoint), seen in sorted(times.items())
        if len(seen) >= SEEN_MIN
    ]
    menus = [
        MenuTable(node=name, seen=len(seen), time_p95=round(percentile(seen, LONG), DIGITS))
        for name, seen in sorted(nodes.items())
        if len(seen) >= SEEN_MIN and percentile(seen, LONG) > 0  # else calls begin there
    ]
    few = sum(len(seen) < SEEN_MIN for seen in (*times.values(), *nodes.values()))
    return Measured(steps, menus, few)


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that this share of them does not exceed (nearest rank)."""
    return sorted(values)[ceil(share * len(values)) - 1]


def _final_verdicts(touchpoints: Iterable[Touchpoint], rules: Rules) -> Iterator[Verdict]:
    measuring = msgspec.structs.replace(
        rules, norms=Norms(measuring=True), fingerprint=f"{rules.fingerprint} measuring"
    )
    engine = in_memory(measuring, watching=False)
    latest: dict[str, Verdict] = {}

    def drain() -> None:
        for message in engine.outbox:
            if message.topic == VERDICTS and isinstance(message.record, Verdict):
                latest[message.record.ref] = message.record
        engine.outbox.clear()

    for touchpoint in touchpoints:
        engine.process(touchpoint)
        drain()
    engine.close()
    drain()
    yield from latest.values()
