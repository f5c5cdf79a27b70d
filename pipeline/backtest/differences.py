"""What differs between what two catalogues make of one log.

Interactions are matched by their touchpoint's own id, sessions and journeys by theirs, which derive
from the touchpoint that opened them. Alerts are matched by series and time, since one that fires
a minute sooner has another id. Same input, same value, whatever the order of dictionaries.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from pipeline.backtest.sides import Said
from schemas.records import Alert, JourneyOutcome, Reason, Session, Verdict

R = TypeVar("R", Session, JourneyOutcome, Verdict)

EXAMPLES_MAX: Final = 3
"""Examples of each kind of change (P): enough to look one up, few enough to read."""

NONE: Final = "-"
"""Stands for what is not there on one side, or has no mission, or is not judged."""

_END: Final = datetime.max.replace(tzinfo=UTC)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the comparison."""


class Example(Part, frozen=True):
    """One thing that changed.

    Attributes:
        id: Of the touchpoint, or of the touchpoints of a journey: something to look up.
        before, after: What was said of it.
        why_before, why_after: The rules that decided.
        at: When it happened.
    """

    id: tuple[str, ...]
    before: str
    after: str
    why_before: str
    why_after: str
    at: datetime


class Change(Part, frozen=True):
    """One kind of change: so many went from `before` to `after`."""

    before: str
    after: str
    count: int
    examples: tuple[Example, ...]


class OfMission(Part, frozen=True):
    """What changes for one mission, or for interactions of none (`-`).

    Attributes:
        outcomes_before, outcomes_after: Journeys by outcome.
        outcomes: How outcomes change; a journey that is not there on one side is `-` there.
        verdicts_before, verdicts_after: Interactions by verdict; by their mission on that side.
        verdicts: How verdicts change, of interactions that had this mission before or, having
            had none, have it after.
        moved: Interactions that this mission has gained less those that it has lost.
    """

    mission: str
    outcomes_before: dict[str, int]
    outcomes_after: dict[str, int]
    outcomes: tuple[Change, ...]
    verdicts_before: dict[str, int]
    verdicts_after: dict[str, int]
    verdicts: tuple[Change, ...]
    moved: int


class Sessions(Part, frozen=True):
    """How sessions change: `gone` and `new` ones, and those that are cut otherwise."""

    before: int
    after: int
    gone: int
    new: int
    cut_otherwise: int
    examples: tuple[Example, ...]


class AlertShown(Part, frozen=True):
    """An alert in short."""

    touchpoint: str
    mission: str | None
    since: datetime
    state: str
    sentence: str


class Moved(Part, frozen=True):
    """An alert of both sides that is raised at another minute, or ends otherwise."""

    before: AlertShown
    after: AlertShown


class Differences(Part, frozen=True):
    """All that would change.

    Attributes:
        touchpoints: How many interactions both sides judged.
        recognised: Interactions that are another touchpoint of the inventory, as `Change`s.
        raised, gone: Alerts that only the one or the other catalogue raises.
    """

    touchpoints: int
    sessions: Sessions
    recognised: tuple[Change, ...]
    missions: tuple[OfMission, ...]
    raised: tuple[AlertShown, ...]
    gone: tuple[AlertShown, ...]
    moved: tuple[Moved, ...]

    @property
    def nothing(self) -> bool:
        """Whether nothing would change at all."""
        sessions = self.sessions
        return not (
            sessions.gone
            or sessions.new
            or sessions.cut_otherwise
            or self.recognised
            or self.raised
            or self.gone
            or self.moved
            or any(one.outcomes or one.verdicts or one.moved for one in self.missions)
        )


def differences(before: Said, after: Said) -> Differences:
    """Compare what two sides said."""
    names = {one.mission for said in (before, after) for one in said.journeys.values()}
    names |= {one.mission or NONE for said in (before, after) for one in said.verdicts.values()}
    raised, gone, moved = _alerts(before.alerts.values(), after.alerts.values())
    return Differences(
        touchpoints=len(before.verdicts.keys() | after.verdicts.keys()),
        sessions=_sessions(before.sessions, after.sessions),
        recognised=_recognised(before.verdicts, after.verdicts),
        missions=tuple(_of_mission(name, before, after) for name in sorted(names)),
        raised=raised,
        gone=gone,
        moved=moved,
    )


def _of_mission(name: str, before: Said, after: Said) -> OfMission:
    here_before = _of(before.journeys, lambda one: one.mission == name)
    here_after = _of(after.journeys, lambda one: one.mission == name)
    judged_before = _of(before.verdicts, lambda one: (one.mission or NONE) == name)
    judged_after = _of(after.verdicts, lambda one: (one.mission or NONE) == name)
    keys = judged_before.keys() | {
        key
        for key in judged_after
        if key not in before.verdicts or not before.verdicts[key].mission
    }
    return OfMission(
        mission=name,
        outcomes_before=_tally(one.outcome for one in here_before.values()),
        outcomes_after=_tally(one.outcome for one in here_after.values()),
        outcomes=_changes(
            _pairs(here_before.keys() | here_after.keys(), here_before, here_after),
            lambda one: one.outcome,
            _of_journey(before, after),
        ),
        verdicts_before=_tally(one.verdict or NONE for one in judged_before.values()),
        verdicts_after=_tally(one.verdict or NONE for one in judged_after.values()),
        verdicts=_changes(
            _pairs(keys, before.verdicts, after.verdicts),
            lambda one: one.verdict or NONE,
            lambda pair: _of_verdict(pair, _judged),
        ),
        moved=len(judged_after) - len(judged_before),
    )


def _of(records: Mapping[str, R], wanted: Callable[[R], bool]) -> dict[str, R]:
    return {key: one for key, one in records.items() if wanted(one)}


