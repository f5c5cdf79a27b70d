"""watch: one touchpoint's votes, and whether it is broken now, for each mission and for all.

A series' minutes are weighed by `evidence` against its `baseline`. What stands is a function of
the minutes that are kept, so corrected, repeated and late votes end in the same alerts; what was
said before and no longer holds is corrected with a higher version: resolved, where it was broken
and works again, retracted, where it never was.

A state that is passed in is spent: use the one that comes back.
"""

from collections.abc import Iterable
from datetime import datetime
from math import log
from typing import Final, Literal

import msgspec

from pipeline.stitching import baseline, evidence, watched, wording
from pipeline.stitching.change import Change, Message
from pipeline.stitching.evidence import Detector, Minute, Part, Standing
from pipeline.stitching.ids import derived
from pipeline.stitching.rules import Rules
from pipeline.stitching.votes import OVERALL, SAMPLES_MAX, minute_of, time_of
from pipeline.stitching.watched import Series, Told, Watched
from schemas.records import Alert, Votes
from schemas.topics import TOUCHPOINT_ALERTS

JUDGED_EVERY: Final = 5
"""Minutes after which a series is looked at though nothing in it calls for it (P)."""

SEEN: Final = 60
"""Minutes, at most, that an alert's figures speak of (P)."""

PAGE_MINUTES: Final = 30
"""Minutes whose share decides how severe it is (P)."""

PAGE_Z: Final = 1.64
"""How certain that share has to be: the lower end of a one-sided 95 % interval (P)."""

GROWN: Final = 2
"""A firing alert is sent again when it has met so many times the customers (P)."""

REASONS_MAX: Final = 5
"""Reasons that an alert names (P)."""


def observe(state: Watched, counted: Iterable[Votes], rules: Rules) -> Change[Watched]:
    """Totals, each of one partition, series and minute. A repeat changes nothing.

    What several of them change is judged once. Totals of minutes that are no longer kept are left
    aside.
    """
    changed: dict[str, Series] = {}
    for votes in counted:
        minute = minute_of(votes.minute)
        now = minute if votes.at is None else max(minute, minute_of(votes.at))
        name = votes.mission or OVERALL
        series = state.series.get(name)
        if series is None:
            series = state.series[name] = watched.begun(minute, rules)
            series.judged = now
        state.now = max(now, state.now)
        if watched.take(series, minute, votes) or state.now - series.judged >= JUDGED_EVERY:
            changed[name] = series
    return Change(state, _judge(state, changed.items(), rules) if changed else [])


def expire(state: Watched, watermark: datetime, rules: Rules) -> Change[Watched | None]:
    """Event time passed: minutes end, and with them perhaps a break.

    What no votes come for is forgotten in the end, unless it is broken: that it stays.
    """
    last = max((one.minutes[-1].at for one in state.series.values() if one.minutes), default=0)
    state.now = max(state.now, min(minute_of(watermark), last + baseline.FORGOTTEN))
    results = _judge(state, state.series.items(), rules)
    if state.now - last >= baseline.FORGOTTEN and not _firing(state):
        return Change(None, results)
    return Change(state, results)


def due_at(state: Watched, rules: Rules) -> datetime | None:
    """When `expire` is next worth calling; None where only votes can change anything."""
    if any(one.stirs for one in state.series.values()):
        return time_of(state.now + 1)
    if _firing(state):
        return None
    return time_of(state.now + baseline.FORGOTTEN)


def _firing(state: Watched) -> bool:
    return any(one.told is not None and one.told.state == "firing" for one in state.series.values())


def _judge(state: Watched, changed: Iterable[tuple[str, Series]], rules: Rules) -> list[Message]:
    """Weigh what is new, and say what follows."""
    stands: list[tuple[str, Series, Standing]] = []
    for name, series in changed:
        detector = Detector(rules.alerts, watched.weights_at_of(state, series, name, rules))
        opened = state.now - watched.minutes_in(rules.alerts.open)
        if opened > series.closed.at:
            detector.advance(series.closed, series.minutes, opened)
        standing = series.closed.copy()
        detector.advance(standing, series.minutes, state.now)
        series.judged, series.stirs = state.now, detector.stirs(standing, series.minutes)
        stands.append((name, series, standing))
    results: list[Message] = []
    for name, series, standing in stands:
        results += _say(state, name, series, standing, rules)
        if series.told is not None and series.told.state == "firing" and not standing.firing:
            series.stirs = True  # until the minute is over that said so too early
        watched.let_go(state, name, series, rules)
    return results


def _one_mission_breaks(state: Watched) -> bool:
    """Whether all that broke of late did so for one mission: then its own alert says it all."""
    broken = {
        name: sum(one.broken for one in series.minutes if one.at > state.now - SEEN)
        for name, series in state.series.items()
    }
    overall = broken.pop(OVERALL, 0)
    missions = [count for count in broken.values() if count]
    return len(missions) == 1 and missions[0] >= overall


