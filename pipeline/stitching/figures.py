"""Figures: what an alert says, from the minutes that are kept, and how severe that is."""

from collections.abc import Iterator
from math import log
from typing import Final, Literal

import msgspec

from pipeline.stitching import evidence, variants, watched, wording
from pipeline.stitching.change import Message
from pipeline.stitching.evidence import Standing
from pipeline.stitching.minutes import Minute, Part, index_of, wilson, window
from pipeline.stitching.rules import Rules
from pipeline.stitching.tallies import SAMPLES_MAX
from pipeline.stitching.votes import BLOCK, OVERALL, time_of
from pipeline.stitching.watched import Series, Told, Watched
from schemas.records import Alert
from schemas.topics import TOUCHPOINT_ALERTS

SEEN: Final = 60
"""Minutes, at most, that an alert's figures speak of (P)."""

PAGE_MINUTES: Final = 30
"""Minutes whose share decides how severe it is (P)."""

PAGE_Z: Final = 1.64
"""How certain that share has to be: the lower end of a one-sided 95 % interval (P)."""

REASONS_MAX: Final = 5
"""Reasons that an alert names (P)."""


def severity(state: Watched, series: Series, rules: Rules) -> Literal["page", "ticket"]:
    """Whether somebody has to act now: a moment of truth, or a large share for certain."""
    if state.touchpoint in rules.inventory.moments_of_truth:
        return "page"
    minutes = series.minutes
    recent = window(minutes, len(minutes), state.now, PAGE_MINUTES)
    least = wilson(recent.votes, recent.broken, PAGE_Z)
    usual = watched.usual_now(series, state.now)
    numbers = rules.alerts
    return "page" if least >= max(numbers.page_times * usual, numbers.page_share) else "ticket"


def met(series: Series, told: Told, now: int) -> Minute:
    """Votes since the break began, those of the last hour or the last twenty of them.

    Once it is resolved, those of the last minutes.
    """
    minutes = series.minutes
    if told.state == "resolved":
        return window(minutes, len(minutes), now, evidence.SHORT)
    since = minutes[index_of(minutes, told.since) :]
    return window(since, len(since), now, SEEN, evidence.GATE_VOTES)


def said(state: Watched, name: str, series: Series, standing: Standing, rules: Rules) -> Message:
    """The alert that was told of last, with the figures of now."""
    told = series.told
    assert told is not None
    seen = met(series, told, state.now)
    begins = told.since if seen.votes <= evidence.GATE_VOTES else state.now - SEEN
    parts = list(parts_of(series, max(begins, told.since)))
    mean = standing.mean
    told.shared = shared(series, told.since) or told.shared
    alert = Alert(
        id=told.id,
        version=told.version,
        state=told.state,
        touchpoint=state.touchpoint,
        mission=name or None,
        severity=told.severity,
        since=time_of(told.since),
        at=time_of(state.now),
        usual_share=round(watched.usual_now(series, state.now), 4),
        present_share=round(seen.broken / seen.votes, 4) if seen.votes else 0.0,
        votes=seen.votes,
        customers=seen.customers,
        evidence=round(log(mean), 2) if mean > 0 else 0.0,
        threshold=round(log(evidence.threshold_of(rules.alerts)), 2),
        sentence="",
        reasons=reasons_of(parts),
        touchpoints=tuple(sample for part in parts for sample in part.samples)[-SAMPLES_MAX:],
        missions=_at_stake(state, told) if name == OVERALL else (name,),
        within=told.within,
        flaps=told.flaps,
        resolved_at=time_of(told.resolved) if told.state == "resolved" else None,
        shared=told.shared,
    )
    return worded(alert, f"{state.touchpoint} {name}".strip(), rules)


def worded(alert: Alert, key: str, rules: Rules) -> Message:
    """The alert with its sentence, under the key of its series."""
    sentence = wording.sentence_of(alert, rules)
    return Message(TOUCHPOINT_ALERTS, key, msgspec.structs.replace(alert, sentence=sentence))


def parts_of(series: Series, since: int) -> Iterator[Part]:
    """What partitions said of minutes in which something broke."""
    for minute in series.minutes:
        if minute.at >= since and isinstance(minute.parts, dict):
            yield from (minute.parts[number] for number in sorted(minute.parts))


def reasons_of(parts: list[Part]) -> dict[str, int]:
    """The rules that fired most often, with how often."""
    sums: dict[str, int] = {}
    for part in parts:
        for rule, count in part.reasons.items():
            sums[rule] = sums.get(rule, 0) + count
    ranked = sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    return dict(ranked[:REASONS_MAX])


def shared(series: Series, since: int) -> dict[str, str]:
    """What the votes that broke since then share and the sound ones, also those before, do not."""
    first = since // BLOCK * BLOCK
    broken: dict[str, int] = {}
    sound: dict[str, int] = {}
    earliest = first
    for told, blocks in series.variants.items():
        for block, partitions in blocks.items():
            earliest = min(earliest, block)
            for votes, bad in partitions.values():
                sound[told] = sound.get(told, 0) + votes - bad
                if block >= first:
                    broken[told] = broken.get(told, 0) + bad
    if not broken:
        return {}
    seen = [one for one in series.minutes if one.at >= earliest]
    return variants.shared(
        broken,
        sum(one.broken for one in seen if one.at >= first),
        sound,
        sum(one.votes - one.broken for one in seen),
    )


def _at_stake(state: Watched, told: Told) -> tuple[str, ...]:
    """The missions with broken votes since the break began, most of them first."""
    broken = {
        name: sum(one.broken for one in series.minutes if one.at >= told.since)
        for name, series in state.series.items()
        if name != OVERALL
    }
    ranked = sorted(broken.items(), key=lambda one: (-one[1], one[0]))
    return tuple(name for name, count in ranked if count)
