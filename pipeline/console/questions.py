"""Questions to the store: rows of sums for pages, each answered by an index.

What is asked about single results - alerts, journeys, one customer - stands in `lookups`.
Missions are `""` for what serves none, and in votes for a touchpoint as a whole.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pipeline.console.store import SPAN_MINUTES

SHORT, LONG, WHOLE = SPAN_MINUTES

PARTITION_MANY: Final = 400
"""Series whose trend is asked for at once."""


class Cast(NamedTuple):
    """Votes of one series in a window; a vote is one customer in one session."""

    series: int
    touchpoint: str
    mission: str
    votes: int
    broken: int
    customers: int

    @property
    def share(self) -> float:
        """The share of votes that is broken."""
        return self.broken / self.votes if self.votes else 0.0


class Point(NamedTuple):
    """Votes of a span of time, which begins at `minute` since 1970."""

    minute: int
    votes: int
    broken: int


class Ended(NamedTuple):
    """Journeys that ended, under a name: a phase, a path; with sums of effort and value."""

    name: str
    completed: int
    frustrated: int
    abandoned: int
    effort: float
    value: float

    @property
    def journeys(self) -> int:
        """All of them."""
        return self.completed + self.frustrated + self.abandoned

    @property
    def lost(self) -> int:
        """Those that were not completed."""
        return self.frustrated + self.abandoned


class Judged(NamedTuple):
    """Interactions under a name, as they were judged."""

    name: str
    broken: int
    functional: int
    excellent: int
    unjudged: int

    @property
    def interactions(self) -> int:
        """All of them."""
        return self.broken + self.functional + self.excellent + self.unjudged

    @property
    def judged(self) -> int:
        """Those that were judged."""
        return self.broken + self.functional + self.excellent


class Answers(NamedTuple):
    """What customers answered on a scale: how many did, and their mean."""

    scale: str
    answers: int
    mean: float


class Refused(NamedTuple):
    """Dead letters of one source for one reason; `last` in milliseconds."""

    source: str
    reason: str
    letters: int
    last: int
    place: str
    expected: str


class Hours(NamedTuple):
    """From which hour on, since 1970, and added up over how many: hours, or days of UTC."""

    first: int
    width: int


class Questions:
    """Asks the store; used by one thread at a time.

    Args:
        connection: A reading one.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def latest(self) -> int | None:
        """When the newest event happened, in milliseconds; None where there never was one."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = 'latest'").fetchone()
        return None if row is None else int(row[0])

    def version(self) -> int:
        """Changes with every commit to the store."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def cast(self, width: int, first: int, mission: str | None = None) -> list[Cast]:
        """Votes of every series in all spans of a width from the minute `first` on."""
        rows = self._connection.execute(
            "SELECT id, touchpoint, mission, votes, broken, customers FROM (SELECT series,"
            " sum(votes) AS votes, sum(broken) AS broken, sum(customers) AS customers FROM spans"
            " WHERE width = ? AND start >= ? GROUP BY series) JOIN series ON id = series"
            " WHERE votes > 0" + ("" if mission is None else " AND mission IN ('', ?)"),
            (width, first) if mission is None else (width, first, mission),
        )
        return [Cast(*row) for row in rows]

    def trends(
        self, series: Sequence[int], width: int, starts: Sequence[int]
    ) -> dict[int, dict[int, tuple[int, int]]]:
        """By series and the beginning of a span: votes, and broken ones."""
        found: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
        for at in range(0, len(series), PARTITION_MANY):
            some = series[at : at + PARTITION_MANY]
            rows = self._connection.execute(
                "SELECT series, start, votes, broken FROM spans WHERE width = ?"
                f" AND start IN ({_marks(starts)}) AND series IN ({_marks(some)})",
                (width, *starts, *some),
            )
            for number, start, votes, broken in rows:
                found[number][start] = (votes, broken)
        return found

    def course(self, touchpoint: str, mission: str, first: int, last: int) -> list[Point]:
        """Votes of one series by the minute, of the minutes from `first` to `last`."""
        rows = self._connection.execute(
            "SELECT minute, sum(votes), sum(broken) FROM minutes WHERE series ="
            " (SELECT id FROM series WHERE touchpoint = ? AND mission = ?)"
            " AND minute BETWEEN ? AND ? GROUP BY minute ORDER BY minute",
            (touchpoint, mission, first, last),
        )
        return [Point(*row) for row in rows]

    def spans(self, touchpoint: str, mission: str, width: int, first: int) -> list[Point]:
        """Votes of one series by spans of a width, from the minute `first` on."""
        row = self._connection.execute(
            "SELECT id FROM series WHERE touchpoint = ? AND mission = ?", (touchpoint, mission)
        ).fetchone()
        if row is None:
            return []
        (newest,) = self._connection.execute(
            "SELECT coalesce(max(start), 0) FROM spans WHERE width = ?", (width,)
        ).fetchone()
        starts = range(first - first % width, newest + 1, width)
        found = self.trends([row[0]], width, starts)[row[0]]
        return [Point(start, *found[start]) for start in starts if start in found]

    def ended(self, kind: str, mission: str, hours: Hours, limit: int = -1) -> list[Ended]:
        """Journeys towards a mission by name; most first."""
        rows = self._connection.execute(
            "SELECT name, sum(completed), sum(frustrated), sum(abandoned), sum(effort), sum(value)"
            " FROM journey_tallies WHERE width = ? AND kind = ? AND mission = ? AND start >= ?"
            " GROUP BY name ORDER BY sum(completed + frustrated + abandoned) DESC, name LIMIT ?",
            (hours.width, kind, mission, hours.first, limit),
        )
        return [one for one in (Ended(*row) for row in rows) if one.journeys > 0]

    def names(self, kind: str, mission: str, hours: Hours) -> int:
        """Under how many names of a kind there are journeys."""
        (count,) = self._connection.execute(
            "SELECT count(DISTINCT name) FROM journey_tallies"
            " WHERE width = ? AND kind = ? AND mission = ? AND start >= ?",
            (hours.width, kind, mission, hours.first),
        ).fetchone()
        return int(count)

    def missions(self, hours: Hours) -> list[Ended]:
        """Journeys by mission; most first."""
        found = [
            one._replace(name=mission)
            for mission in self._missions(hours.width)
            for one in self.ended("all", mission, hours)
        ]
        return sorted(found, key=lambda one: (-one.journeys, one.name))

    def course_of(self, mission: str, hours: Hours) -> list[tuple[int, Ended]]:
        """Journeys towards a mission by the hour, or the day, in which they ended."""
        rows = self._connection.execute(
            "SELECT start, '', completed, frustrated, abandoned, effort, value"
            " FROM journey_tallies WHERE width = ? AND kind = 'all' AND mission = ? AND start >= ?"
            " ORDER BY start",
            (hours.width, mission, hours.first),
        )
        return [(row[0], Ended(*row[1:])) for row in rows]

    def costs(self, hours: Hours) -> list[tuple[str, Ended]]:
        """By mission: journeys lost, under the touchpoint that cost them."""
        return [
            (mission, one)
            for mission in self._missions(hours.width)
            for one in self.ended("cost", mission, hours)
            if one.lost > 0
        ]

    def judged(self, touchpoint: str, hours: Hours) -> list[Judged]:
        """Interactions at a touchpoint by mission; most first."""
        rows = self._connection.execute(
            "SELECT mission, sum(broken), sum(functional), sum(excellent), sum(unjudged)"
            " FROM verdict_tallies WHERE width = ? AND touchpoint = ? AND start >= ?"
            " GROUP BY mission ORDER BY sum(broken + functional + excellent + unjudged) DESC",
            (hours.width, touchpoint, hours.first),
        )
        return [one for one in (Judged(*row) for row in rows) if one.interactions > 0]

    def judged_over_time(
        self, touchpoint: str, hours: Hours, mission: str | None
    ) -> list[tuple[int, Judged]]:
        """Interactions at a touchpoint by the hour or day; of one mission, or of all."""
        rows = self._connection.execute(
            "SELECT start, '', sum(broken), sum(functional), sum(excellent), sum(unjudged)"
            " FROM verdict_tallies WHERE width = ? AND touchpoint = ? AND start >= ?"
            + ("" if mission is None else " AND mission = ?")
            + " GROUP BY start ORDER BY start",
            (hours.width, touchpoint, hours.first, *([] if mission is None else [mission])),
        )
        return [(row[0], Judged(*row[1:])) for row in rows]

    def touchpoints(self, hours: Hours) -> list[Judged]:
        """Interactions by touchpoint; most first."""
        rows = self._connection.execute(
            "SELECT touchpoint, sum(broken), sum(functional), sum(excellent), sum(unjudged)"
            " FROM touchpoint_tallies WHERE width = ? AND start >= ? GROUP BY touchpoint"
            " ORDER BY sum(broken + functional + excellent + unjudged) DESC",
            (hours.width, hours.first),
        )
        return [one for one in (Judged(*row) for row in rows) if one.interactions > 0]

    def reasons(self, touchpoint: str, hours: Hours, mission: str | None) -> list[tuple[str, int]]:
        """Why interactions at a touchpoint were judged broken, and how often each; most first."""
        rows = self._connection.execute(
            "SELECT rule, sum(broken) FROM reason_tallies"
            " WHERE width = ? AND touchpoint = ? AND start >= ?"
            + ("" if mission is None else " AND mission = ?")
            + " GROUP BY rule ORDER BY sum(broken) DESC, rule",
            (hours.width, touchpoint, hours.first, *([] if mission is None else [mission])),
        )
        return [(rule, count) for rule, count in rows if count > 0]

    def answers(self, touchpoint: str, hours: Hours, mission: str | None) -> list[Answers]:
        """What customers answered when they were asked about a touchpoint, by scale."""
        rows = self._connection.execute(
            "SELECT scale, sum(answers), sum(total) FROM answer_tallies"
            " WHERE width = ? AND touchpoint = ? AND start >= ?"
            + ("" if mission is None else " AND mission = ?")
            + " GROUP BY scale ORDER BY sum(answers) DESC, scale",
            (hours.width, touchpoint, hours.first, *([] if mission is None else [mission])),
        )
        return [Answers(scale, count, total / count) for scale, count, total in rows if count > 0]

    def _missions(self, width: int) -> list[str]:
        """Missions of which journeys ended, each found by one step in the index."""
        rows = self._connection.execute(
            "WITH RECURSIVE found (mission) AS (SELECT min(mission) FROM journey_tallies"
            " WHERE width = :width AND kind = 'all' UNION ALL SELECT (SELECT min(mission) FROM"
            " journey_tallies WHERE width = :width AND kind = 'all' AND mission > found.mission)"
            " FROM found WHERE found.mission IS NOT NULL)"
            " SELECT mission FROM found WHERE mission IS NOT NULL",
            {"width": width},
        )
        return [mission for (mission,) in rows]

    def refused(self) -> list[Refused]:
        """Dead letters by source and reason; most first."""
        rows = self._connection.execute(
            "SELECT source, reason, count(*), max(received), place, expected FROM letters"
            " GROUP BY source, reason ORDER BY count(*) DESC, source, reason"
        )
        return [Refused(*row) for row in rows]


def _marks(values: Iterable[object]) -> str:
    return ",".join("?" for _ in values)
