"""The matrix: touchpoints in the order in which journeys meet them, against missions.

Pure: sums of votes in, rows and cells out.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Final, NamedTuple

from pipeline.console.questions import Cast
from pipeline.console.tallies import NO_MISSION
from pipeline.stitching.inventory import OTHER
from pipeline.stitching.rules import Rules

ROWS_MAX: Final = 40
"""Touchpoints in sight; those with most broken votes, then most votes, stay (P)."""

COLUMNS_MAX: Final = 10
"""Missions in sight; the most frequent stay (P)."""

HEAT: Final = (0.0, 0.02, 0.05, 0.15, 0.4)
"""Shares of broken votes above which a cell is shaded darker (P)."""

WAYS: Final = ("First contact", "On the way", "Getting it done")
"""Parts of a journey over all missions, whose phases have names of their own."""

ELSEWHERE: Final = "No step of a mission"


class Row(NamedTuple):
    """A touchpoint: over all missions, and for each."""

    touchpoint: str
    total: Cast
    cells: dict[str, Cast]


class Group(NamedTuple):
    """Touchpoints of one part of the way."""

    name: str
    rows: list[Row]


class Matrix(NamedTuple):
    """All of it; `hidden` touchpoints are not in sight."""

    missions: list[str]
    groups: list[Group]
    hidden: int

    def series(self) -> list[int]:
        """The series in sight."""
        rows = [row for group in self.groups for row in group.rows]
        return [
            number
            for row in rows
            for number in (row.total.series, *(one.series for one in row.cells.values()))
            if number
        ]


def matrix_of(
    casts: Sequence[Cast], rules: Rules, mission: str | None, wanted: Mapping[str, str] | None
) -> Matrix:
    """The matrix of the votes of a window.

    Args:
        casts: By series.
        rules: Whose missions say what lies where on the way.
        mission: The only one to show.
        wanted: The touchpoints to show, by id; None for all.
    """
    totals: dict[str, Cast] = {}
    cells: dict[str, dict[str, Cast]] = {}
    by_mission: dict[str, int] = {}
    for one in casts:
        if wanted is not None and one.touchpoint not in wanted:
            continue
        if one.mission == NO_MISSION:
            totals[one.touchpoint] = one
        elif mission in (None, one.mission):
            cells.setdefault(one.touchpoint, {})[one.mission] = one
            by_mission[one.mission] = by_mission.get(one.mission, 0) + one.votes
    shown = set(totals) if mission is None else set(cells)
    ranked = sorted(shown, key=lambda name: _rank(name, totals, cells, mission))
    missions = sorted(by_mission, key=lambda name: (-by_mission[name], name))[:COLUMNS_MAX]
    rows = [
        Row(name, _total(name, totals, cells, mission), cells.get(name, {}))
        for name in ranked[:ROWS_MAX]
    ]
    return Matrix(missions, _grouped(rows, rules, mission), max(0, len(ranked) - ROWS_MAX))


FEW: Final = 10
"""Votes below which a share says little, and is not shaded beyond `FAINT` (P)."""

FAINT: Final = 2


def heat(one: Cast) -> str:
    """The class of a cell by its share of broken votes."""
    level = sum(one.share > bound for bound in HEAT)
    return f"h{level if one.votes >= FEW else min(level, FAINT)}"


def _total(
    name: str, totals: Mapping[str, Cast], cells: Mapping[str, Mapping[str, Cast]], only: str | None
) -> Cast:
    if only is not None:
        return cells[name][only]
    return totals.get(name) or Cast(0, name, NO_MISSION, 0, 0, 0)


def _rank(
    name: str, totals: Mapping[str, Cast], cells: Mapping[str, Mapping[str, Cast]], only: str | None
) -> tuple[int, int, str]:
    one = _total(name, totals, cells, only)
    return (-one.broken, -one.votes, name)


def _grouped(rows: Iterable[Row], rules: Rules, mission: str | None) -> list[Group]:
    places = places_of(rules, mission)
    groups: dict[str, list[tuple[float, Row]]] = {}
    for row in rows:
        name, place = places.get(row.touchpoint, (ELSEWHERE, 2.0))
        groups.setdefault(name, []).append((place, row))
    ordered = sorted(groups.items(), key=lambda item: min(place for place, _ in item[1]))
    return [
        Group(
            name,
            [row for _, row in sorted(found, key=lambda one: (one[0], -one[1].total.votes))],
        )
        for name, found in ordered
    ]


def places_of(rules: Rules, mission: str | None) -> dict[str, tuple[str, float]]:
    """Of each touchpoint the part of the way it belongs to, and how far along, from 0 to 1."""
    if mission is not None:
        known = rules.missions.all.get(mission)
        if known is None:
            return {}
        most = max(1, len(known.places) - 1)
        return {step: (phase, at / most) for step, (at, phase) in known.places.items()}
    met: dict[str, list[float]] = {}
    for one in rules.missions.all.values():
        most = max(1, len(one.places) - 1)
        for step, (at, _) in one.places.items():
            met.setdefault(step, []).append(at / most)
    places = {}
    for step, all_of_it in met.items():
        place = fmean(all_of_it)
        places[step] = (WAYS[min(2, int(place * 3))], place)
    places.pop(OTHER, None)
    return places
