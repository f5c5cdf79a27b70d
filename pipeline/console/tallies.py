"""Tallies: what one result adds to the sums that pages are made of.

A result that is revised takes what it added before away, and adds anew: sums stay those of the
last revisions, whatever the order. Sums are by the hour and by the day (of UTC) in which a journey
ended, or in which an interaction happened.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final

from pipeline.console.store import TALLY_HOURS, hour_of
from schemas.records import JourneyOutcome, Verdict

ENDED: Final = {"completed": 0, "frustrated": 1, "abandoned": 2}
"""Outcomes that count, and their place in a sum; the others take a journey's outcome back."""

JUDGED: Final = {"broken": 0, "functional": 1, "excellent": 2, None: 3}
"""Verdicts, and their place in a sum."""

NO_MISSION: Final = ""
"""The mission of interactions that serve none; in votes: of the touchpoint as a whole."""

STEP: Final = "\x1f"
"""Stands between the touchpoints of a path."""

STEPS_MAX: Final = 24
"""Touchpoints of a path that tell it from others; longer ones are cut there (P)."""

JourneyKey = tuple[int, str, str, int, str]
"""Width, kind, mission, start, name. Kinds: `all`, `phase`, `path`, `cost` (the touchpoint that
cost the mission), `ending` (the rule that decided), `objective` (met counts as completed, else
frustrated), `segment`."""

TouchpointKey = tuple[int, int, str]
"""Width, start, touchpoint."""

VerdictKey = tuple[int, str, int, str]
"""Width, touchpoint, start, mission."""

ReasonKey = tuple[int, str, int, str, str]
"""Width, touchpoint, start, mission, rule."""


ANSWERED: Final = "answered_"
"""With which the rules begin that tell what a customer answered; what follows is the scale."""

AnswerKey = tuple[int, str, int, str, str]
"""Width, touchpoint, start, mission, scale."""

_ADD_JUDGED: Final = (
    "ON CONFLICT DO UPDATE SET broken = broken + excluded.broken,"
    " functional = functional + excluded.functional, excellent = excellent + excluded.excellent,"
    " unjudged = unjudged + excluded.unjudged"
)


class Tallies:
    """The changes of sums that a batch of results makes."""

    def __init__(self) -> None:
        self.journeys: Final[dict[JourneyKey, list[float]]] = {}
        self.touchpoints: Final[dict[TouchpointKey, list[int]]] = {}
        self.verdicts: Final[dict[VerdictKey, list[int]]] = {}
        self.reasons: Final[dict[ReasonKey, int]] = {}
        self.answers: Final[dict[AnswerKey, list[float]]] = {}

    def add_to(self, connection: sqlite3.Connection) -> None:
        """Add the changes to the sums of the store, within a transaction of the caller's."""
        connection.executemany(
            "INSERT INTO journey_tallies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET completed = completed + excluded.completed,"
            " frustrated = frustrated + excluded.frustrated,"
            " abandoned = abandoned + excluded.abandoned, effort = effort + excluded.effort,"
            " value = value + excluded.value",
            [(*key, *sums) for key, sums in self.journeys.items() if any(sums)],
        )
        connection.executemany(
            f"INSERT INTO verdict_tallies VALUES (?, ?, ?, ?, ?, ?, ?, ?) {_ADD_JUDGED}",
            [(*key, *sums) for key, sums in self.verdicts.items() if any(sums)],
        )
        connection.executemany(
            f"INSERT INTO touchpoint_tallies VALUES (?, ?, ?, ?, ?, ?, ?) {_ADD_JUDGED}",
            [(*key, *sums) for key, sums in self.touchpoints.items() if any(sums)],
        )
        connection.executemany(
            "INSERT INTO reason_tallies VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET broken = broken + excluded.broken",
            [(*key, change) for key, change in self.reasons.items() if change],
        )
        connection.executemany(
            "INSERT INTO answer_tallies VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET answers = answers + excluded.answers, total = total + excluded.total",
            [(*key, *sums) for key, sums in self.answers.items() if any(sums)],
        )

    def journey(self, one: JourneyOutcome, sign: int) -> None:
        """Add a journey (`sign` 1), or take it away (-1)."""
        place = ENDED.get(one.outcome)
        if place is None:
            return
        hour, value = hour_of(one.ended_at), one.value or 0.0
        names = list(_names_of(one))
        for width in TALLY_HOURS:
            start = hour - hour % width
            for kind, name in names:
                sums = self._sums(width, kind, one.mission, start, name)
                sums[place] += sign
                sums[3] += sign * one.effort
                sums[4] += sign * value
            for name, met in one.objectives.items():
                sums = self._sums(width, "objective", one.mission, start, name)
                sums[0 if met else 1] += sign

    def _sums(self, *key: *JourneyKey) -> list[float]:
        found = self.journeys.get(key)
        if found is None:
            found = self.journeys[key] = [0, 0, 0, 0.0, 0.0]
        return found

    def verdict(self, one: Verdict, sign: int) -> None:
        """Add a verdict (`sign` 1), or take it away (-1)."""
        hour, mission = hour_of(one.occurred_at), one.mission or NO_MISSION
        touchpoint, place = one.touchpoint, JUDGED[one.verdict]
        rules = {reason.rule for reason in one.reasons} if one.verdict == "broken" else ()
        answers = [
            (reason.rule.removeprefix(ANSWERED), reason.value)
            for reason in one.reasons
            if reason.rule.startswith(ANSWERED) and isinstance(reason.value, int | float)
        ]
        for width in TALLY_HOURS:
            start = hour - hour % width
            sums = self.verdicts.setdefault((width, touchpoint, start, mission), [0, 0, 0, 0])
            sums[place] += sign
            sums = self.touchpoints.setdefault((width, start, touchpoint), [0, 0, 0, 0])
            sums[place] += sign
            for rule in rules:
                key = (width, touchpoint, start, mission, rule)
                self.reasons[key] = self.reasons.get(key, 0) + sign
            for scale, value in answers:
                said = self.answers.setdefault((width, touchpoint, start, mission, scale), [0, 0.0])
                said[0] += sign
                said[1] += sign * value


def path_of(touchpoints: tuple[str, ...]) -> str:
    """A path as it is told from others."""
    return STEP.join(touchpoints[:STEPS_MAX])


def _names_of(one: JourneyOutcome) -> Iterator[tuple[str, str]]:
    yield "all", ""
    yield "path", path_of(one.microjourney)
    yield "ending", one.reason
    for phase in one.phases:
        yield "phase", phase
    if one.broke_at is not None:
        yield "cost", one.broke_at
    if one.segment is not None:
        yield "segment", one.segment
