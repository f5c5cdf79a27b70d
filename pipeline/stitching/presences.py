"""Presences: which touchpoints and sources customers are still heard of by, and which went quiet.

One state for all of them, of a few numbers each. A touchpoint is silent by itself only where its
sources still send; where one of them does not, the source is silent, in one alert. Where nobody
comes by any source there is no alert: then it is the night, the pipeline, or the emitters' own
affair, and the pipeline's health says which. Event time that stands still raises nothing either: a
lag of ours is nobody's silence.
"""

from math import log
from typing import Final, Literal

import msgspec

from pipeline.stitching import figures
from pipeline.stitching.baseline import FORGOTTEN, SHRINK, Cell, drawn
from pipeline.stitching.change import Change, Message
from pipeline.stitching.ids import derived
from pipeline.stitching.rules import Rules
from pipeline.stitching.silence import CHANCE
from pipeline.stitching.votes import SOURCE, source_key, time_of
from pipeline.stitching.watched import Told
from schemas.controls import Presence, Usual
from schemas.records import Alert
from schemas.topics import VOTES

THRESHOLD: Final = -log(CHANCE)
"""What the evidence of silence has to reach: minus the logarithm of its chance."""


CLOSE: Final = 2
"""A source that needs no more than so many times a touchpoint's window to show its silence is
waited for (P)."""

CHANGED: Final = 0.1
"""A touchpoint hears of its channel again when that has changed by so much of itself (P)."""


class Present(msgspec.Struct, array_like=True, gc=False):
    """One touchpoint, as it said last; see `Presence`.

    Attributes:
        usual: What it was told of its channel last.
        sources: By which sources it is heard of.
    """

    heard: int
    window: int
    silent: int
    expected: float
    evidence: float
    votes: float
    broken: float
    usual: float = 0.0
    sources: tuple[str, ...] = ()


class Presences(msgspec.Struct, array_like=True, gc=False):
    """What is known of all touchpoints.

    Attributes:
        now: The latest minute that any of them spoke of.
        present: By touchpoint and `source_key`.
        told: The last alert for each of them.
    """

    now: int = 0
    present: dict[str, Present] = {}
    told: dict[str, Told] = {}


def hear(state: Presences, said: Presence, rules: Rules) -> Change[Presences]:
    """A touchpoint says that customers come, or that none do."""
    known = state.present.get(said.touchpoint)
    now = max(said.heard, said.at)
    if known is not None and said.heard < known.heard:
        return Change(state, [])
    state.now = max(state.now, now)
    state.present[said.touchpoint] = Present(
        said.heard,
        said.window,
        said.silent,
        said.expected,
        said.evidence,
        said.votes,
        said.broken,
        0.0 if known is None else known.usual,
        said.sources,
    )
    ended = _forget(state, rules)
    # What it says may be so old that it is forgotten at once.
    usual = _usual(state, said.touchpoint, rules) if said.touchpoint in state.present else []
    return Change(state, [*ended, *usual, *_decide(state, rules)])


def _forget(state: Presences, rules: Rules) -> list[Message]:
    """Wait no longer for what was switched off: its alert ends with what is remembered of it."""
    results: list[Message] = []
    for name in [n for n, one in state.present.items() if one.heard < state.now - FORGOTTEN]:
        del state.present[name]
    for name in [n for n in state.told if n not in state.present]:
        told = state.told[name]
        if told.state == "firing":
            told.version, told.state, told.resolved = told.version + 1, "resolved", state.now
            results.append(_said(state, name, None, rules))
        del state.told[name]
    return results


def _usual(state: Presences, name: str, rules: Rules) -> list[Message]:
    """Tell a touchpoint what the others of its channel are like, where that has changed."""
    entries, own = rules.inventory.entries, state.present[name]
    channel = entries[name].channel if name in entries else None
    others = Cell(0)
    for other, one in state.present.items():
        if other != name and other in entries and entries[other].channel == channel:
            others.votes += one.votes
            others.broken += one.broken
    share = drawn(others, rules.alerts.usual_share)
    if others.votes < SHRINK or abs(share - own.usual) < CHANGED * share:
        return []
    own.usual = share
    return [Message(VOTES, name, Usual(share=round(share, 5)))]


