"""Sessions: one customer's touchpoints on one channel, with no silence longer than the gap.

Event time only: this module never asks what time it is. Joining channels is the work of
`journeys`, and revising what was published that of `revisions`.
"""

from collections.abc import Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Final

import msgspec

from pipeline.stitching.ids import session_of
from pipeline.stitching.rules import Rules, SessionRule
from pipeline.stitching.signals import BACKGROUND, ENDS
from schemas.controls import Interaction
from schemas.records import Channel, Counts

SESSION_STAMP: Final = "session"
"""The stamp of an interaction that opened a session; see `Interaction.stamps`."""

_REFERRING: Final = frozenset({"survey", "agent"})
"""Channels whose records may refer to another channel's session by its id: answers and notes."""


SESSIONS_MAX: Final = 100
"""Sessions of one customer that are open at a time, and that go on once their touchpoints had to be
let go of (P). Of more the longest silent are closed, and those let go of are not joined again: no
person keeps so many, and what one key may make a customer's state hold has to end."""


class Carried(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What interactions that had to be let go of left to their session or journey."""

    path: tuple[str, ...]
    counts: Counts


class OpenSession(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """A session as the fold knows it, open or closed.

    Attributes:
        id: Derived from the channel and the opener.
        key: The supplied session id, or else the device.
        opener: The id of the touchpoint that names it; see `opened`.
        revision: The last one published; 0 where none was.
        live: Whether the opener's id was published and stands.
        gap: The silence that ends it now.
        length_max: The longest it may last.
        honoured: Whether its id alone keeps it together, whatever the silence.
        carried: Path and verdicts of members that are no longer kept.
        counts: What verdicts count over a session: fallbacks in a row, visits of a menu node, …
        blamed: The interactions that a contact of this session blamed, each by its `ref`, as far as
            they are kept.
        done: The missions that were completed in it, each once.
    """

    serial: int
    id: str
    channel: Channel
    key: str
    opener: str
    started: datetime
    last: datetime
    gap: timedelta
    length_max: timedelta
    honoured: bool
    count: int = 0
    revision: int = 0
    live: bool = False
    closed: bool = False
    ended: bool = False
    machine: bool = False
    counts: dict[str, int] | None = None
    carried: Carried | None = None
    blamed: tuple[str, ...] = ()
    done: tuple[str, ...] = ()

    def is_over(self, at: datetime) -> bool:
        """Whether what comes at that time, without an honoured id, no longer belongs to it."""
        return self.ended or at - self.last > self.gap


def rule_of(channel: str, source: str, rules: Rules) -> SessionRule:
    """The rule of a channel; a source's own goes before it."""
    if rules.source_sessions:
        own = rules.source_sessions.get((source, channel))
        if own is not None:
            return own
    return rules.sessions[channel]


def join(sessions: list[OpenSession], one: Interaction, rules: Rules) -> tuple[OpenSession, bool]:
    """Put an interaction into its session, opening one where none fits.

    Args:
        sessions: The customer's, in the order in which they were opened; a new one is appended.
        one: Not earlier than any interaction that was joined before.
        rules: The sessions' rules.

    Returns:
        The session, and whether its record is new: it was opened, or had been closed.

    A silence of exactly the gap continues a session, as in Kafka Streams, Flink and Bytewax. An
    honoured id joins its session after any silence, up to the greatest length.
    """
    rule = rule_of(one.channel, one.source, rules)
    session = find(sessions, one, rules)
    if session is None:
        session = OpenSession(
            serial=len(sessions),
            id=session_of(one),
            channel=one.channel,
            key=one.device if one.hint is None else one.hint,
            opener=one.id,
            started=one.at,
            last=one.at,
            gap=rule.gap,
            length_max=rule.length_max,
            honoured=one.hint is not None and rule.hint == "honour",
        )
        sessions.append(session)
        _extend(session, one, rule)
        return session, True
    closed = session.closed
    _extend(session, one, rule)
    return session, closed


def find(sessions: Sequence[OpenSession], one: Interaction, rules: Rules) -> OpenSession | None:
    """The session that an interaction continues, by the same rules; None where it opens one."""
    channel, at, hint = one.channel, one.at, one.hint
    honoured = hint is not None and rule_of(channel, one.source, rules).hint == "honour"
    key = one.device if hint is None else hint
    for session in reversed(sessions):
        if session.key != key or at - session.started > session.length_max:
            continue
        if session.channel != channel and not (
            channel in _REFERRING and hint is not None and session.channel not in _REFERRING
        ):
            continue
        if honoured if session.channel == channel else session.honoured:
            return session
        if not session.ended and at - session.last <= session.gap:
            return session
    return None


def _extend(session: OpenSession, one: Interaction, rule: SessionRule) -> None:
    if one.at < session.started:  # older than the base it is folded on
        session.started = one.at
    if one.at > session.last:
        session.last = one.at
    session.count += 1
    session.closed = session.ended = False
    one.session = session.serial
    if one.stamps is not None:
        _adopt(session, one, one.stamps.get(SESSION_STAMP, 0))
    if rule.background_gap is not None:
        gone = BACKGROUND in one.signals
        session.gap = rule.background_gap if gone else rule.gap
    if one.signals and not ENDS.isdisjoint(one.signals):
        session.ended = True


def _adopt(session: OpenSession, one: Interaction, stamp: int) -> None:
    """Go on under an id that was published already; a second such id is absorbed.

    So is one of another channel: a note that came before the call it refers to.
    """
    if opened(one, session):
        session.revision, session.live = abs(stamp), stamp > 0
    elif stamp > 0 and not session.live and session.channel == one.channel:
        session.opener, session.revision, session.live = one.id, stamp, True
        session.id = session_of(one)


def opened(one: Interaction, session: OpenSession) -> bool:
    """Whether a session is named by this interaction: others may have its id, of other sources."""
    return session.opener == one.id and session.id == session_of(one)


def machines_of(
    tail: Sequence[Interaction], known: Sequence[OpenSession], rules: Rules
) -> frozenset[int]:
    """Serial numbers of the sessions that are, or become, a machine's; see `is_machine`.

    Args:
        tail: Sorted.
        known: The sessions that it goes on from; left as they are.
        rules: The limit and its window.
    """
    limit, window = rules.verdicts.machine_touchpoints, rules.verdicts.machine_window
    if len(tail) <= limit:
        return frozenset(session.serial for session in known if session.machine)
    sessions = [copy(session) for session in known]
    found = {session.serial for session in sessions if session.machine}
    times: dict[int, list[datetime]] = {}
    for one in tail:
        session, _ = join(sessions, one, rules)
        seen = times.setdefault(session.serial, [])
        seen.append(one.at)
        if len(seen) > limit and seen[-limit - 1] >= one.at - window:
            found.add(session.serial)
    return frozenset(found)


def is_machine(session: OpenSession, tail: Sequence[Interaction], rules: Rules) -> bool:
    """Whether the last touchpoints of a session came faster than a person makes them.

    More than 100 touchpoints within 100 s are a machine. Source: Adobe Analytics' bot rule.
    """
    limit = rules.verdicts.machine_touchpoints
    if session.machine or session.count <= limit:
        return session.machine
    since, seen = session.last - rules.verdicts.machine_window, 0
    for one in reversed(tail):
        if one.at < since:
            return False
        if one.session == session.serial:
            seen += 1
            if seen > limit:
                return True
    return False


def is_short_call(session: OpenSession, rules: Rules) -> bool:
    """A call that was hung up at once: kept, not judged. Source: Webex's short-call threshold."""
    if session.channel != "ivr" or session.count < 2:
        return False
    return session.last - session.started < rules.verdicts.call_length_min


def one_too_many(going: Sequence[OpenSession]) -> OpenSession:
    """Of `SESSIONS_MAX` that are open, the one to be closed before another is opened.

    What comes of it before its gap has passed opens it again.
    """
    return min(going, key=lambda one: (one.last, one.serial))
