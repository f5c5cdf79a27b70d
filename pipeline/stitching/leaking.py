"""Tickets for slow leaks: judged as each hour is learnt, told of with versions like any alert."""

import msgspec

from pipeline.stitching import figures, leaks
from pipeline.stitching.change import Message
from pipeline.stitching.ids import derived
from pipeline.stitching.minutes import wilson
from pipeline.stitching.rules import Rules
from pipeline.stitching.votes import OVERALL, time_of
from pipeline.stitching.watched import HOUR, Series, Told, Watched
from schemas.records import Alert


def judge(state: Watched, name: str, series: Series, rules: Rules) -> list[Message]:
    """Say that a series leaks, or no longer does. One that is under alarm is not looked at."""
    told, least = series.leaking, rules.alerts.usual_share_min
    hour = series.learning[0] - 1
    firing = told is not None and told.state == "firing"
    stands = series.leak.state(hour, least)
    if firing:
        if stands != "mended":
            return []
        assert told is not None
        series.leaking = msgspec.structs.replace(
            told, version=told.version + 1, state="resolved", resolved=state.now
        )
        return [_said(state, name, series, series.leaking, hour, rules)]
    broken = series.told is not None and series.told.state == "firing"
    if stands != "leaks" or broken:
        return []
    series.leaking = Told(
        id=derived(f"leak|{state.touchpoint}|{name}|{hour}"),
        version=1,
        state="firing",
        severity="ticket",
        fired=state.now,
        since=(hour // leaks.BLOCK - leaks.LONG + 1) * leaks.BLOCK * HOUR,
        within=_first_leaking(state, series),
    )
    return [_said(state, name, series, series.leaking, hour, rules)]


def _first_leaking(state: Watched, but: Series) -> str | None:
    for series in state.series.values():
        told = series.leaking
        if series is not but and told is not None and told.state == "firing" and not told.within:
            return told.id
    return None


def _said(
    state: Watched, name: str, series: Series, told: Told, hour: int, rules: Rules
) -> Message:
    leak, usual = series.leak, series.leak.usual(rules.alerts.usual_share_min)
    votes, broken = leak.over(leaks.SHORT, hour)
    long_votes, long_broken = leak.over(leaks.LONG, hour)
    least = min(wilson(votes, broken, leaks.Z), wilson(long_votes, long_broken, leaks.Z))
    parts = list(figures.parts_of(series, 0))
    alert = Alert(
        id=told.id,
        version=told.version,
        state=told.state,
        touchpoint=state.touchpoint,
        mission=name or None,
        severity="ticket",
        since=time_of(told.since),
        at=time_of(state.now),
        usual_share=round(usual, 4),
        present_share=round(broken / votes, 4) if votes else 0.0,
        votes=votes,
        customers=broken,
        evidence=round(least / usual, 2),
        threshold=leaks.TIMES,
        sentence="",
        reasons=figures.reasons_of(parts),
        touchpoints=tuple(sample for part in parts for sample in part.samples)[-3:],
        missions=() if name == OVERALL else (name,),
        within=told.within,
        resolved_at=time_of(told.resolved) if told.state == "resolved" else None,
        kind="slow_leak",
        shared=figures.shared(series, 0),
    )
    return figures.worded(alert, f"{state.touchpoint} {name} slow leak".replace("  ", " "), rules)
