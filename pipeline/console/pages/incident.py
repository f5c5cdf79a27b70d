"""Alert: what broke since when, how sure that is, whom it hit, and where they went."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pipeline.console.asking import Asked
from pipeline.console.charts import Level, Stack, shares, stacks
from pipeline.console.lookups import LEFT
from pipeline.console.pages.now import TAKEN_BACK, Hit, cost_words, effects, hit_of, hours_since
from pipeline.console.pieces import (
    Cell,
    Column,
    Page,
    Section,
    Table,
    badge,
    below,
    figures,
    link,
    named,
    nothing,
    section,
    table_of,
    time_of,
)
from pipeline.console.questions import Point
from pipeline.console.store import at_minute, minute_of
from pipeline.console.tallies import NO_MISSION
from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.page_pieces import bar
from pipeline.reporting.wording import CHANNELS, Words, counted, percent, reason
from pipeline.stitching.votes import SOURCE
from schemas.records import Alert, Verdict

PLACE: Final = "now"

BEFORE: Final = timedelta(hours=1)
AFTER: Final = timedelta(minutes=30)
"""What is shown around an incident, to hold it against."""

COLUMNS_MAX: Final = 90
"""Columns of the chart; minutes are joined where there are more."""


class Rows(NamedTuple):
    """What the page is made of; `versions` is empty where there is no such incident."""

    versions: list[Alert]
    hit: Hit | None
    course: list[Point]
    samples: list[Verdict]


def gather(asked: Asked, id_: str) -> Rows:
    """Ask the store."""
    versions = asked.lookups.incident(id_)
    if not versions:
        return Rows([], None, [], [])
    one = versions[-1]
    costs = asked.questions.costs(hours_since(asked, one))
    last = one.resolved_at or max(one.at, asked.until)
    course = asked.questions.course(
        one.touchpoint,
        one.mission or NO_MISSION,
        minute_of(one.since - BEFORE),
        minute_of(last + AFTER),
    )
    ids = tuple(dict.fromkeys(id_ for version in reversed(versions) for id_ in version.touchpoints))
    return Rows(
        versions, hit_of(asked, one, costs), course, asked.lookups.samples(one.touchpoint, ids)
    )


def show(asked: Asked, rows: Rows) -> Page | None:
    """The page; None where there is no such incident."""
    if rows.hit is None:
        return None
    words, one, hit = asked.words, rows.hit.incident, rows.hit
    name = words.touchpoint(one.touchpoint)
    history = history_table(rows.versions)
    samples = samples_table(rows.samples, words, operator=asked.operator)
    went = went_table(hit.went, words)
    sections = (
        Section("headline", _head(hit, rows.course, words)),
        Section("figures", _figures(hit, rows.course)),
        section(
            "course",
            "Share of visits that broke" if one.kind != "silent" else "Visits",
            "Each column is a few minutes. Those since it began stand out.",
            course_chart(one, rows.course),
        ),
        Section("why", element("div", *_facts(rows.versions, words), class_="facts")),
        section(
            "next",
            "What customers did next",
            "The next other touchpoint within a day, after it broke for them last. Of "
            f"{counted(hit.went.total(), 'customer')}.",
            table_of(went, asked.here) if hit.went else nothing("Nobody yet."),
        ),
        section(
            "samples",
            "Some that broke",
            "The latest, each within its customer's story."
            if asked.operator
            else "The latest. Their customers' stories are shown to operators only.",
            table_of(samples, asked.here)
            if rows.samples
            else nothing("They are not kept any more." if one.touchpoints else "There are none."),
        ),
        section(
            "history",
            "How it came to be known",
            "The evidence that it is broken, against what it takes to say so; both as natural "
            "logarithms, so that 2.3 more is ten times as much. Of a slow leak: how many times the "
            "usual share it is for certain, and has to be.",
            table_of(history, asked.here),
        ),
    )
    return Page(f"Alert: {name}", PLACE, sections, (history, samples, went))


def _head(hit: Hit, course: Sequence[Point], words: Words) -> Markup:
    one = hit.incident
    votes, broken = _during(one, course)
    share = broken / votes if votes else None
    where = f"for “{words.mission(one.mission)}”" if one.mission else "whatever customers come for"
    ended = ["; works again since ", time_of(one.resolved_at)] if one.resolved_at else []
    urgency = "somebody has to act now" if one.severity == "page" else "can wait for tomorrow"
    return joined(
        element(
            "p",
            badge(one.state),
            element("span", f"{one.severity}: {urgency}" if one.state == "firing" else ""),
            class_="meta",
        ),
        element("h2", words.touchpoint(one.touchpoint), class_="headline"),
        element("p", where, ", since ", time_of(one.since), *ended, class_="explanation"),
        element("p", *effects(hit, words, share), class_="measured")
        if one.state == "firing"
        else "",
        element("p", TAKEN_BACK, class_="measured") if one.state == "retracted" else "",
        element(
            "p",
            "Part of ",
            link("an incident that began before it", below("/incidents", one.within)),
        )
        if one.within
        else "",
        element("p", f"It fired again {counted(one.flaps, 'time')} within half an hour.")
        if one.flaps
        else "",
    )


def _during(one: Alert, course: Sequence[Point]) -> tuple[int, int]:
    """Votes, and broken ones, from when it began until it was over."""
    first, last = minute_of(one.since), minute_of(one.resolved_at or one.at + AFTER)
    within = [point for point in course if first <= point.minute < max(last, first + 1)]
    return sum(point.votes for point in within), sum(point.broken for point in within)


def _figures(hit: Hit, course: Sequence[Point]) -> Markup:
    one = hit.incident
    if one.state == "retracted":
        return Markup("")
    if one.kind == "silent":
        return figures([(f"{one.votes:,}", "visits were to be expected in this time")])
    votes, broken = _during(one, course)
    if not votes:
        votes, broken = one.votes, round(one.votes * one.present_share)
    return figures(
        [
            (
                percent(broken / votes) if votes else "-",
                f"of {counted(votes, 'visit')} since it began"
                if one.state == "firing"
                else f"of {counted(votes, 'visit')} broke while it lasted",
            ),
            (percent(one.usual_share), "is usual at this hour"),
            (f"{hit.customers:,}", "customers hit"),
            (f"{hit.lost:,}", f"journeys lost: {cost_words(hit)}" if hit.lost else "journeys lost"),
        ]
    )


def course_chart(one: Alert, course: Sequence[Point]) -> Markup:
    """Shares over time; for silence, visits over time. Of a source none are kept (`keeping`)."""
    if one.touchpoint.startswith(SOURCE):
        return nothing("What a source sends is counted at the touchpoints it is about.")
    if not course:
        return nothing("The minutes of this time are not kept any more.")
    first, last = course[0].minute, course[-1].minute
    width = max(1, -(-(last - first + 1) // COLUMNS_MAX))
    sums: dict[int, tuple[int, int]] = {}
    for point in course:
        at = (point.minute - first) // width
        votes, broken = sums.get(at, (0, 0))
        sums[at] = (votes + point.votes, broken + point.broken)
    columns = range((last - first) // width + 1)

    def starts(at: int) -> datetime:
        return at_minute(first + at * width)

    if one.kind == "silent":
        return stacks(
            [Stack(starts(at), (float(sums.get(at, (0, 0))[0]),)) for at in columns],
            [("visits", "blue")],
            f"Visits over time since {starts(0):%H:%M} UTC",
        )
    since = one.since - timedelta(minutes=width - 1)
    until = one.resolved_at
    return shares(
        [
            (starts(at), sums[at][1] / sums[at][0] if sums.get(at, (0, 0))[0] else None)
            for at in columns
        ],
        [Level(one.usual_share, "usual", "usual")],
        (since, until),
        f"Share of visits that broke, every {width} minutes: about {percent(one.usual_share)} "
        f"usually, {percent(one.present_share)} at last",
    )


def _facts(versions: Sequence[Alert], words: Words) -> list[Markup]:
    one = versions[-1]
    # When it works again few reasons are left: those of when it was most certain tell.
    certain = max(versions, key=lambda version: version.evidence)
    reasons = (one if one.state == "firing" else certain).reasons
    most = max(reasons.values(), default=1)
    facts = [
        _fact(
            "Why",
            [
                element(
                    "li",
                    element("span", named(reason(rule))),
                    bar([(count / most, "bad")]),
                    element("span", f"{count:,}", class_="number"),
                )
                for rule, count in sorted(reasons.items(), key=lambda item: -item[1])
            ],
        ),
        _fact(
            "Missions at stake",
            [
                element("li", link(words.mission(mission), below("/missions", mission)))
                for mission in one.missions
            ],
        ),
    ]
    if one.shared:
        facts.append(
            _fact(
                "What those that broke share, and others do not",
                [element("li", named(f"{what} {value}")) for what, value in one.shared.items()],
            )
        )
    return [fact for fact in facts if fact]


def _fact(title: str, items: Sequence[Markup]) -> Markup:
    if not items:
        return Markup("")
    return element("div", element("h3", title), element("ul", *items, class_="ranked"))


def went_table(went: Counter[str], words: Words) -> Table:
    """Where customers went, most first."""
    whole = max(1, went.total())
    return Table(
        "next",
        "where customers went next",
        (
            Column("touchpoint", "Touchpoint"),
            Column("customers", "Customers", number=True),
            Column("share", "Share", number=True),
        ),
        [
            (
                Cell(
                    where or "left",
                    link(words.touchpoint(where), below("/touchpoints", where))
                    if where != LEFT
                    else "Not seen again",
                ),
                Cell(count),
                Cell(round(count / whole, 4), percent(count / whole)),
            )
            for where, count in went.most_common()
        ],
        shown_max=8,
    )


def samples_table(samples: Sequence[Verdict], words: Words, *, operator: bool) -> Table:
    """Interactions that broke; with their journeys for those who may see them."""
    rows = []
    for one in sorted(samples, key=lambda one: one.occurred_at, reverse=True):
        reasons = ", ".join(reason(why.rule) for why in one.reasons)
        shown = time_of(one.occurred_at, "full")
        at = link(shown, below("/journeys", one.customer, f"v-{one.ref}")) if operator else shown
        rows.append(
            (
                Cell(one.occurred_at, at),
                Cell(CHANNELS[one.channel]),
                Cell(one.mission, words.mission(one.mission) if one.mission else "-"),
                Cell(reasons, named(reasons)),
            )
        )
    columns = (
        Column("occurred_at", "When"),
        Column("channel", "Channel"),
        Column("mission", "Mission"),
        Column("reasons", "Why"),
    )
    return Table("samples", "interactions that broke", columns, rows, shown_max=12)


def history_table(versions: Sequence[Alert]) -> Table:
    """What was known when."""
    return Table(
        "history",
        "evidence over time",
        (
            Column("at", "When"),
            Column("state", "State"),
            Column("share", "Share", number=True),
            Column("visits", "Visits", number=True),
            Column("customers", "Customers", number=True),
            Column("evidence", "Evidence", number=True),
            Column("threshold", "Needed", number=True),
        ),
        [
            (
                Cell(one.at),
                Cell(one.state, badge("broken" if one.state == "firing" else one.state)),
                Cell(one.present_share, percent(one.present_share)),
                Cell(one.votes),
                Cell(one.customers),
                Cell(one.evidence),
                Cell(one.threshold),
            )
            for one in reversed(versions)
        ],
        shown_max=20,
    )
