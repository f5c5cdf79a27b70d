"""Presences: which touchpoints customers still come by, and which have gone quiet alone.

One state for all of them, of a few numbers each. A touchpoint is silent by itself only where
customers still come by others of its channel; where they come by none of these, the channel is,
once; and where nobody comes anywhere there is no alert: then it is the night, the pipeline, or
the emitters' own affair, and the pipeline's health says which. Event time that stands still raises
nothing either: a lag of ours is nobody's silence.
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
from pipeline.stitching.votes import time_of
from pipeline.stitching.watched import Told
from schemas.controls import Presence, Usual
from schemas.records import Alert
from schemas.topics import VOTES

THRESHOLD: Final = -log(CHANCE)
"""What the evidence of silence has to reach: minus the logarithm of its chance."""


CHANGED: Final = 0.1
"""A touchpoint hears of its channel again when that has changed by so much of itself (P)."""


class Present(msgspec.Struct, array_like=True, gc=False):
    """One touchpoint, as it said last; see `Presence`.

    Attributes:
        usual: What it was told of its channel last.
    """

    heard: int
    window: int
    silent: int
    expected: float
    evidence: float
    votes: float
    broken: float
    usual: float = 0.0


class Presences(msgspec.Struct, array_like=True, gc=False):
    """What is known of all touchpoints.

    Attributes:
        now: The latest minute that any of them spoke of.
        present: By touchpoint.
        told: The last alert for each touchpoint, and for each channel as `channel web`.
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
    )
    for name in [n for n, one in state.present.items() if one.heard < state.now - FORGOTTEN]:
        if name not in state.told or state.told[name].state != "firing":
            del state.present[name]
            state.told.pop(name, None)
    return Change(state, [*_usual(state, said.touchpoint, rules), *_decide(state, rules)])


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


def channel_key(channel: str) -> str:
    """How an alert about a whole channel is named."""
    return f"channel {channel}"


def _decide(state: Presences, rules: Rules) -> list[Message]:
    """What follows for all that is silent, and for what was."""
    results: list[Message] = []
    by_channel: dict[str, list[str]] = {}
    for name in state.present:
        entry = rules.inventory.entries.get(name)
        if entry is not None:
            by_channel.setdefault(entry.channel, []).append(name)
    for channel, names in by_channel.items():
        whole, heard = channel_key(channel), max(state.present[name].heard for name in names)
        results += _ended(state, whole, heard, rules)
        for name in names:
            one = state.present[name]
            results += _ended(state, name, one.heard, rules)
            if one.silent < 0 or _fires(state, name) or _fires(state, whole):
                continue
            together = state.told.get(whole)  # what was silent with the others is so from then on
            since = one.silent if together is None else max(one.silent, together.resolved)
            alone = _alone(state, name, names, since)
            if alone is None:
                continue
            last = one.silent if alone else heard
            results.append(_fired(state, name if alone else whole, last, one, rules))
    return results


def _alone(state: Presences, name: str, names: list[str], since: int) -> bool | None:
    """Whether it is silent by itself, or with its whole channel; None where that is not clear.

    Args:
        state: All there is.
        name: The touchpoint.
        names: Those of its channel.
        since: The minute from which on customers of others count.

    Others that are watched about as closely would have been heard of by now if customers came.
    """
    one = state.present[name]
    since += max(1, one.window // 2)
    peers = [state.present[other] for other in names if other != name]
    if any(peer.heard >= since for peer in peers):
        return True
    close = [peer for peer in peers if 0 < peer.window <= 2 * one.window]
    if any(peer.silent < 0 and state.now <= peer.heard + peer.window // 2 for peer in close):
        return None
    elsewhere = any(
        other.heard >= since for key, other in state.present.items() if key not in names
    )
    if not elsewhere:
        return None
    return not close


def _fires(state: Presences, name: str) -> bool:
    told = state.told.get(name)
    return told is not None and told.state == "firing"


def _fired(state: Presences, name: str, last: int, one: Present, rules: Rules) -> Message:
    """It is silent since the minute after `last`."""
    moment = name not in rules.inventory.entries or name in rules.inventory.moments_of_truth
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
