"""What is kept of one touchpoint to watch it: its series, their minutes and what is usual.

A minute is kept as its totals until it is older than what is kept; then it becomes part of the
baseline. What the minutes mean is `evidence`'s work, what is said of it that of `alerts`.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, Literal

import msgspec

from pipeline.stitching import evidence
from pipeline.stitching.baseline import Baseline, Cell
from pipeline.stitching.evidence import Detector, Minute, Part, Standing, Weights, weights_of
from pipeline.stitching.rules import Rules
from pipeline.stitching.votes import OVERALL
from schemas.records import AlertState, Votes

HOUR: Final = 60
"""Minutes."""

ALARM_LENGTH: Final = 24 * HOUR
"""Minutes of one alarm that are kept out of the baseline (P): what has been broken for longer, and
nobody mends, is what is usual there; else a touchpoint whose share was never known would fire for
ever."""

SPANS_MAX: Final = 4
"""Spans under alarm that are remembered until their minutes have left what is kept."""


class Told(msgspec.Struct, array_like=True, gc=False):
    """What was published of an alert last.

    Attributes:
        fired: The minute in which it fired first.
        since: The minute since when it was broken.
        resolved: The minute in which it was resolved, -1 while it is not.
        customers: How many had met it.
    """

    id: str
    version: int
    state: AlertState
    severity: Literal["page", "ticket"]
    fired: int
    since: int
    within: str | None = None
    flaps: int = 0
    resolved: int = -1
    customers: int = 0


class Series(msgspec.Struct, array_like=True, gc=False):
    """A touchpoint for one mission, or over all of them.

    Attributes:
        passed: How it stood at the end of the last minute that is no longer kept.
        closed: How it stood at the end of the last minute that is believed to be complete.
        minutes: Those that are kept, and before them what the gate looks back on; sorted.
        baseline: What is usual.
        usual: By hour, the share and drift that its minutes are weighed with: fixed when the hour
            begins, so that weighing them again gives the same.
        learning: The hour whose votes are being gathered for the baseline, and those votes.
        spans: Minutes under alarm, from and to, -1 for still.
        told: The last alert; None where there never was one.
        judged: The minute in which it was last looked at.
        stirs: Whether the next minute may decide something even without votes.
    """

    passed: Standing
    closed: Standing
    baseline: Baseline
    minutes: list[Minute] = []
    usual: dict[int, tuple[float, float]] = {}
    learning: tuple[int, int, int] = (0, 0, 0)
    spans: list[tuple[int, int]] = []
    told: Told | None = None
    judged: int = 0
    stirs: bool = False


class Watched(msgspec.Struct, array_like=True, gc=False):
    """What is kept of one touchpoint.

    Attributes:
        touchpoint: Its id in the inventory.
        now: The minute that event time has come to, since 1970.
        series: By mission, and `OVERALL`.
    """

    touchpoint: str
    now: int = 0
    series: dict[str, Series] = {}


def begun(minute: int, rules: Rules) -> Series:
    """A series whose first vote is of this minute; others may come late."""
    before = minute - minutes_in(rules.alerts.kept) - 1
    return Series(Standing(before), Standing(before), Baseline(Cell(minute // HOUR)))


def take(series: Series, minute: int, votes: Votes) -> bool:
    """Put a partition's totals in their place; tells whether to judge the series at once.

    Sound votes alone never break anything: they can wait, unless they may mend what is broken, or
    change what was believed to be complete.
    """
    if minute <= series.passed.at:
        return False
    part = Part(votes.votes, votes.broken, votes.customers, votes.reasons, votes.touchpoints)
    minutes = series.minutes
    index = evidence.index_of(minutes, minute)
    if index == len(minutes) or minutes[index].at != minute:
        minutes.insert(index, Minute(minute, 0, 0, 0, {}))
    parts = minutes[index].parts
    assert parts is not None
    before = parts.get(votes.partition)
    if before == part:
        return False
    parts[votes.partition] = part
    minutes[index] = Minute(
        minute,
        sum(one.votes for one in parts.values()),
        sum(one.broken for one in parts.values()),
        sum(one.customers for one in parts.values()),
        parts,
    )
    if minute <= series.closed.at:
        series.closed = series.passed.copy()  # to be weighed again, all of it
        return True
    return series.stirs or part.broken != (0 if before is None else before.broken)


def weights_at_of(
    state: Watched, series: Series, name: str, rules: Rules
) -> Callable[[int], Weights]:
    """What votes weigh, by minute: the usual share of each hour, fixed when it is first asked."""

    def weights_at(minute: int) -> Weights:
        hour = minute // HOUR
        known = series.usual.get(hour)
        if known is None:
            usual = _usual(state, name, hour, rules)
            known = series.usual[hour] = (usual, series.baseline.sigma())
        return weights_of(*known)

    return weights_at


def _usual(state: Watched, name: str, hour: int, rules: Rules) -> float:
    """A mission is drawn towards its touchpoint, and that towards what any touchpoint is like."""
    numbers = rules.alerts
    parent, overall = numbers.usual_share, state.series.get(OVERALL)
    if name != OVERALL and overall is not None:
        parent = overall.baseline.usual(hour, parent, numbers.usual_share_min)
    return state.series[name].baseline.usual(hour, parent, numbers.usual_share_min)


def let_go(state: Watched, name: str, series: Series, rules: Rules) -> None:
    """Minutes that are older than what is kept become part of what is usual."""
    until = state.now - minutes_in(rules.alerts.kept)
    if until <= series.passed.at:
        return
    minutes = series.minutes
    start = evidence.index_of(minutes, series.passed.at + 1)
    end = evidence.index_of(minutes, until + 1)
    detector = Detector(rules.alerts, weights_at_of(state, series, name, rules))
    detector.advance(series.passed, minutes, until)
    alarms = [span for one in state.series.values() for span in one.spans]
    for one in minutes[start:end]:
        one.parts = None
        if any(_is_under(one.at, span) for span in alarms):
            continue
        hour, votes, broken = series.learning
        if one.at // HOUR != hour:
            _learn(series)
            hour, votes, broken = one.at // HOUR, 0, 0
        series.learning = (hour, votes + one.votes, broken + one.broken)
    if until // HOUR > series.learning[0]:
        _learn(series)
    # A little longer, for the other series of this touchpoint: they may be looked at later.
    series.spans = [span for span in series.spans if span[1] < 0 or span[1] > until - HOUR]
    for hour in [hour for hour in series.usual if hour < until // HOUR]:
        del series.usual[hour]
    reach, votes, looks_back = end, 0, until - evidence.GATE_MINUTES
    while reach and (minutes[reach - 1].at > looks_back or votes < evidence.GATE_VOTES):
        reach -= 1
        votes += minutes[reach].votes
    del minutes[:reach]


def _is_under(at: int, span: tuple[int, int]) -> bool:
    since, to = span
    return since <= at < since + ALARM_LENGTH and (to < 0 or at <= to)


def _learn(series: Series) -> None:
    hour, votes, broken = series.learning
    if votes:
        usual, _ = series.usual.get(hour, (0.0, 0.0))
        series.baseline.add(hour, votes, broken, usual)
    series.learning = (hour, 0, 0)


def usual_now(series: Series, now: int) -> float:
    """The share that is usual at this hour, as far as one is known."""
    hours = [hour for hour in series.usual if hour <= now // HOUR]
    return series.usual[max(hours)][0] if hours else 0.0


def end_span(series: Series, at: int) -> None:
    """The alarm ended in this minute."""
    if series.spans and series.spans[-1][1] < 0:
        series.spans[-1] = (series.spans[-1][0], at)


def minutes_in(length: timedelta) -> int:
    """A duration in whole minutes."""
    return length // timedelta(minutes=1)
