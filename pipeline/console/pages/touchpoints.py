"""One touchpoint across its missions."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from pipeline.console.asking import DAY, LOOKING_BACK, Asked, Window
from pipeline.console.charts import Level, Stack, shares, stacks
from pipeline.console.pieces import (
    Cell,
    Column,
    Page,
    Section,
    Table,
    address,
    badge,
    below,
    link,
    named,
    nothing,
    section,
    table_of,
    time_of,
)
from pipeline.console.questions import LONG, Answers, Ended, Hours, Judged, Point
from pipeline.console.store import at_minute
from pipeline.console.tallies import NO_MISSION
from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.page_pieces import bar
from pipeline.reporting.wording import CHANNELS, Words, counted, percent, reason
from schemas.records import Alert, JourneyOutcome

PLACE: Final = "touchpoints"

LOST_MAX: Final = 12
"""Journeys that it cost that are listed, the newest."""

SCALES: Final = {
    "ces": "How easy it was, from 1 to 7",
    "csat": "How satisfied they were, from 1 to 5",
    "nps": "Whether they would recommend us, from 0 to 10",
}
"""What a scale asks."""

JUDGED_AS: Final = (("broken", "bad"), ("as expected", "even"), ("excellent", "good"))


class Rows(NamedTuple):
    """What the page of one touchpoint is made of; `mission` None: all of them."""

    touchpoint: str
    mission: str | None
    window: Window
    span: Hours
    judged: list[Judged]
    hours: list[tuple[int, Judged]]
    votes: list[Point]
    reasons: list[tuple[str, int]]
    answers: list[Answers]
    costs: list[tuple[str, Ended]]
    incidents: list[Alert]
    lost: list[JourneyOutcome]


def gather(asked: Asked, touchpoint: str) -> Rows:
    """Ask the store about one touchpoint."""
    questions = asked.questions
    mission = asked.query.get("mission") or None
    window = asked.window(LOOKING_BACK, DAY)
    first = asked.hours(window)
    return Rows(
        touchpoint=touchpoint,
        mission=mission,
        window=window,
        span=first,
        judged=questions.judged(touchpoint, first),
        hours=questions.judged_over_time(touchpoint, first, mission),
        votes=questions.spans(touchpoint, mission or NO_MISSION, LONG, first.first * 60),
        reasons=questions.reasons(touchpoint, first, mission),
        answers=questions.answers(touchpoint, first, mission),
        costs=[one for one in questions.costs(first) if one[1].name == touchpoint],
        incidents=asked.lookups.incidents_at(touchpoint),
        lost=asked.lookups.lost_at(touchpoint, LOST_MAX) if asked.operator else [],
    )


def show(asked: Asked, rows: Rows) -> Page | None:
    """The page; None where neither the inventory nor the results know the touchpoint."""
    words = asked.words
    known = rows.touchpoint in asked.rules.inventory.entries
    if not known and not rows.judged and not rows.incidents:
        return None
    name = words.touchpoint(rows.touchpoint)
    by_mission = by_mission_table(rows, words)
    reasons, answers = reasons_table(rows), answers_table(rows.answers)
    sections = [Section("headline", _head(asked, rows))]
    if rows.incidents:
        sections.append(section("incidents", "Incidents", "", _incidents(rows.incidents, words)))
    if not rows.judged:
        sections.append(Section("none", nothing("Nobody met it in this time.")))
        return Page(name, PLACE, tuple(sections))
    sections += [
        section(
            "missions",
            "How it does for each mission",
            "The same touchpoint can be excellent for one mission and hopeless for another.",
            table_of(by_mission, asked.here),
        ),
        section("course", "Share of visits that broke", "Against all of this time.", _course(rows)),
        section("volume", "Interactions", "As they were judged.", _volume(rows)),
        section(
            "reasons",
            "Why it was judged broken",
            "Of interactions in this time.",
            table_of(reasons, asked.here) if rows.reasons else nothing("It was not."),
        ),
        section(
            "answers",
            "What customers said when asked",
            "Surveys that asked about it.",
            table_of(answers, asked.here) if rows.answers else nothing("Nobody was asked."),
        ),
    ]
    tables = [by_mission, reasons, answers]
    if asked.operator and rows.lost:
        lost = lost_table(rows.lost, words)
        tables.append(lost)
        about = "The latest, whenever they ended."
        sections.append(section("lost", "Journeys it cost", about, table_of(lost, asked.here)))
    return Page(name, PLACE, tuple(sections), tuple(tables))


def _head(asked: Asked, rows: Rows) -> Markup:
    entry = asked.rules.inventory.entries.get(rows.touchpoint)
    facts = [f"Touchpoint {rows.touchpoint}"]
    tags = []
    if entry is not None:
        facts.append(CHANNELS[entry.channel])
        if entry.owner:
            facts.append(f"owned by {entry.owner}")
        tags = ["moment of truth"] if entry.moment_of_truth else []
        tags += ["brand moment"] if entry.brand_moment else []
    else:
        facts.append("not in the inventory")
    windows = asked.other_windows(LOOKING_BACK, rows.window)
    only = (
        element(
            "p",
            f"Only for “{asked.words.mission(rows.mission)}”. ",
            link("All missions", address(asked.path, window=asked.query.get("window"))),
        )
        if rows.mission
        else ""
    )
    return joined(
        element("h2", named(asked.words.touchpoint(rows.touchpoint)), class_="headline"),
        element("p", named(", ".join(facts)), class_="soft"),
        element("p", *(joined(element("span", one, class_="tag"), " ") for one in tags))
        if tags
        else "",
        only,
        windows,
    )


def _incidents(incidents: Sequence[Alert], words: Words) -> Markup:
    items = [
        element(
            "li",
            badge(one.state),
            " ",
            link(
                joined("since ", time_of(one.since)),
                below("/incidents", one.id),
            ),
            element("span", f"for “{words.mission(one.mission)}”") if one.mission else "",
        )
        for one in incidents[:5]
    ]
    return element("ul", *items, class_="plain")


def by_mission_table(rows: Rows, words: Words) -> Table:
    """Verdicts by mission, most interactions first."""
    lost = {mission: ended.lost for mission, ended in rows.costs}
    made = []
    for one in rows.judged:
        parts = [(one.broken, "bad"), (one.functional, "even"), (one.excellent, "good")]
        whole = max(1, one.judged)
        name = words.mission(one.name) if one.name else "No mission"
        to = address(below("/touchpoints", rows.touchpoint), mission=one.name)
        made.append(
            (
                Cell(one.name or None, link(name, to) if one.name else name),
                Cell(one.interactions),
                Cell(
                    round(one.broken / whole, 4),
                    joined(
                        bar([(count / whole, kind) for count, kind in parts]),
                        element("span", percent(one.broken / whole), class_="number"),
                    ),
                ),
                Cell(one.broken),
                Cell(one.functional),
                Cell(one.excellent),
                Cell(lost.get(one.name, 0)),
            )
        )
    columns = (
        Column("mission", "Mission"),
        Column("interactions", "Interactions", number=True),
        Column("share", "Share broken"),
        Column("broken", "Broken", number=True),
        Column("functional", "As expected", number=True),
        Column("excellent", "Excellent", number=True),
        Column("lost", "Journeys lost", number=True),
    )
    return Table("missions", "verdicts by mission", columns, made)


def reasons_table(rows: Rows) -> Table:
    """Rules that fired, most first."""
    most = max((count for _, count in rows.reasons), default=1)
    return Table(
        "reasons",
        "why interactions were judged broken",
        (Column("reason", "Why"), Column("broken", "Interactions")),
        [
            (
                Cell(rule, named(reason(rule)[:1].upper() + reason(rule)[1:])),
                Cell(
                    count,
                    joined(
                        bar([(count / most, "bad")]),
                        element("span", f"{count:,}", class_="number"),
                    ),
                ),
            )
            for rule, count in rows.reasons
        ],
        shown_max=12,
    )


def answers_table(answers: Sequence[Answers]) -> Table:
    """Answers to surveys by their scale."""
    return Table(
        "answers",
        "answers to surveys",
        (
            Column("scale", "Asked"),
            Column("answers", "Answers", number=True),
            Column("mean", "On average", number=True),
        ),
        [
            (
                Cell(one.scale, named(SCALES.get(one.scale, one.scale))),
                Cell(one.answers),
                Cell(round(one.mean, 2), f"{one.mean:.1f}"),
            )
            for one in answers
        ],
    )


def _course(rows: Rows) -> Markup:
    step = rows.span.width * 60
    first = rows.span.first * 60
    sums: dict[int, tuple[int, int]] = {}
    for point in rows.votes:
        at = (point.minute - first) // step
        votes, broken = sums.get(at, (0, 0))
        sums[at] = (votes + point.votes, broken + point.broken)
    spans = int(rows.window.length / timedelta(minutes=step))
    columns = [
        (
            at_minute(first + at * step),
            sums[at][1] / sums[at][0] if sums.get(at, (0, 0))[0] else None,
        )
        for at in range(spans)
    ]
    votes = sum(point.votes for point in rows.votes)
    broken = sum(point.broken for point in rows.votes)
    if not votes:
        return nothing("No visit was counted in this time.")
    whole = broken / votes
    label = f"Share of visits that broke over time; {percent(whole)} of {counted(votes, 'visit')}"
    return shares(columns, [Level(whole, "over this time", "usual")], None, label)


def _volume(rows: Rows) -> Markup:
    step = rows.span.width
    spans = int(rows.window.length / timedelta(hours=step))
    sums = [[0.0, 0.0, 0.0] for _ in range(spans)]
    for hour, one in rows.hours:
        at = min(spans - 1, (hour - rows.span.first) // step)
        for part, count in enumerate((one.broken, one.functional, one.excellent)):
            sums[at][part] += count
    columns = [
        Stack(at_minute((rows.span.first + at * step) * 60), tuple(parts))
        for at, parts in enumerate(sums)
    ]
    return stacks(columns, JUDGED_AS, "Interactions over time, as they were judged")


def lost_table(lost: Sequence[JourneyOutcome], words: Words) -> Table:
    """Journeys that it cost."""
    return Table(
        "lost",
        "journeys that it cost",
        (Column("ended_at", "Ended"), Column("mission", "Mission"), Column("outcome", "Outcome")),
        [
            (
                Cell(
                    one.ended_at,
                    link(
                        time_of(one.ended_at),
                        below("/journeys", one.customer, f"j-{one.journey_id}"),
                    ),
                ),
                Cell(one.mission, words.mission(one.mission)),
                Cell(one.outcome, badge(one.outcome)),
            )
            for one in lost
        ],
    )
