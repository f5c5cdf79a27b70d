"""The list of all missions."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.console.asking import DAY, LOOKING_BACK, Asked, Window
from pipeline.console.pieces import (
    Cell,
    Column,
    Page,
    Table,
    below,
    link,
    nothing,
    section,
    table_of,
    whole,
)
from pipeline.console.questions import Ended
from pipeline.reporting.markup import element, joined
from pipeline.reporting.page_pieces import bar
from pipeline.reporting.wording import Words, percent
from pipeline.stitching.rules import Rules

PLACE: Final = "missions"


class All(NamedTuple):
    """What the list of missions is made of."""

    window: Window
    missions: list[Ended]


def gather(asked: Asked) -> All:
    """Ask the store about all missions."""
    window = asked.window(LOOKING_BACK, DAY)
    return All(window, asked.questions.missions(asked.hours(window)))


def show(asked: Asked, rows: All) -> Page:
    """The list."""
    table = missions_table(rows.missions, asked.words, asked.rules)
    windows = asked.other_windows(LOOKING_BACK, rows.window)
    body = (
        table_of(table, asked.here)
        if table.rows
        else nothing("No journey has ended in this time: nobody can say yet how it went.")
    )
    about = (
        "What customers wanted to get done, and whether they did. Only journeys that ended. "
        "Effort runs from 7, very easy, to 1, very hard."
    )
    return Page(
        "Missions",
        PLACE,
        (section("missions", "What customers try to do", about, body, aside=windows),),
        (table,),
    )


def missions_table(missions: Sequence[Ended], words: Words, rules: Rules) -> Table:
    """All missions, most journeys first."""
    rows = []
    for one in missions:
        known = rules.missions.all.get(one.name)
        promised = known.objectives.completion_rate_min if known is not None else None
        share = one.completed / one.journeys
        kept = (
            ""
            if promised is None
            else element(
                "span",
                "kept" if share >= promised else "not kept",
                class_=f"tag {'kept' if share >= promised else 'missed'}",
            )
        )
        parts = [(one.completed, "good"), (one.frustrated, "bad"), (one.abandoned, "even")]
        rows.append(
            (
                Cell(one.name, link(words.mission(one.name), below("/missions", one.name))),
                Cell(one.journeys),
                Cell(
                    round(share, 4),
                    joined(
                        bar([(count / one.journeys, kind) for count, kind in parts]),
                        element("span", percent(share), class_="number"),
                    ),
                ),
                Cell(one.frustrated),
                Cell(one.abandoned),
                Cell(round(one.effort / one.journeys, 2)),
                Cell(
                    promised, whole(percent(promised), " ", kept) if promised is not None else "-"
                ),
            )
        )
    columns = (
        Column("mission", "Mission"),
        Column("journeys", "Journeys", number=True),
        Column("completed", "Got it"),
        Column("frustrated", "Frustrated", number=True),
        Column("abandoned", "Left in silence", number=True),
        Column("effort", "Effort", number=True),
        Column("promised", "Promised"),
    )
    return Table("missions", "missions", columns, rows, shown_max=100)
