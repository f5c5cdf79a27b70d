"""The matrix on the page Now: its filters, its table and its download."""

from collections.abc import Mapping
from typing import Protocol

from pipeline.console.asking import LATELY, Asked, Window
from pipeline.console.charts import spark
from pipeline.console.matrix import Matrix, heat
from pipeline.console.pieces import (
    Cell,
    Column,
    Later,
    Section,
    Table,
    address,
    below,
    kept,
    link,
    nothing,
    search,
    section,
    table_of,
)
from pipeline.console.questions import Cast
from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.wording import Words, percent


class Shown(Protocol):
    """What of the page's rows the matrix needs."""

    @property
    def window(self) -> Window:
        """The time that is shown."""

    @property
    def casts(self) -> list[Cast]:
        """Votes by series."""

    @property
    def matrix(self) -> Matrix:
        """Rows and cells in sight."""

    @property
    def trends(self) -> Mapping[int, Mapping[int, tuple[int, int]]]:
        """The course of each series in sight."""

    @property
    def starts(self) -> range:
        """When the spans of these begin."""


def matrix_table(rows: Shown, words: Words) -> Table:
    """Every series of the window, for downloads."""

    def row(one: Cast) -> tuple[Cell, ...]:
        return (
            Cell(one.touchpoint),
            Cell(words.touchpoint(one.touchpoint)),
            Cell(one.mission or None),
            Cell(one.votes),
            Cell(one.broken),
            Cell(round(one.share, 4)),
        )

    return Table(
        "matrix",
        "visits by touchpoint and mission",
        (
            Column("touchpoint", "Touchpoint"),
            Column("name", "Name"),
            Column("mission", "Mission"),
            Column("visits", "Visits", number=True),
            Column("broken", "Broken", number=True),
            Column("share", "Share broken", number=True),
        ),
        Later(rows.casts, row),
        shown_max=0,
    )


def matrix_section(asked: Asked, rows: Shown, table: Table) -> Section:
    """Touchpoints against missions."""
    windows = asked.other_windows(LATELY, rows.window)
    about = (
        "Each cell says which share of visits broke, and of how many. The darker, the larger the "
        "share; the line is its course over this time."
    )
    matrix = rows.matrix
    if not matrix.groups:
        body: Markup = nothing("No touchpoint of that name was met in this time.")
    else:
        body = joined(
            element("div", grid(rows, asked.words), class_="matrix"),
            element(
                "p",
                "On a narrow screen only touchpoints at which something broke are listed: ",
                link("all touchpoints", "/touchpoints"),
                class_="small narrow",
            ),
            element(
                "p",
                link(f"{matrix.hidden:,} more touchpoints", "/touchpoints"),
                class_="small",
            )
            if matrix.hidden
            else "",
            table_of(table, asked.here) if table.rows else "",
        )
    return section("matrix", "Where it breaks", about, filters(asked), body, aside=windows)


def filters(asked: Asked) -> Markup:
    """A form that filters by name and mission."""
    chosen = asked.query.get("mission", "")
    options = [
        element(
            "option",
            asked.words.mission(name),
            value=name,
            selected="" if name == chosen else None,
        )
        for name in sorted(asked.rules.missions.all, key=asked.words.mission)
    ]
    missions = element(
        "label",
        element("span", "Mission"),
        element("select", element("option", "All missions", value=""), *options, name="mission"),
    )
    window = kept("window", asked.query.get("window"))
    return search("/", asked.query.get("q", ""), missions, window)


def grid(rows: Shown, words: Words) -> Markup:
    """The matrix itself."""
    matrix = rows.matrix
    head = element(
        "tr",
        element("th", "Touchpoint", scope="col"),
        element("th", "All missions", scope="col"),
        *(
            element("th", link(words.mission(one), below("/missions", one)), scope="col")
            for one in matrix.missions
        ),
    )
    bodies = []
    for group in matrix.groups:
        lines = [
            element(
                "tr",
                element(
                    "th",
                    link(words.touchpoint(row.touchpoint), below("/touchpoints", row.touchpoint)),
                    scope="row",
                ),
                _cell(row.total, rows, words, "All missions"),
                *(
                    _cell(row.cells.get(name), rows, words, words.mission(name))
                    for name in matrix.missions
                ),
                class_=None if row.total.broken else "sound",
            )
            for row in group.rows
        ]
        title = element(
            "tr",
            element(
                "th",
                group.name[:1].upper() + group.name[1:],
                scope="rowgroup",
                colspan=str(len(matrix.missions) + 2),
            ),
            class_="group" if any(row.total.broken for row in group.rows) else "group sound",
        )
        bodies.append(element("tbody", title, *lines))
    caption = element(
        "caption", "Share of visits that broke, by touchpoint and mission", class_="unseen"
    )
    return element("table", caption, element("thead", head), *bodies)


def _cell(one: Cast | None, rows: Shown, words: Words, mission: str) -> Markup:
    if one is None or not one.votes:
        return element("td", element("span", "none", class_="unseen"), class_="none")
    trend = rows.trends.get(one.series, {})
    course = [
        trend[start][1] / trend[start][0] if start in trend and trend[start][0] else None
        for start in rows.starts
    ]
    to = address(below("/touchpoints", one.touchpoint), mission=one.mission or None)
    return element(
        "td",
        link(
            joined(
                element("b", percent(one.share)),
                element("span", f" of {one.votes:,}", class_="of"),
                element("span", " visits broke", class_="unseen"),
                spark(course, 1.0) if any(course) else "",
            ),
            to,
            data_mission=mission,
        ),
        class_=f"heat {heat(one)}",
    )