def _decide(state: Presences, rules: Rules) -> list[Message]:
    """What follows for all that is silent, and for what was; sources first."""
    results: list[Message] = []
    silent: list[str] = []
    for name, one in state.present.items():
        results += _ended(state, name, one.heard, rules)
        if one.silent >= 0 and not _fires(state, name):
            silent.append(name)
    for name in sorted(silent, key=lambda name: (not _is_source(name), name)):
        one = state.present[name]
        if _is_source(name):
            # With itself alone to go by, a stopped pipeline and the night look the same.
            fires = _any_source_heard(state, one.silent + _patience(one))
        else:
            fires = _is_alone(state, one)
        if fires:
            results.append(_fired(state, name, one.silent, one, rules))
    return results


def _is_alone(state: Presences, one: Present) -> bool:
    """Whether a touchpoint is silent by itself, not with a source of its, as far as is known.

    A source about as busy as the touchpoint, or busier, that may yet turn out to be silent is
    waited for: it is heard of soon, or says so. One that sends much less does not explain it.
    """
    sources = [(name, state.present.get(name)) for name in map(source_key, one.sources)]
    # What was silent with its source has, once that is back, as long again to come back itself.
    back = max((state.told[name].resolved for name, _ in sources if name in state.told), default=-1)
    since = max(one.silent, back) + _patience(one)
    for _, source in sources:
        if source is None:
            continue
        may_be_silent = source.heard < since and 0 < source.window <= CLOSE * one.window
        if source.silent >= 0 or may_be_silent:
            return False
    return _any_source_heard(state, since)


def _any_source_heard(state: Presences, since: int) -> bool:
    """Whether customers come by any source."""
    return any(one.heard >= since and _is_source(name) for name, one in state.present.items())


def _is_source(name: str) -> bool:
    return name.startswith(SOURCE)


def _patience(one: Present) -> int:
    """So many minutes after the last were heard of, others count as still being heard of."""
    return max(1, one.window // 2)


def _fires(state: Presences, name: str) -> bool:
    told = state.told.get(name)
    return told is not None and told.state == "firing"


def _fired(state: Presences, name: str, last: int, one: Present, rules: Rules) -> Message:
    """It is silent since the minute after `last`."""
    moment = _is_source(name) or name in rules.inventory.moments_of_truth
    told = Told(
        id=derived(f"silent|{name}|{last}"),
        version=1,
        state="firing",
        severity="page" if moment else "ticket",
        fired=state.now,
        since=last + 1,
    )
    known = state.told.get(name)
    if known is not None and known.id == told.id:
        told.version = known.version + 1
    state.told[name] = told
    return _said(state, name, one, rules)


def _ended(state: Presences, name: str, heard: int, rules: Rules) -> list[Message]:
    """Customers come again; where they had come all along, it never was silent."""
    told = state.told.get(name)
    if told is None or told.state != "firing" or heard < told.since:
        return []
    ended: Literal["resolved", "retracted"] = "resolved" if heard >= told.fired else "retracted"
    told.version, told.state = told.version + 1, ended
    told.resolved = heard if ended == "resolved" else -1
    return [_said(state, name, None, rules)]


def _said(state: Presences, name: str, one: Present | None, rules: Rules) -> Message:
    told = state.told[name]
    alert = Alert(
        id=told.id,
        version=told.version,
        state=told.state,
        touchpoint=name,
        mission=None,
        severity=told.severity,
        since=time_of(told.since),
        at=time_of(state.now),
        usual_share=0.0,
        present_share=0.0,
        votes=0 if one is None else round(one.expected),
        customers=0,
        evidence=0.0 if one is None else one.evidence,
        threshold=round(THRESHOLD, 2),
        sentence="",
        resolved_at=time_of(told.resolved) if told.state == "resolved" else None,
        kind="silent",
    )
    return figures.worded(alert, f"{name} silent", rules)
