"""One mission: how its journeys ended, how far they came, by which way."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from pipeline.console.asking import DAY, LOOKING_BACK, Asked, Window
from pipeline.console.charts import Stack, stacks
from pipeline.console.flow import flow
from pipeline.console.pieces import (
    Cell,
    Column,
    Page,
    Section,
    Table,
    address,
    below,
    figures,
    link,
    named,
    nothing,
    section,
    table_of,
)
from pipeline.console.questions import Ended, Hours
from pipeline.console.store import at_minute
from pipeline.console.tallies import STEP, STEPS_MAX
from pipeline.console.tidying import UNSHARED
from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.page_pieces import bar
from pipeline.reporting.report import Money
from pipeline.reporting.wording import Words, counted, duration, ending, money, percent
from pipeline.stitching.missions import Mission

PLACE: Final = "missions"

PATHS_MAX: Final = 200
"""Microjourneys that are listed, the most frequent."""

ENDINGS: Final = (
    ("got it", "good"),
    ("frustrated", "bad"),
    ("left in silence", "even"),
)
"""How journeys end, from the bottom of a column to its top."""


class Rows(NamedTuple):
    """What the page of one mission is made of."""

    name: str
    window: Window
    span: Hours
    whole: Ended | None
    hours: list[tuple[int, Ended]]
    phases: list[Ended]
    paths: list[Ended]
    path_count: int
    endings: list[Ended]
    objectives: list[Ended]
    costs: list[Ended]
    segments: list[Ended]


def gather(asked: Asked, name: str) -> Rows:
    """Ask the store about one mission."""
    questions = asked.questions
    window = asked.window(LOOKING_BACK, DAY)
    first = asked.hours(window)
    whole = questions.ended("all", name, first)
    return Rows(
        name=name,
        window=window,
        span=first,
        whole=whole[0] if whole else None,
        hours=questions.course_of(name, first),
        phases=questions.ended("phase", name, first),
        paths=questions.ended("path", name, first, PATHS_MAX),
        path_count=questions.names("path", name, first),
        endings=questions.ended("ending", name, first),
        objectives=questions.ended("objective", name, first),
        costs=questions.ended("cost", name, first),
        segments=questions.ended("segment", name, first),
    )


def show(asked: Asked, rows: Rows) -> Page | None:
    """The page; None where neither the catalogue nor the results know the mission."""
    known = asked.rules.missions.all.get(rows.name)
    if known is None and rows.whole is None:
        return None
    words = asked.words
    title = words.mission(rows.name)
    head = Section("headline", _head(asked, rows, known))
    if rows.whole is None:
        empty = nothing("No journey towards this mission ended in this time.")
        return Page(title, PLACE, (head, Section("none", empty)))
    paths, costs = paths_table(rows, words), costs_table(rows, words, known)
    endings = endings_table(rows)
    sections = [
        head,
        Section("figures", _figures(rows.whole, known)),
        section(
            "outcomes",
            "How journeys ended",
            "By the hour or day in which they ended.",
            outcomes_chart(rows),
        ),
        section(
            "phases",
            "How far they came",
            "Journeys that reached each part of the mission.",
            funnel(rows, known),
        ),
    ]
    if known is not None and rows.objectives:
        sections.append(
            section(
                "objectives", "What we promise", "Journeys that kept it.", objectives(rows, known)
            )
        )
    sections += [
        section(
            "costs",
            "What cost it",
            "",
            table_of(costs, asked.here) if costs.rows else nothing("No touchpoint did."),
        ),
        section("endings", "Why they ended", "", table_of(endings, asked.here)),
        section(
            "ways",
            "The ways they took",
            f"{rows.path_count:,} different microjourneys. The drawing has the most frequent ones, "
            "step by step; broader is more often. Effort runs from 7, very easy, to 1, very hard.",
            flow(
                [
                    (one.name.split(STEP), one.completed, one.lost)
                    for one in rows.paths
                    if one.name != UNSHARED
                ],
                words,
            ),
            table_of(paths, asked.here),
        ),
    ]
    return Page(title, PLACE, tuple(sections), (paths, costs, endings))


def _head(asked: Asked, rows: Rows, known: Mission | None) -> Markup:
    windows = asked.other_windows(LOOKING_BACK, rows.window)
    about = [f"Mission {rows.name}"]
    if known is not None and known.value is not None:
        about.append(f"worth {known.value:,.2f} {known.currency or ''}".rstrip())
    if known is not None:
        about.append(f"given up after {duration(known.patience.total_seconds())} of silence")
    return joined(
        element("h2", f"“{asked.words.mission(rows.name)}”", class_="headline"),
        element("p", named(", ".join(about)), class_="soft"),
        windows,
    )


def _figures(whole: Ended, known: Mission | None) -> Markup:
    shown = [
        (f"{whole.journeys:,}", "journeys ended"),
        (percent(whole.completed / whole.journeys), "got what they came for"),
        (f"{whole.effort / whole.journeys:.1f}", "effort, inferred: 7 is very easy"),
    ]
    if known is not None and known.value is not None and known.currency and whole.lost:
        lost = Money(amount=whole.lost * known.value, currency=known.currency)
        shown.append((money(lost), f"at stake in the {whole.lost:,} that did not"))
    return figures(shown)


def outcomes_chart(rows: Rows) -> Markup:
    """Outcomes over time: by the hour for a day, else by the day."""
    step = rows.span.width
    spans = int(rows.window.length / timedelta(hours=step))
    sums = [[0, 0, 0] for _ in range(spans)]
    for hour, one in rows.hours:
        at = min(spans - 1, (hour - rows.span.first) // step)
        for part, count in enumerate((one.completed, one.frustrated, one.abandoned)):
            sums[at][part] += count
    columns = [
        Stack(at_minute((rows.span.first + at * step) * 60), tuple(map(float, parts)))
        for at, parts in enumerate(sums)
    ]
    whole = rows.whole
    label = (
        ""
        if whole is None
        else (
            f"{whole.completed} got it, {whole.frustrated} frustrated, "
            f"{whole.abandoned} left in silence"
        )
    )
    return stacks(columns, ENDINGS, f"Outcomes over time: {label}")


def funnel(rows: Rows, known: Mission | None) -> Markup:
    """Phases in the mission's order, with how many reached each."""
    reached = {one.name: one for one in rows.phases}
    names = [phase.name for phase in known.phases] if known is not None else list(reached)
    whole = rows.whole.journeys if rows.whole is not None else 0
    lines = []
    for name in (*names, None):
        count = rows.whole.completed if name is None and rows.whole else 0
        if name is not None:
            count = reached[name].journeys if name in reached else 0
        share = count / whole if whole else 0.0
        lines.append(
            element(
                "li",
                element("span", "got it" if name is None else named(name)),
                bar([(share, "good" if name is None else "blue")]),
                element(
                    "span",
                    f"{count:,}",
                    element("span", f" {percent(share)}", class_="soft"),
                    class_="number",
                ),
            )
        )
    return element("ol", *lines, class_="funnel")


