"""The order of one customer's interactions: by time, and within a session by the emitter's numbers.

An emitter that numbers what it sends knows the order better than its clock does: several things
happen in one millisecond, clocks are set back, and a correction of the clock may differ from one
delivery to the next. But numbers of different emitters, or none, cannot be compared. So a number
orders only what shares channel, source and session id, and it does so by dealing out: the times of
these interactions stay, as a set, and the first number gets the first time, the next the next.
Everything then has one time by which all of it can be sorted, and so does what has no number.

Where some of those that share out their times are let go of, the times of the others stand: from
then on these are dealt out among them. Whichever time it has, each knows its emitter's own.

Source of the rule: Snowplow's event index; of the need, mozilla/fxa issue 3446, where events of
Android came in a wrong order.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from pipeline.stitching.rules import Rules
from pipeline.stitching.sessions import rule_of
from schemas.controls import Interaction

UNNUMBERED: Final = -1
"""The `sequence` of an interaction that has none."""

Key = tuple[str, str, str | None]
"""Channel, source and session id: what shares them is numbered by one emitter."""


def order_of(one: Interaction) -> tuple[datetime, int, str, str]:
    """What interactions are sorted by: time, then number, then id, then source."""
    return (one.at, one.sequence, one.id, one.source)


def clock_of(one: Interaction) -> datetime:
    """The time that the emitter itself gave it."""
    return one.at if one.clock is None else one.clock


def in_order(interactions: Iterable[Interaction], rules: Rules) -> list[Interaction]:
    """A customer's interactions, sorted, their times dealt out by their numbers.

    A function of the set: whatever was dealt out among it before is taken back first.
    """
    ones = list(interactions)
    numbered = [one for one in ones if one.sequence >= 0]
    if numbered:
        _deal(numbered, rules)
    return sorted(ones, key=order_of)


def follow(tail: Sequence[Interaction], ones: Sequence[Interaction], rules: Rules) -> bool:
    """Whether what is later than a tail is so by its numbers, too, so that times stay as they are.

    Args:
        tail: In order, so that the last of a session has its highest number.
        ones: Sorted by the emitters' own clocks.
        rules: Which tell how long an id stands for one session.

    At times false without need, where an id begins to number anew after its longest duration.
    """
    lasts: dict[Key, Interaction] = {}
    for one in ones:
        if one.sequence < 0:
            continue
        key = _key_of(one)
        last = lasts.get(key) or _last_of(key, tail)
        lasts[key] = one
        if last is None or one.sequence >= last.sequence:
            continue
        if not _apart(last.at, last.at, one, rules):
            return False
    return True


def _last_of(key: Key, tail: Sequence[Interaction]) -> Interaction | None:
    for one in reversed(tail):
        if one.sequence >= 0 and _key_of(one) == key:
            return one
    return None


def own_clock(one: Interaction) -> None:
    """Take back what was dealt out, perhaps among another customer's."""
    one.at, one.clock, one.dealt = clock_of(one), None, None


def let_stand(tail: Sequence[Interaction], count: int, rules: Rules) -> None:
    """The first so many are let go of: the times dealt out among these and others stand."""
    gone = {one.ref for one in tail[:count]}
    for run in _runs((one for one in tail if one.sequence >= 0), rules):
        if run[0].ref in gone:
            for one in run:
                one.dealt = one.at


def _key_of(one: Interaction) -> Key:
    return (one.channel, one.source, one.hint)


def _deal(numbered: list[Interaction], rules: Rules) -> None:
    for one in numbered:
        _set(one, clock_of(one) if one.dealt is None else one.dealt)
    numbered.sort(key=order_of)
    for run in _runs(numbered, rules):
        times = [one.at for one in run]
        for one, at in zip(sorted(run, key=lambda one: one.sequence), times, strict=True):
            _set(one, at)


def _set(one: Interaction, at: datetime) -> None:
    own = clock_of(one)
    one.at, one.clock = at, None if at == own else own


def _runs(numbered: Iterable[Interaction], rules: Rules) -> list[list[Interaction]]:
    """What shares out its times, sorted as it comes in. Dealing them out changes no run."""
    runs: list[list[Interaction]] = []
    latest: dict[Key, list[Interaction]] = {}
    for one in numbered:
        key = _key_of(one)
        run = latest.get(key)
        if run is None or _apart(run[0].at, run[-1].at, one, rules):
            run = latest[key] = []
            runs.append(run)
        run.append(one)
    return runs


def _apart(first: datetime, last: datetime, one: Interaction, rules: Rules) -> bool:
    """Whether the id stands for another session by then, whose numbers begin anew."""
    rule = rule_of(one.channel, one.source, rules)
    if one.at - first > rule.length_max:
        return True
    return rule.hint == "split" and one.at - last > rule.gap
