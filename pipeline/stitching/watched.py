"""What is kept of one touchpoint to watch it: its series, their minutes and what is usual.

A minute is kept as its totals until it is older than what is kept; then it becomes part of the
baseline. What the minutes mean is `evidence`'s work, what is said of it that of `alerts`.
"""

from bisect import insort
from collections.abc import Callable
from datetime import timedelta
from math import ceil, exp, log, log2
from typing import Final, Literal

import msgspec

from pipeline.stitching import evidence
from pipeline.stitching.baseline import Baseline, Cell, drawn, without
from pipeline.stitching.evidence import Standing, Weights, weights_of
from pipeline.stitching.leaks import Leak
from pipeline.stitching.minutes import Minute, Part, add_up, index_of
from pipeline.stitching.rules import Rules
from pipeline.stitching.votes import BLOCK, OVERALL
from schemas.controls import Presence
from schemas.records import AlertState, Votes

HOUR: Final = 60
"""Minutes."""

ALARM_LENGTH: Final = 24 * HOUR
"""Minutes of one alarm that are kept out of the baseline (P): what has been broken for longer, and
nobody mends, is what is usual there; else a touchpoint whose share was never known would fire for
ever."""

MARKED_EVERY: Final = 45
"""Minutes, at least, from one mark to the next (P): so many more are kept than have to be."""

WAITED_FOR: Final = 24 * HOUR
"""Minutes, at most, that are kept longer for partitions whose votes are behind (P): where a backlog
is read, or a worker was down."""

STEP: Final = 0.01
"""Of a usual share's logarithm, and of its drift (P): finer ones are not known, and what weighs the
same for many hours and series is worked out once."""

LONE: Final = 10
"""Minutes before the first mark that are kept one by one: runs and the present share see them."""

SAMPLED: Final = 10
"""Minutes, the newest of those that name touchpoints, whose names are kept (P): an alert names
three, the others are for when the newest are corrected. Names would be most of a state."""

SPANS_MAX: Final = 4
"""Spans under alarm that are remembered until their minutes have left what is kept."""

_MINUTE: Final = timedelta(minutes=1)