def objectives(rows: Rows, known: Mission) -> Markup:
    """Promises, and how often they were kept."""
    met = {one.name: one for one in rows.objectives}
    lines = []
    for key, text in _promises(known):
        one = met.get(key)
        if one is None:
            continue
        share = one.completed / one.journeys
        kept = ""
        rate = known.objectives.completion_rate_min
        if key == "completion_rate_min" and rate is not None:
            kind = "kept" if share >= rate else "missed"
            kept = element("span", "kept" if kind == "kept" else "not kept", class_=f"tag {kind}")
        lines.append(
            element(
                "li",
                element("span", text, " ", kept),
                bar([(share, "good"), (1 - share, "bad")]),
                element("span", f"{percent(share)}", class_="number"),
            )
        )
    return element("ul", *lines, class_="funnel")


def _promises(known: Mission) -> list[tuple[str, str]]:
    promised = known.objectives
    shown = []
    if promised.completion_rate_min is not None:
        shown.append(
            ("completion_rate_min", f"{percent(promised.completion_rate_min)} get what they want")
        )
    if promised.duration_max is not None:
        within = duration(promised.duration_max.total_seconds())
        shown.append(("duration_max", f"done within {within}"))
    if promised.touchpoints_max is not None:
        steps = counted(promised.touchpoints_max, "step")
        shown.append(("touchpoints_max", f"done in {steps} at most"))
    if promised.effort_min is not None:
        shown.append(("effort_min", f"as easy as {promised.effort_min:g} of 7"))
    return shown


def paths_table(rows: Rows, words: Words) -> Table:
    """Microjourneys, the most frequent first."""
    return Table(
        "ways",
        "microjourneys with outcome and effort",
        (
            Column("path", "Way"),
            Column("journeys", "Journeys", number=True),
            Column("completed", "Got it", number=True),
            Column("effort", "Effort", number=True),
        ),
        [
            (
                Cell(
                    one.name.replace(STEP, " > ") or "ways of one customer each",
                    _way(one.name.split(STEP), words)
                    if one.name != UNSHARED
                    else "Ways that one customer alone took in a day",
                ),
                Cell(one.journeys),
                Cell(round(one.completed / one.journeys, 4), percent(one.completed / one.journeys)),
                Cell(round(one.effort / one.journeys, 2)),
            )
            for one in rows.paths
        ],
        shown_max=15,
    )


def _way(steps: Sequence[str], words: Words) -> Markup:
    more = ["\N{HORIZONTAL ELLIPSIS}"] if len(steps) >= STEPS_MAX else []
    return element(
        "ol",
        *(element("li", named(words.touchpoint(one))) for one in (*steps, *more)),
        class_="path",
    )


def costs_table(rows: Rows, words: Words, known: Mission | None) -> Table:
    """Touchpoints that cost the mission, the dearest first."""
    currency = known.currency if known is not None else None
    return Table(
        "costs",
        "touchpoints that cost the mission",
        (
            Column("touchpoint", "Touchpoint"),
            Column("lost", "Journeys lost", number=True),
            Column("value", f"Value{f', {currency}' if currency else ''}", number=True),
        ),
        [
            (
                Cell(
                    one.name,
                    link(
                        words.touchpoint(one.name),
                        address(below("/touchpoints", one.name), mission=rows.name),
                    ),
                ),
                Cell(one.lost),
                Cell(round(one.value, 2), f"{one.value:,.0f}" if one.value else "-"),
            )
            for one in sorted(rows.costs, key=lambda one: (-one.value, -one.lost))
            if one.lost
        ],
        shown_max=12,
    )


def endings_table(rows: Rows) -> Table:
    """The rules that decided."""
    return Table(
        "endings",
        "why journeys ended",
        (Column("reason", "Why"), Column("journeys", "Journeys", number=True)),
        [(Cell(one.name, named(_ending(one.name))), Cell(one.journeys)) for one in rows.endings],
    )


def _ending(rule: str) -> str:
    text = "got what they came for" if rule == "completing_touchpoint" else ending(rule)
    return text[:1].upper() + text[1:]
