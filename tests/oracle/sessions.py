"""Sessions of one customer: who sits with whom, decided by looking back over all before."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from pipeline.stitching.rules import Rules, SessionRule, VerdictRules
from schemas.records import Touchpoint
from tests.oracle.customers import Claimed

ENDS = {"logout", "session_end", "hangup", "hangup_by_system", "bot_end"}
REFERRING = {"survey", "agent"}


@dataclass
class Sitting:
    """A session: its members in order, the first of which gave it channel and key."""

    key: str
    rule: SessionRule
    honoured: bool
    members: list[Touchpoint] = field(default_factory=list)

    @property
    def channel(self) -> str:
        return self.members[0].channel

    def is_over(self, one: Touchpoint) -> bool:
        """Whether what a touchpoint without an honoured id sees of it has ended."""
        last = self.members[-1]
        return bool(ENDS & set(last.signals)) or one.occurred_at - last.occurred_at > self.gap

    def is_machine(self, limits: VerdictRules) -> bool:
        """Whether more touchpoints than a person makes lie within the machine's window."""
        times = [one.occurred_at for one in self.members]
        spans = zip(times, times[limits.machine_touchpoints :], strict=False)
        return any(last - first <= limits.machine_window for first, last in spans)

    @property
    def gap(self) -> timedelta:
        """Five minutes once the app was sent to the background, until the app is seen again."""
        seen = [one for one in self.members if one.channel == self.channel][-1]
        if self.rule.background_gap is not None and "background" in seen.signals:
            return self.rule.background_gap
        return self.rule.gap


def in_order(touchpoints: list[Touchpoint], rules: Rules) -> list[Touchpoint]:
    """One customer's, sorted by time, each session's times dealt out by the emitter's numbers."""
    emitters: dict[tuple[str, str, str], list[Touchpoint]] = defaultdict(list)
    for one in sorted(touchpoints, key=order_of):
        if one.sequence is not None and one.session_hint is not None:
            emitters[one.channel, one.source, one.session_hint].append(one)
    dealt = {}
    for ones in emitters.values():
        rule = rules.source_sessions.get(
            (ones[0].source, ones[0].channel), rules.sessions[ones[0].channel]
        )
        while ones:
            run = [ones.pop(0)]
            while ones and ones[0].occurred_at - run[0].occurred_at <= rule.length_max:
                silence = ones[0].occurred_at - run[-1].occurred_at
                if rule.hint == "split" and silence > rule.gap:
                    break
                run.append(ones.pop(0))
            numbers = sorted(run, key=lambda one: one.sequence or 0)
            for one, place in zip(numbers, run, strict=True):
                dealt[one.ref] = msgspec.structs.replace(one, occurred_at=place.occurred_at)
    return sorted((dealt.get(one.ref, one) for one in touchpoints), key=order_of)


def order_of(one: Touchpoint) -> tuple[object, ...]:
    """Time, then number, then id, then source; a number without a session says nothing."""
    unnumbered = one.sequence is None or one.session_hint is None
    return one.occurred_at, -1 if unnumbered else one.sequence, one.id, one.source


def sessions_of(touchpoints: list[Touchpoint], claimed: Claimed, rules: Rules) -> list[Sitting]:
    """Cut one customer's touchpoints, sorted, into sessions, in the order they were opened."""
    sessions: list[Sitting] = []
    for one in touchpoints:
        rule = rules.source_sessions.get((one.source, one.channel), rules.sessions[one.channel])
        key = one.session_hint or claimed.node_of(one)
        honoured = one.session_hint is not None and rule.hint == "honour"
        for session in reversed(sessions):
            if session.key == key and _fits(session, one, honoured=honoured):
                session.members.append(one)
                break
        else:
            sessions.append(Sitting(key, rule, honoured, [one]))
    return sessions


def _fits(session: Sitting, one: Touchpoint, *, honoured: bool) -> bool:
    first = session.members[0]
    if one.occurred_at - first.occurred_at > session.rule.length_max:
        return False
    if session.channel == one.channel:
        return honoured or not session.is_over(one)
    refers = one.channel in REFERRING and one.session_hint is not None
    if not refers or session.channel in REFERRING:
        return False
    return session.honoured or not session.is_over(one)