class Told(msgspec.Struct, array_like=True, gc=False):
    """What was published of an alert last.

    Attributes:
        fired: The minute in which it fired first.
        since: The minute since when it was broken.
        resolved: The minute in which it was resolved, -1 while it is not.
        customers: How many had met it.
        shared: What broke shares: see `variants`.
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
    shared: dict[str, str] = {}


Cast = dict[int, dict[int, tuple[int, int]]]
"""Votes and broken ones under one release or variant, by block of minutes and partition."""


class Series(msgspec.Struct, array_like=True, gc=False):
    """A touchpoint for one mission, or over all of them.

    Attributes:
        marks: How it stood at the end of some minutes, some time apart: where weighing begins
            anew when a minute is corrected. What came before the first is no longer kept.
        closed: How it stood at the end of the last minute that is believed to be complete.
        minutes: Those that are kept, and before them what the gate looks back on; sorted.
        baseline: What is usual.
        usual: By hour, the share, the drift and the votes a day that its minutes are weighed with:
            fixed when the hour begins, so that weighing them again gives the same.
        learning: The hour whose votes are being gathered for the baseline, and those votes.
        spans: Minutes under alarm, from and to, -1 for still.
        told: The last alert; None where there never was one.
        judged: The minute in which it was last looked at.
        stirs: Whether the next minute may decide something even without votes.
        variants: By release or variant.
        leak: What is kept to see a slow leak …
        leaking: … and the last ticket for one; None where there never was one.
        packed: The minutes while they are stored.
        sampled: Minutes that name touchpoints, sorted.
    """

    marks: list[Standing]
    closed: Standing
    baseline: Baseline
    minutes: list[Minute] = []
    usual: dict[int, tuple[float, float, float]] = {}
    learning: tuple[int, int, int] = (0, 0, 0)
    spans: list[tuple[int, int]] = []
    told: Told | None = None
    judged: int = 0
    stirs: bool = False
    variants: dict[str, Cast] = {}
    leak: Leak = msgspec.field(default_factory=Leak)
    leaking: Told | None = None
    packed: bytes = b""
    sampled: list[int] = []


class Watched(msgspec.Struct, array_like=True, gc=False):
    """What is kept of one touchpoint.

    Attributes:
        touchpoint: Its id in the inventory.
        now: The minute that event time has come to, since 1970, where it has come farthest.
        reached: Where it has come least far; -1 where nobody says so.
        speaks: From which minute on it says again that customers come.
        series: By mission, and `OVERALL`.
        faults: The alerts that fire at what it needs, by touchpoint.
        told: The alert that was told to those that need it; empty where none fires.
        presence: What was told of whether customers still come.
        look: The minute in which it may be silent, if no more come; 0 while there is none.
        channel: The share that is usual at the other touchpoints of its channel; 0 while unknown.
        sources: By which sources it is heard of, and when it was by each, to the hour.
    """

    touchpoint: str
    now: int = 0
    series: dict[str, Series] = {}
    faults: dict[str, str] = {}
    told: str = ""
    presence: Presence | None = None
    look: int = 0
    channel: float = 0.0
    sources: dict[str, int] = {}
    reached: int = -1
    speaks: int = 0


def begun(minute: int, rules: Rules) -> Series:
    """A series whose first vote is of this minute; others may come late."""
    before = minute - minutes_in(rules.alerts.kept) - 1
    hour = minute // HOUR
    return Series([Standing(before)], Standing(before), Baseline(Cell(hour), begun=hour))


def take(series: Series, minute: int, votes: Votes) -> bool:
    """Put a partition's totals in their place; tells whether to judge the series at once.

    Sound votes alone never break anything: they can wait, unless they may mend what is broken, or
    change what was believed to be complete.
    """
    if minute <= series.marks[0].at:
        return False
    if votes.variants or series.variants:
        _take_variants(series, minute, votes)
    minutes, partition = series.minutes, votes.partition
    index, known = len(minutes), None
    if minutes and minutes[-1].at >= minute:
        index = index_of(minutes, minute)
        known = minutes[index] if minutes[index].at == minute else None
    if not votes.broken and not votes.reasons and (known is None or known.parts == partition):
        # The most frequent by far: sound votes of one partition.
        if known is None:
            minutes.insert(index, Minute(minute, votes.votes, 0, 0, partition))
        elif known.votes == votes.votes:
            return False
        else:
            known.votes = votes.votes
        broke = False
    else:
        if known is None:
            known = Minute(minute, 0, 0, 0, {})
            minutes.insert(index, known)
        changed, broke = _take_part(known, votes)
        if votes.touchpoints:
            _forget_samples(series, minute)
        if not changed:
            return False
    if minute <= series.closed.at:
        marks = series.marks
        while len(marks) > 1 and marks[-1].at >= minute:
            marks.pop()
        series.closed = marks[-1].copy()  # to be weighed again from there on
        return True
    fires = series.told is not None and series.told.state == "firing"
    return series.stirs or broke or fires


def _take_part(one: Minute, votes: Votes) -> tuple[bool, bool]:
    """Put a partition's totals among those of others; whether any changed, and broken ones did."""
    if isinstance(one.parts, int):
        one.parts = {one.parts: Part(one.votes, 0, 0)}
    parts = one.parts
    assert parts is not None
    part = Part(votes.votes, votes.broken, votes.customers, votes.reasons, votes.touchpoints)
    before = parts.get(votes.partition)
    parts[votes.partition] = part
    if before is not None and _is_said(before, part):
        return False, False
    add_up(one)
    return True, part.broken != (0 if before is None else before.broken)


def _is_said(one: Part, other: Part) -> bool:
    """Whether two totals say the same; whom they name decides nothing."""
    return (
        one.votes == other.votes
        and one.broken == other.broken
        and one.customers == other.customers
        and one.reasons == other.reasons
    )


def _forget_samples(series: Series, minute: int) -> None:
    """Leave the names of the newest minutes that have any, now that this one has."""
    if minute not in series.sampled:
        insort(series.sampled, minute)
    if len(series.sampled) > SAMPLED:
        oldest = series.sampled.pop(0)
        one = series.minutes[index_of(series.minutes, oldest)]
        if one.at == oldest and isinstance(one.parts, dict):
            for part in one.parts.values():
                part.samples = ()


def _take_variants(series: Series, minute: int, votes: Votes) -> None:
    block, partition = minute // BLOCK * BLOCK, votes.partition
    known = series.variants
    for name, cast in votes.variants.items():
        try:
            known[name][block][partition] = cast
        except KeyError:
            known.setdefault(name, {}).setdefault(block, {})[partition] = cast
    if len(known) > len(votes.variants):
        for name, blocks in known.items():
            if name not in votes.variants and block in blocks:
                blocks[block].pop(partition, None)


def _forget_variants(series: Series, until: int) -> None:
    for name, blocks in list(series.variants.items()):
        for block in [block for block in blocks if block + BLOCK <= until]:
            del blocks[block]
        if not blocks:
            del series.variants[name]


