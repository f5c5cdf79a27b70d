"""What each touchpoint is to its missions: what passes, how it goes, what it costs.

A journey passes through a touchpoint when the touchpoint is on its path, and it broke there when
any interaction there was judged broken. All comparisons are within one mission: the same
touchpoint may be excellent for one and hopeless for another.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pipeline.reporting.inference import (
    Difference,
    Rate,
    certain_among,
    chance_of_less,
    difference,
    rate,
)
from pipeline.reporting.report import AtMission, AtTouchpoint, Cost, Counted, Money
from pipeline.reporting.results import Journey, Results, when_of
from pipeline.stitching.inventory import OTHER, Entry
from pipeline.stitching.rules import Rules
from schemas.records import Counts, Verdict

BROKEN_JOURNEYS_MIN: Final = 30
"""Broken journeys from which on a cost is estimated: below, its interval says nothing (P)."""

COMPARED_MIN: Final = 5
"""Broken journeys from which on a drop is compared at all: of fewer nothing is called certain,
whatever the arithmetic says (P)."""

SYSTEM_ERRORS: Final = frozenset({"http_5xx", "http_4xx", "timeout", "crash", "not_responding"})
"""Signs that the company's own systems report; all others are the customer's side. A touchpoint
without any of these was logged as fine."""

LEAKAGE: Final = frozenset({"leaked_to_call", "came_back", "called_again"})
"""Rules by which a later contact blames an earlier one."""

LEFT: Final = "left"
"""Where a customer went who went nowhere else."""

NAMED_MAX: Final = 5
"""Reasons, and ways out, that are named one by one."""


def touchpoints_of(results: Results, rules: Rules) -> tuple[AtTouchpoint, ...]:
    """Every touchpoint that somebody met, those with most value passing through first."""
    passing: dict[tuple[str, str], list[Journey]] = {}
    for journey in results.journeys:
        for touchpoint in dict.fromkeys(journey.path):
            passing.setdefault((touchpoint, journey.outcome.mission), []).append(journey)
    pairs = [
        _at_mission(touchpoint, mission, journeys, rules)
        for (touchpoint, mission), journeys in sorted(passing.items())
    ]
    comparable = [one for one in pairs if one.drop is not None and one.broken.part >= COMPARED_MIN]
    chances = [chance_of_less(one.when_broken, one.when_sound) for one in comparable]
    certain = {
        id(one) for one, holds in zip(comparable, certain_among(chances), strict=True) if holds
    }
    by_touchpoint: dict[str, list[AtMission]] = {}
    for (touchpoint, _), one in zip(sorted(passing), pairs, strict=True):
        held = msgspec.structs.replace(one, certain=id(one) in certain)
        by_touchpoint.setdefault(touchpoint, []).append(held)
    met: dict[str, list[Verdict]] = {}
    for verdict in results.verdicts():
        met.setdefault(verdict.touchpoint, []).append(verdict)
    found = [
        _at_touchpoint(name, by_touchpoint.get(name, []), met.get(name, []), rules)
        for name in {**met, **by_touchpoint}
    ]
    found.sort(key=lambda one: (-_amount(one.value), -one.journeys, one.touchpoint))
    return tuple(found)


def dearest(touchpoints: Iterable[AtTouchpoint], *, by_value: bool) -> tuple[str, ...]:
    """The touchpoints that cost missions, the dearest first.

    Args:
        touchpoints: Any.
        by_value: Whether the value lost can be compared; else missions are.
    """
    costly = [one for one in touchpoints if one.lost]
    costly.sort(
        key=lambda one: (
            -_amount(one.value_lost) if by_value else 0.0,
            -one.lost,
            not one.moment_of_truth,
            one.touchpoint,
        )
    )
    return tuple(one.touchpoint for one in costly)


def fine_but_left(journeys: Sequence[Journey]) -> Rate:
    """Over whole journeys: no system reported an error, and yet a customer left or was lost."""
    fine = [one for one in journeys if one.interactions and not _reported(one.interactions)]
    lost = [one for one in fine if not one.completed or _leaked(one.interactions)]
    return rate(len(lost), len(fine))


def added(amounts: Iterable[Money | None]) -> tuple[Money, ...]:
    """Sums by currency, the greatest first."""
    sums: Counter[str] = Counter()
    for money in amounts:
        if money is not None:
            sums[money.currency] += money.amount  # type: ignore[assignment]
    return tuple(
        Money(amount=round(amount, 2), currency=currency)
        for currency, amount in sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    )


def _at_mission(
    touchpoint: str, mission: str, journeys: Sequence[Journey], rules: Rules
) -> AtMission:
    sound: list[Journey] = []
    broke: list[Journey] = []
    counts: Counter[str | None] = Counter()
    reasons: Counter[str] = Counter()
    instead: Counter[str] = Counter()
    fine = left = 0
    for journey in journeys:
        if not journey.interactions:
            continue
        here = [one for one in journey.interactions if one.touchpoint == touchpoint]
        counts.update(one.verdict for one in here)
        broken = [one for one in here if one.verdict == "broken"]
        for one in broken:
            reasons.update({reason.rule for reason in one.reasons})
        (broke if broken else sound).append(journey)
        if broken:
            instead[_next_after(broken[-1], journey)] += 1
        if not _reported(here):
            fine += 1
            last = [one.touchpoint for one in journey.way[-1:]] == [touchpoint]
            left += _leaked(here) or (last and not journey.completed)
    when_sound, when_broken = _completion(sound), _completion(broke)
    drop = difference(when_sound, when_broken) if sound and broke else None
    lost = sum(one.outcome.broke_at == touchpoint for one in journeys)
    value = _value(mission, rules)
    lost_rate = rate(lost, len(journeys))
    return AtMission(
        mission=mission,
        journeys=len(journeys),
        completed=_completion(journeys),
        verdicts=_counts(counts),
        broken=rate(len(broke), len(broke) + len(sound)),
        when_sound=when_sound,
        when_broken=when_broken,
        drop=drop,
        certain=False,
        lost=lost_rate,
        value_lost=_times(
            value, lost, lost_rate.low * len(journeys), lost_rate.high * len(journeys)
        ),
        cost=_cost(len(broke), drop, value),
        fine_but_left=rate(left, fine),
        reasons=_most(reasons),
        instead=_most(instead),
    )


def _at_touchpoint(
    name: str, missions: Sequence[AtMission], met: Sequence[Verdict], rules: Rules
) -> AtTouchpoint:
    entry = rules.inventory.entries.get(name)
    known = entry or Entry(id=name, name=_unknown(name), channel="web")
    alone = Counter[str | None](one.verdict for one in met if one.mission is None)
    channels = Counter(one.channel for one in met)
    channel = entry.channel if entry else channels.most_common(1)[0][0] if channels else None
    ordered = sorted(missions, key=lambda one: (-one.journeys, one.mission))
    return AtTouchpoint(
        touchpoint=name,
        name=known.name,
        channel=channel,
        owner=known.owner,
        moment_of_truth=known.moment_of_truth,
        brand_moment=known.brand_moment,
        interactions=len(met),
        without_mission=_counts(alone),
        journeys=sum(one.journeys for one in ordered),
        value=added(_times(_value(one.mission, rules), one.journeys) for one in ordered),
        lost=sum(one.lost.part for one in ordered),
        value_lost=added(one.value_lost for one in ordered),
        missions=tuple(ordered),
    )


def _unknown(name: str) -> str:
    return "Something the inventory does not know" if name == OTHER else name


def _completion(journeys: Sequence[Journey]) -> Rate:
    return rate(sum(one.completed for one in journeys), len(journeys))


def _counts(counts: Counter[str | None]) -> Counts:
    return Counts(
        broken=counts["broken"], functional=counts["functional"], excellent=counts["excellent"]
    )


def _cost(broken: int, drop: Difference | None, value: Money | None) -> Cost | None:
    """Broken times the drop; None below `BROKEN_JOURNEYS_MIN`, or with nothing to compare."""
    if drop is None or broken < BROKEN_JOURNEYS_MIN:
        return None
    missions, low, high = (broken * part for part in (drop.value, drop.low, drop.high))
    return Cost(
        missions=round(missions, 2),
        low=round(low, 2),
        high=round(high, 2),
        value=_times(value, missions, low, high),
    )


def _next_after(broken: Verdict, journey: Journey) -> str:
    """The first other touchpoint after an interaction, in its journey."""
    after = (one.touchpoint for one in journey.way if when_of(one) > when_of(broken))
    return next((touchpoint for touchpoint in after if touchpoint != broken.touchpoint), LEFT)


def _reported(interactions: Sequence[Verdict]) -> bool:
    """Whether a system reported an error in any of them."""
    return any(r.rule in SYSTEM_ERRORS for one in interactions for r in one.reasons)


def _leaked(interactions: Sequence[Verdict]) -> bool:
    return any(
        one.verdict == "broken" and any(r.rule in LEAKAGE for r in one.reasons)
        for one in interactions
    )


def _value(mission: str, rules: Rules) -> Money | None:
    known = rules.missions.all.get(mission)
    if known is None or known.value is None:
        return None
    return Money(amount=known.value, currency=known.currency or "")


def _times(
    value: Money | None, times: float, low: float | None = None, high: float | None = None
) -> Money | None:
    if value is None:
        return None
    each = value.amount
    return Money(
        amount=round(each * times, 2),
        currency=value.currency,
        low=None if low is None else round(each * low, 2),
        high=None if high is None else round(each * high, 2),
    )


def _most(counts: Counter[str]) -> tuple[Counted, ...]:
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:NAMED_MAX]
    return tuple(Counted(word=word, count=count) for word, count in ordered)


def _amount(amounts: Sequence[Money]) -> float:
    """An amount to order by; of several currencies they are not one, and order is by journeys."""
    return amounts[0].amount if len(amounts) == 1 else 0.0
