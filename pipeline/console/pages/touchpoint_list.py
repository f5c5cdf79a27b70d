"""The list of all touchpoints."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.console.asking import DAY, LOOKING_BACK, Asked, Window
from pipeline.console.pieces import (
    Cell,
    Column,
    Page,
    Table,
    below,
    kept,
    link,
    nothing,
    search,
    section,
    table_of,
    whole,
)
from pipeline.console.questions import Judged
from pipeline.reporting.markup import element, joined
from pipeline.reporting.page_pieces import bar
from pipeline.reporting.wording import CHANNELS, Words, percent
from pipeline.stitching.rules import Rules

PLACE: Final = "touchpoints"


class All(NamedTuple):
    """What the list is made of."""

    window: Window
    judged: list[Judged]
    lost: dict[str, int]


def gather(asked: Asked) -> All:
    """Ask the store about all touchpoints."""
    window = asked.window(LOOKING_BACK, DAY)
    first = asked.hours(window)
    lost: dict[str, int] = {}
    for _, ended in asked.questions.costs(first):
        lost[ended.name] = lost.get(ended.name, 0) + ended.lost
    return All(window, asked.questions.touchpoints(first), lost)


def show(asked: Asked, rows: All) -> Page:
    """The list: those that cost most first."""
    typed = asked.query.get("q", "").strip().casefold()
    words = asked.words
    found = [
        one
        for one in rows.judged
        if typed in one.name.casefold() or typed in words.touchpoint(one.name).casefold()
    ]
    table = touchpoints_table(found, rows.lost, words, asked.rules)
    windows = asked.other_windows(LOOKING_BACK, rows.window)
    form = search(
        "/touchpoints",
        asked.query.get("q", ""),
        kept("window", asked.query.get("window")),
    )
    body = (
        table_of(table, asked.here)
        if table.rows
        else nothing(f"No touchpoint {'of that name ' if typed else ''}was met in this time.")
    )
    about = "Where customers meet us, those that cost most journeys first."
    return Page(
        "Touchpoints",
        PLACE,
        (section("touchpoints", "Touchpoints", about, form, body, aside=windows),),
        (table,),
    )


def touchpoints_table(
    judged: Sequence[Judged], lost: dict[str, int], words: Words, rules: Rules
) -> Table:
    """Touchpoints with verdicts and what they cost."""
    made = []
    for one in sorted(judged, key=lambda one: (-lost.get(one.name, 0), -one.broken)):
        entry = rules.inventory.entries.get(one.name)
        parts = [(one.broken, "bad"), (one.functional, "even"), (one.excellent, "good")]
        made.append(
            (
                Cell(one.name, link(words.touchpoint(one.name), below("/touchpoints", one.name))),
                Cell(entry.channel, whole(CHANNELS[entry.channel]))
                if entry is not None
                else Cell(None),
                Cell(one.interactions),
                Cell(
                    round(one.broken / one.judged, 4),
                    joined(
                        bar([(count / one.judged, kind) for count, kind in parts]),
                        element("span", percent(one.broken / one.judged), class_="number"),
                    ),
                )
                if one.judged
                else Cell(None, element("span", "not judged", class_="soft")),
                Cell(lost.get(one.name, 0)),
                Cell(
                    bool(entry and entry.moment_of_truth),
                    "yes" if entry and entry.moment_of_truth else "",
                ),
            )
        )
    columns = (
        Column("touchpoint", "Touchpoint"),
        Column("channel", "Channel"),
        Column("interactions", "Interactions", number=True),
        Column("share", "Share broken"),
        Column("lost", "Journeys lost", number=True),
        Column("moment_of_truth", "Moment of truth"),
    )
    return Table("touchpoints", "touchpoints", columns, made, shown_max=100)