def weights_at_of(
    state: Watched, series: Series, name: str, rules: Rules
) -> Callable[[int], Weights]:
    """What votes weigh, by minute: the usual share of each hour, fixed when it is first asked."""
    last, weighs = -1, weights_of(rules.alerts.usual_share, 0.0)

    def weights_at(minute: int) -> Weights:
        nonlocal last, weighs
        hour = minute // HOUR
        if hour == last:
            return weighs
        known = series.usual.get(hour)
        if known is None:
            usual = exp(_to_steps(log(_usual(state, name, hour, rules))))
            day = _rounded(series.baseline.votes_a_day())
            known = series.usual[hour] = (usual, _to_steps(series.baseline.sigma()), day)
        last, weighs = hour, weights_of(*known)
        return weighs

    return weights_at


def _to_steps(number: float) -> float:
    return round(number / STEP) * STEP


def _rounded(votes: float) -> float:
    """To a power of two, which is near enough, and weighs the same from hour to hour."""
    return 2.0 ** ceil(log2(votes)) if votes >= 1.0 else evidence.DAY_UNKNOWN


def _usual(state: Watched, name: str, hour: int, rules: Rules) -> float:
    """A mission is drawn towards its touchpoint's others, and these towards their channel's.

    A channel in which little breaks proves little of a touchpoint that nobody knows: one that only
    shows a page is no measure for one that takes money. So it never makes it believed to be better
    than any.
    """
    least, own = rules.alerts.usual_share_min, state.series[name].baseline
    parent, overall = max(state.channel, rules.alerts.usual_share), state.series.get(OVERALL)
    if name != OVERALL and overall is not None:
        parent = drawn(without(overall.baseline.whole, own.whole), parent)
    return own.usual(hour, parent, least)


def mark(series: Series) -> None:
    """Remember how it stood at the end of the last minute that is believed to be complete."""
    if series.closed.at >= series.marks[-1].at + MARKED_EVERY:
        series.marks.append(series.closed.copy())


def let_go(state: Watched, series: Series, rules: Rules) -> None:
    """Minutes that are older than what is kept become part of what is usual."""
    slowest = state.now if state.reached < 0 else max(state.reached, state.now - WAITED_FOR)
    until, marks = min(state.now, slowest) - minutes_in(rules.alerts.kept), series.marks
    if len(marks) < 2 or marks[1].at > until:
        return
    before = marks[0].at
    while len(marks) > 1 and marks[1].at <= until:
        del marks[0]
    until = marks[0].at
    minutes = series.minutes
    end = index_of(minutes, until + 1)
    alarms = [span for one in state.series.values() for span in one.spans]
    hour, votes, broken = series.learning
    for one in minutes[index_of(minutes, before + 1) : end]:
        one.parts = None
        if alarms and any(_is_under(one.at, span) for span in alarms):
            continue
        if one.at // HOUR != hour:
            series.learning = (hour, votes, broken)
            _learn(series)
            hour, votes, broken = one.at // HOUR, 0, 0
        votes += one.votes
        broken += one.broken
    series.learning = (hour, votes, broken)
    if until // HOUR > hour:
        _learn(series)
    # A little longer, for the other series of this touchpoint: they may be looked at later.
    longer = until - MARKED_EVERY - HOUR
    series.spans = [span for span in series.spans if span[1] < 0 or span[1] > longer]
    if series.variants:
        _forget_variants(series, until)
    for hour in [hour for hour in series.usual if hour < until // HOUR]:
        del series.usual[hour]
    _thin(minutes, end, until)


def _thin(minutes: list[Minute], end: int, until: int) -> None:
    """Of what is no longer kept, leave what the gate looks back on.

    It asks who broke within an hour or twenty votes: sound minutes in a row may as well be one.
    """
    reach, votes, looks_back = end, 0, until - evidence.GATE_MINUTES
    while reach and (minutes[reach - 1].at > looks_back or votes < evidence.GATE_VOTES):
        reach -= 1
        votes += minutes[reach].votes
    left: list[Minute] = []
    last, lone = None, until - LONE
    for one in minutes[reach:end]:
        if last is None or one.broken or last.broken or one.at > lone:
            left.append(one)
            last = one
        else:
            last.at, last.votes = one.at, last.votes + one.votes
    minutes[:end] = left


def _is_under(at: int, span: tuple[int, int]) -> bool:
    since, to = span
    return since <= at < since + ALARM_LENGTH and (to < 0 or at <= to)


def _learn(series: Series) -> None:
    hour, votes, broken = series.learning
    if votes:
        known = series.usual.get(hour)
        series.baseline.add(hour, votes, broken, 0.0 if known is None else known[0])
        series.leak.add(hour, votes, broken)
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
    return length // _MINUTE