def _say(
    state: Watched, name: str, series: Series, standing: Standing, rules: Rules
) -> list[Message]:
    """What has to be published so that what was told agrees with how it stands."""
    told, now = series.told, state.now
    if standing.firing:
        if told is not None and told.state == "firing":
            return _grown(state, name, series, standing, rules)
        if name == OVERALL and _one_mission_breaks(state):
            return []
        return _fired(state, name, series, standing, rules)
    if told is None or told.state != "firing":
        return []
    if standing.resolved >= told.fired:
        series.told = msgspec.structs.replace(
            told, version=told.version + 1, state="resolved", resolved=standing.resolved
        )
        watched.end_span(series, standing.resolved)
        return [_publish(state, name, series, standing, rules)]
    if now <= told.fired:
        return []  # the minute is still filling
    series.told = msgspec.structs.replace(told, version=told.version + 1, state="retracted")
    series.spans = series.spans[:-1]
    return [_publish(state, name, series, standing, rules)]


def _fired(
    state: Watched, name: str, series: Series, standing: Standing, rules: Rules
) -> list[Message]:
    told, numbers = series.told, rules.alerts
    since = standing.began
    soon = watched.minutes_in(numbers.same_incident)
    if told is not None and told.state == "resolved" and standing.fired - told.resolved <= soon:
        again = standing.fired > told.resolved  # else it had not been mended, as is known now
        series.told = msgspec.structs.replace(
            told, version=told.version + 1, state="firing", flaps=told.flaps + again, resolved=-1
        )
        since = told.since
    else:
        id_ = derived(f"alert|{state.touchpoint}|{name}|{standing.fired}")
        version = told.version if told is not None and told.id == id_ else 0
        series.told = Told(
            id=id_,
            version=version + 1,
            state="firing",
            severity="ticket",
            fired=standing.fired,
            since=since,
            within=_first_firing(state, name),
        )
    series.told.severity = _severity(state, series, standing, rules)
    series.spans = [*series.spans, (since, -1)][-watched.SPANS_MAX :]
    series.told.customers = _figures(series, series.told, state.now).customers
    return [_publish(state, name, series, standing, rules)]


def _grown(
    state: Watched, name: str, series: Series, standing: Standing, rules: Rules
) -> list[Message]:
    """A firing alert goes out again where it became more severe, or met many more customers."""
    told, numbers = series.told, rules.alerts
    assert told is not None
    severity = _severity(state, series, standing, rules)
    customers = _figures(series, told, state.now).customers
    worse = severity == "page" and told.severity == "ticket"
    if not worse and customers < max(GROWN * told.customers, numbers.customers_min):
        return []
    series.told = msgspec.structs.replace(
        told,
        version=told.version + 1,
        severity="page" if worse else told.severity,
        customers=max(customers, told.customers),
    )
    return [_publish(state, name, series, standing, rules)]


def _first_firing(state: Watched, name: str) -> str | None:
    """The alert of this touchpoint that fires already and is within no other."""
    for other, series in state.series.items():
        told = series.told
        if other != name and told is not None and told.state == "firing" and told.within is None:
            return told.id
    return None


def _severity(
    state: Watched, series: Series, standing: Standing, rules: Rules
) -> Literal["page", "ticket"]:
    """Whether somebody has to act now: a moment of truth, or a large share for certain."""
    if state.touchpoint in rules.inventory.moments_of_truth:
        return "page"
    minutes = series.minutes
    recent = evidence.window(minutes, len(minutes), state.now, PAGE_MINUTES)
    least = evidence.wilson(recent.votes, recent.broken, PAGE_Z)
    usual = watched.usual_now(series, state.now)
    numbers = rules.alerts
    return "page" if least >= max(numbers.page_times * usual, numbers.page_share) else "ticket"


def _figures(series: Series, told: Told, now: int) -> Minute:
    """Votes since the break began, those of the last hour or the last twenty of them.

    Once it is resolved, those of the last minutes.
    """
    minutes = series.minutes
    if told.state == "resolved":
        return evidence.window(minutes, len(minutes), now, evidence.SHORT)
    since = minutes[evidence.index_of(minutes, told.since) :]
    return evidence.window(since, len(since), now, SEEN, evidence.GATE_VOTES)


def _publish(
    state: Watched, name: str, series: Series, standing: Standing, rules: Rules
) -> Message:
    told = series.told
    assert told is not None
    seen = _figures(series, told, state.now)
    begins = told.since if seen.votes <= evidence.GATE_VOTES else state.now - SEEN
    parts = [
        part
        for minute in series.minutes
        if minute.at >= max(begins, told.since) and minute.parts is not None
        for part in minute.parts.values()
    ]
    mean = standing.mean
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
        reasons=_top(parts),
        touchpoints=tuple(sample for part in parts for sample in part.samples)[-SAMPLES_MAX:],
        missions=_at_stake(state, told) if name == OVERALL else (name,),
        within=told.within,
        flaps=told.flaps,
        resolved_at=time_of(told.resolved) if told.state == "resolved" else None,
    )
    said = msgspec.structs.replace(alert, sentence=wording.sentence_of(alert, rules))
    return Message(TOUCHPOINT_ALERTS, f"{state.touchpoint} {name}".strip(), said)


def _top(parts: list[Part]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for part in parts:
        for rule, count in part.reasons.items():
            sums[rule] = sums.get(rule, 0) + count
    ranked = sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    return dict(ranked[:REASONS_MAX])


def _at_stake(state: Watched, told: Told) -> tuple[str, ...]:
    """The missions with broken votes since the break began, most of them first."""
    broken = {
        name: sum(one.broken for one in series.minutes if one.at >= told.since)
        for name, series in state.series.items()
        if name != OVERALL
    }
    ranked = sorted(broken.items(), key=lambda one: (-one[1], one[0]))
    return tuple(name for name, count in ranked if count)
