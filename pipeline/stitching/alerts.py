"""watch: one touchpoint's votes, and whether it is broken now, for each mission and for all.

A series' minutes are weighed by `evidence` against its `baseline`. What stands is a function of
the minutes that are kept, so corrected, repeated and late votes end in the same alerts; what was
said before and no longer holds is corrected with a higher version: resolved, where it was broken
and works again, retracted, where it never was.

A state that is passed in is spent: use the one that comes back.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from pipeline.stitching import baseline, figures, leaking, silence, watched
from pipeline.stitching.change import Change, Message
from pipeline.stitching.evidence import Detector, Standing
from pipeline.stitching.ids import derived
from pipeline.stitching.rules import Rules
from pipeline.stitching.votes import OVERALL, minute_of, time_of
from pipeline.stitching.watched import Series, Told, Watched
from schemas.controls import Fault
from schemas.records import Votes
from schemas.topics import VOTES

JUDGED_EVERY: Final = 15
"""Minutes after which a series is looked at though nothing in it calls for it (P)."""

GROWN: Final = 2
"""A firing alert is sent again when it has met so many times the customers (P)."""

_MINUTE: Final = timedelta(minutes=1)


def observe(
    state: Watched, counted: Iterable[Votes], rules: Rules, watermark: datetime | None = None
) -> Change[Watched]:
    """Totals, each of one partition, series and minute. A repeat changes nothing.

    What several of them change is judged once. Totals of minutes that are no longer kept are left
    aside. The watermark tells how far the slowest partition has come: as far as that, minutes are
    kept for its votes, however far ahead others are. Without one they are kept for none.
    """
    results: list[Message] = []
    changed: dict[str, Series] = {}
    for votes in counted:
        minute = minute_of(votes.minute)
        now = minute
        if votes.at is not None and votes.at - votes.minute >= _MINUTE:
            now = minute_of(votes.at)
        name = votes.mission or OVERALL
        series = state.series.get(name)
        if series is None:
            series = state.series[name] = watched.begun(minute, rules)
            series.judged = now
        if now > state.now:
            state.now = now
        judges = watched.take(series, minute, votes)
        for source in votes.sources:
            if minute >= state.sources.get(source, 0) + watched.HOUR:
                silence.name_source(state, minute, source)
        if name == OVERALL and minute >= state.speaks and votes.votes:
            results += silence.heard(state, series, minute, rules)
        if judges and _is_calm(series):
            detector = _detector(state, series, name, rules)
            judges = not detector.hopeless(series.closed, series.minutes, state.now)
        if judges or state.now - series.judged >= JUDGED_EVERY:
            changed[name] = series
    if changed:
        if watermark is not None:
            state.reached = max(state.reached, minute_of(watermark))
        results += _judge(state, changed.items(), rules)
    return Change(state, results)


def expire(state: Watched, watermark: datetime, rules: Rules) -> Change[Watched | None]:
    """Event time passed: minutes end, and with them perhaps a break.

    What no votes come for is forgotten in the end, unless it is broken: that it stays.
    """
    last = max((one.minutes[-1].at for one in state.series.values() if one.minutes), default=0)
    state.reached = max(state.reached, minute_of(watermark))
    state.now = max(state.now, min(minute_of(watermark), last + baseline.FORGOTTEN))
    results = _judge(state, state.series.items(), rules)
    if state.look and state.now > state.look:
        results += silence.look(state)
    if state.now - last >= baseline.FORGOTTEN and not _stays(state):
        return Change(None, results)
    return Change(state, results)


def due_at(state: Watched, rules: Rules) -> datetime | None:
    """When `expire` is next worth calling; None where only votes can change anything."""
    if any(one.stirs for one in state.series.values()):
        return time_of(state.now + 1)
    if state.look:
        return time_of(max(state.look, state.now) + 1)
    return None if _stays(state) else time_of(state.now + baseline.FORGOTTEN)


def _stays(state: Watched) -> bool:
    """Whether it is kept though nobody comes: something is broken that nobody has mended."""
    if state.faults or not state.series:
        return True
    return any(
        told is not None and told.state == "firing"
        for one in state.series.values()
        for told in (one.told, one.leaking)
    )


def _judge(state: Watched, changed: Collection[tuple[str, Series]], rules: Rules) -> list[Message]:
    """Weigh what is new, and say what follows."""
    stands: list[tuple[str, Series, Standing]] = []
    for name, series in changed:
        detector = _detector(state, series, name, rules)
        opened = state.now - watched.minutes_in(rules.alerts.open)
        if opened > series.closed.at:
            detector.advance(series.closed, series.minutes, opened)
            watched.mark(series)
        series.judged = state.now
        if _is_calm(series) and detector.hopeless(series.closed, series.minutes, state.now):
            continue
        standing = series.closed.copy()
        detector.advance(standing, series.minutes, state.now)
        series.stirs = detector.stirs(standing, series.minutes)
        stands.append((name, series, standing))
    results: list[Message] = []
    for name, series, standing in stands:
        results += _say(state, name, series, standing, rules)
        if series.told is not None and series.told.state == "firing" and not standing.firing:
            series.stirs = True  # until the minute is over that said so too early
    for name, series in changed:
        hour = series.learning[0]
        watched.let_go(state, series, rules)
        if series.learning[0] != hour:
            results += leaking.judge(state, name, series, rules)
    if state.touchpoint in rules.inventory.needed_by:
        results += _tell_needing(state, rules)
    return results


def _is_calm(series: Series) -> bool:
    """Whether nothing fires, by what was told, and nothing may by itself."""
    return not series.stirs and (series.told is None or series.told.state != "firing")


def _detector(state: Watched, series: Series, name: str, rules: Rules) -> Detector:
    return Detector(rules.alerts, watched.weights_at_of(state, series, name, rules))


def hear(state: Watched, fault: Fault, rules: Rules) -> Change[Watched | None]:
    """A touchpoint that this one needs is broken, or no longer is.

    What fires here is part of that one's incident from now on.
    """
    if fault.alert is None:
        state.faults.pop(fault.touchpoint, None)
        return Change(state if state.series or state.faults else None, [])
    state.faults[fault.touchpoint] = fault.alert
    results: list[Message] = []
    for name, series in state.series.items():
        told = series.told
        if told is not None and told.state == "firing" and told.within is None:
            series.told = msgspec.structs.replace(
                told, version=told.version + 1, within=fault.alert
            )
            results.append(figures.said(state, name, series, series.closed, rules))
    return Change(state, results)


def _tell_needing(state: Watched, rules: Rules) -> list[Message]:
    """Tell those that need this touchpoint which alert fires here, where that changed."""
    tolds = (series.told for series in state.series.values())
    fires = next((one.id for one in tolds if one is not None and one.state == "firing"), "")
    if fires == state.told:
        return []
    state.told = fires
    fault = Fault(touchpoint=state.touchpoint, alert=fires or None)
    return [Message(VOTES, other, fault) for other in rules.inventory.needed_by[state.touchpoint]]


def _one_mission_breaks(state: Watched) -> bool:
    """Whether all that broke of late did so for one mission: then its own alert says it all.

    Where nothing did, the time to speak for all is over, too.
    """
    broken = {
        name: sum(one.broken for one in series.minutes if one.at > state.now - figures.SEEN)
        for name, series in state.series.items()
    }
    overall = broken.pop(OVERALL, 0)
    missions = [count for count in broken.values() if count]
    return not overall or (len(missions) == 1 and missions[0] >= overall)


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
        return [figures.said(state, name, series, standing, rules)]
    if now <= told.fired:
        return []  # the minute is still filling
    series.told = msgspec.structs.replace(told, version=told.version + 1, state="retracted")
    series.spans = series.spans[:-1]
    return [figures.said(state, name, series, standing, rules)]


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
    series.told.severity = figures.severity(state, series, rules)
    series.spans = [*series.spans, (since, -1)][-watched.SPANS_MAX :]
    series.told.customers = figures.met(series, series.told, state.now).customers
    return [figures.said(state, name, series, standing, rules)]


def _grown(
    state: Watched, name: str, series: Series, standing: Standing, rules: Rules
) -> list[Message]:
    """A firing alert goes out again where it became more severe, or met many more customers."""
    told, numbers = series.told, rules.alerts
    assert told is not None
    severity = figures.severity(state, series, rules)
    customers = figures.met(series, told, state.now).customers
    worse = severity == "page" and told.severity == "ticket"
    if not worse and customers < max(GROWN * told.customers, numbers.customers_min):
        return []
    series.told = msgspec.structs.replace(
        told,
        version=told.version + 1,
        severity="page" if worse else told.severity,
        customers=max(customers, told.customers),
    )
    return [figures.said(state, name, series, standing, rules)]


def _first_firing(state: Watched, name: str) -> str | None:
    """The alert that fires already, of this touchpoint or of one that it needs."""
    for other, series in state.series.items():
        told = series.told
        if other != name and told is not None and told.state == "firing" and told.within is None:
            return told.id
    return next(iter(state.faults.values()), None)