def _tally(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _pairs(
    keys: Iterable[str], before: Mapping[str, R], after: Mapping[str, R]
) -> list[tuple[R | None, R | None]]:
    return [(before.get(key), after.get(key)) for key in sorted(keys)]


def _changes(
    pairs: Sequence[tuple[R | None, R | None]],
    word: Callable[[R], str],
    example: Callable[[tuple[R | None, R | None]], Example],
) -> tuple[Change, ...]:
    """Every kind of change with its number and its first examples, the most frequent first."""
    kinds: dict[tuple[str, str], list[tuple[R | None, R | None]]] = {}
    for pair in pairs:
        was, now = (NONE if one is None else word(one) for one in pair)
        if was != now:
            kinds.setdefault((was, now), []).append(pair)
    found = []
    for (was, now), changed in kinds.items():
        shown = sorted(map(example, changed), key=lambda one: (one.at, one.id))[:EXAMPLES_MAX]
        found.append(Change(before=was, after=now, count=len(changed), examples=tuple(shown)))
    return tuple(sorted(found, key=lambda one: (-one.count, one.before, one.after)))


def _recognised(before: Mapping[str, Verdict], after: Mapping[str, Verdict]) -> tuple[Change, ...]:
    return _changes(
        _pairs(before.keys() & after.keys(), before, after),
        lambda one: one.touchpoint,
        lambda pair: _of_verdict(pair, lambda one: one.touchpoint),
    )


def _judged(one: Verdict) -> str:
    return f"{one.touchpoint} {one.verdict or 'not judged'}"


def _of_verdict(
    pair: tuple[Verdict | None, Verdict | None], word: Callable[[Verdict], str]
) -> Example:
    was, now = pair
    one = was or now
    assert one is not None
    return Example(
        id=(one.ref,),
        before=NONE if was is None else word(was),
        after=NONE if now is None else word(now),
        why_before=NONE if was is None else _rules(was.reasons),
        why_after=NONE if now is None else _rules(now.reasons),
        at=one.occurred_at,
    )


def _of_journey(
    before: Said, after: Said
) -> Callable[[tuple[JourneyOutcome | None, JourneyOutcome | None]], Example]:
    """Makes an example of a journey, which is told by the touchpoints that it holds."""
    held: dict[str, list[tuple[datetime, str]]] = {}
    for said in (before, after):
        for verdict in said.verdicts.values():
            if verdict.journey_id is not None:
                key = held.setdefault(verdict.journey_id, [])
                key.append((verdict.occurred_at, verdict.ref))

    def example(pair: tuple[JourneyOutcome | None, JourneyOutcome | None]) -> Example:
        was, now = pair
        one = was or now
        assert one is not None
        return Example(
            id=tuple(key for _, key in sorted(set(held.get(one.journey_id, ())))),
            before=NONE if was is None else was.outcome,
            after=NONE if now is None else now.outcome,
            why_before=_why(was),
            why_after=_why(now),
            at=one.started_at,
        )

    return example


def _why(one: JourneyOutcome | None) -> str:
    if one is None:
        return NONE
    return one.reason if one.broke_at is None else f"{one.reason} at {one.broke_at}"


def _rules(reasons: Sequence[Reason]) -> str:
    return ", ".join(map(_rule, reasons)) or "no rule"


def _rule(one: Reason) -> str:
    if one.value is None:
        return one.rule
    return f"{one.rule} {one.value if isinstance(one.value, str) else f'{one.value:g}'}"


def _sessions(before: Mapping[str, Session], after: Mapping[str, Session]) -> Sessions:
    pairs = _pairs(before.keys() | after.keys(), before, after)
    cut = [
        (was, now)
        for was, now in pairs
        if was is not None
        and now is not None
        and (was.count, was.started_at, was.ended_at) != (now.count, now.started_at, now.ended_at)
    ]
    examples = [
        Example(
            id=(was.session_id,),
            before=f"{was.count} touchpoints until {was.ended_at:%H:%M:%S}",
            after=f"{now.count} touchpoints until {now.ended_at:%H:%M:%S}",
            why_before=NONE,
            why_after=NONE,
            at=was.started_at,
        )
        for was, now in cut
    ]
    examples.sort(key=lambda one: (one.at, one.id))
    return Sessions(
        before=len(before),
        after=len(after),
        gone=len(before.keys() - after.keys()),
        new=len(after.keys() - before.keys()),
        cut_otherwise=len(cut),
        examples=tuple(examples[:EXAMPLES_MAX]),
    )


def _alerts(
    before: Iterable[Alert], after: Iterable[Alert]
) -> tuple[tuple[AlertShown, ...], tuple[AlertShown, ...], tuple[Moved, ...]]:
    """Alerts raised, gone and moved: of one series, those whose times meet are the same."""
    left = sorted(after, key=_order)
    gone, moved = [], []
    for was in sorted(before, key=_order):
        now = next((one for one in left if _meet(was, one)), None)
        if now is None:
            gone.append(_shown(was))
            continue
        left.remove(now)
        if _shown(was) != _shown(now):
            moved.append(Moved(before=_shown(was), after=_shown(now)))
    return tuple(map(_shown, left)), tuple(gone), tuple(moved)


def _order(one: Alert) -> tuple[datetime, str, str, str]:
    return (one.since, one.touchpoint, one.mission or "", one.id)


def _meet(one: Alert, other: Alert) -> bool:
    if (one.touchpoint, one.mission) != (other.touchpoint, other.mission):
        return False
    return one.since <= (other.resolved_at or _END) and other.since <= (one.resolved_at or _END)


def _shown(one: Alert) -> AlertShown:
    return AlertShown(
        touchpoint=one.touchpoint,
        mission=one.mission,
        since=one.since,
        state=one.state,
        sentence=one.sentence,
    )
