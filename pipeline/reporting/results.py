"""The results that a report is about: the last revision of each, joined by journey."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from schemas.records import JourneyOutcome, Record, Verdict

TAKEN_BACK: Final = frozenset({"open", "absorbed"})
"""Outcomes that say that a journey has none."""


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """A journey that ended, with what happened in it.

    Attributes:
        interactions: Its verdicts in the order of time. Empty where they are no longer kept:
            outcomes are kept longer than verdicts.
    """

    outcome: JourneyOutcome
    interactions: tuple[Verdict, ...]

    @property
    def completed(self) -> bool:
        """Whether the customer got what they came for."""
        return self.outcome.outcome == "completed"

    @property
    def path(self) -> tuple[str, ...]:
        """The touchpoints in order, as far as they are known."""
        if self.interactions:
            return tuple(one.touchpoint for one in self.interactions)
        return self.outcome.microjourney

    @property
    def way(self) -> tuple[Verdict, ...]:
        """The interactions that led somewhere: being asked about it is no part of the way."""
        return tuple(one for one in self.interactions if one.channel != "survey")


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is made of.

    Attributes:
        journeys: Those that ended.
        alone: Verdicts on interactions of no journey.
        open_journeys: How many journeys have begun and not ended.
        open_interactions: The verdicts of those.
    """

    journeys: tuple[Journey, ...] = ()
    alone: tuple[Verdict, ...] = ()
    open_journeys: int = 0
    open_interactions: tuple[Verdict, ...] = ()

    def verdicts(self) -> Iterable[Verdict]:
        """All of them, whatever they belong to."""
        for journey in self.journeys:
            yield from journey.interactions
        yield from self.alone
        yield from self.open_interactions


class Gathering:
    """Takes records as they come, in any order, and keeps the last revision of each."""

    def __init__(self) -> None:
        self._outcomes: Final[dict[str, JourneyOutcome]] = {}
        self._verdicts: Final[dict[str, Verdict]] = {}

    def add(self, record: Record) -> None:
        """Take one; what is neither an outcome nor a verdict is passed over."""
        if isinstance(record, JourneyOutcome):
            known = self._outcomes.get(record.journey_id)
            if known is None or known.revision <= record.revision:
                self._outcomes[record.journey_id] = record
        elif isinstance(record, Verdict):
            judged = self._verdicts.get(record.ref)
            if judged is None or judged.revision <= record.revision:
                self._verdicts[record.ref] = record

    def results(
        self,
        *,
        mission: str | None = None,
        segment: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Results:
        """What was gathered.

        Args:
            mission: Only journeys towards it, and what happened in them.
            segment: Only journeys of this kind of customers, and what happened in them: nothing
                else says whose it is.
            since: Only journeys that ended from then on, with everything that happened in them;
                of what belongs to no ended journey only what happened from then on.
            until: Likewise, before then.
        """
        ended = {key: one for key, one in self._outcomes.items() if one.outcome not in TAKEN_BACK}
        wanted = {
            key: one
            for key, one in ended.items()
            if _within(one.ended_at, since, until)
            and mission in (None, one.mission)
            and segment in (None, one.segment)
        }
        of_journeys: dict[str, list[Verdict]] = {}
        alone: list[Verdict] = []
        still_open: list[Verdict] = []
        for verdict in sorted(self._verdicts.values(), key=when_of):
            journey = verdict.journey_id
            if journey in wanted:
                of_journeys.setdefault(journey, []).append(verdict)
            elif journey in ended or segment is not None or mission not in (None, verdict.mission):
                continue
            elif _within(verdict.occurred_at, since, until):
                (alone if journey is None else still_open).append(verdict)
        return Results(
            journeys=tuple(
                Journey(
                    outcome=one,
                    interactions=tuple(of_journeys.get(key, ())),
                )
                for key, one in sorted(
                    wanted.items(), key=lambda item: (item[1].started_at, item[0])
                )
            ),
            alone=tuple(alone),
            open_journeys=len({one.journey_id for one in still_open}),
            open_interactions=tuple(still_open),
        )


def when_of(one: Verdict) -> tuple[datetime, str, str]:
    """What interactions are sorted by: time, then id, then source."""
    return (one.occurred_at, one.id, one.source)


def _within(at: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or since <= at) and (until is None or at < until)
