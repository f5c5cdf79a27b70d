"""Sessions of one customer: who sits with whom, decided by looking back over all before."""

from dataclasses import dataclass, field
from datetime import timedelta

from pipeline.stitching.rules import Rules, SessionRule
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

    @property
    def gap(self) -> timedelta:
        """Five minutes once the app was sent to the background, until the app is seen again."""
        seen = [one for one in self.members if one.channel == self.channel][-1]
        if self.rule.background_gap is not None and "background" in seen.signals:
            return self.rule.background_gap
        return self.rule.gap


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
