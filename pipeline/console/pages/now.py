"""Now: is something broken, what does it cost, whom does it hit, what do they do instead."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from pipeline.console.asking import DAILY, DAY, HOURLY, LATELY, Asked, Window
from pipeline.console.lookups import LEFT
from pipeline.console.matrix import Matrix, matrix_of
from pipeline.console.pages.grid import matrix_section, matrix_table
from pipeline.console.pieces import (
    Page,
    Section,
    badge,
    below,
    figures,
    link,
    section,
    time_of,
)
from pipeline.console.questions import Cast, Ended, Hours
from pipeline.console.standing import Standing
from pipeline.console.store import at_minute, hour_of, milliseconds
from pipeline.console.tallies import NO_MISSION
from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.report import Money
from pipeline.reporting.wording import Words, counted, money, percent, reason
from pipeline.stitching.rules import Rules
from schemas.records import Alert

PLACE: Final = "now"

ENDED_WITHIN: Final = timedelta(hours=24)
"""How long an incident that is over stays in the strip."""

ENDED_SHOWN_MAX: Final = 4

TAKEN_BACK: Final = "Not broken after all: what came later took the evidence back."
"""What it means that an alert was retracted."""

BROKEN_MAX: Final = 300
"""Interactions of an incident by which is told where customers went."""


class Hit(NamedTuple):
    """What an incident does to customers."""

    incident: Alert
    customers: int
    lost: int
    value: dict[str, float]
    went: Counter[str]


class Rows(NamedTuple):
    """What the page is made of."""

    window: Window
    first_minute: int
    hits: list[Hit]
    casts: list[Cast]
    matrix: Matrix
    trends: Mapping[int, Mapping[int, tuple[int, int]]]
    starts: range
    costs: list[tuple[str, Ended]]


def gather(asked: Asked) -> Rows:
    """Ask the store."""
    questions, lookups = asked.questions, asked.lookups
    window = asked.window(LATELY, DAY)
    first = asked.first_minute(window)
    mission = asked.query.get("mission") or None
    casts = questions.cast(window.sums, first, mission)
    matrix = matrix_of(casts, asked.rules, mission, _searched(asked, casts))
    starts = range(first, first + int(window.length / timedelta(minutes=1)), window.width)
    since = milliseconds(asked.until - ENDED_WITHIN)
    all_costs: dict[int, list[tuple[str, Ended]]] = {}
    hits = []
    for incident in lookups.incidents(since):
        hour = hour_of(incident.since)
        if hour not in all_costs:
            all_costs[hour] = questions.costs(hours_since(asked, incident))
        hits.append(hit_of(asked, incident, all_costs[hour]))
    return Rows(
        window=window,
        first_minute=first,
        hits=hits,
        casts=casts,
        matrix=matrix,
        trends=questions.trends(matrix.series(), window.width, starts),
        starts=starts,
        costs=questions.costs(asked.hours(window)),
    )


def hours_since(asked: Asked, incident: Alert) -> Hours:
    """The hours since an incident began; its days where it is an old one."""
    first = hour_of(incident.since)
    if asked.until - incident.since < DAY.length:
        return Hours(first, HOURLY)
    return Hours(first - first % DAILY, DAILY)


def hit_of(asked: Asked, incident: Alert, costs: Sequence[tuple[str, Ended]]) -> Hit:
    """What an incident does, by the journeys it cost since it began."""
    lost, value = 0, dict[str, float]()
    for mission, ended in costs:
        if ended.name == incident.touchpoint and incident.mission in (None, mission):
            lost += ended.lost
            known = asked.rules.missions.all.get(mission)
            if known is not None and known.currency is not None:
                value[known.currency] = value.get(known.currency, 0.0) + ended.value
    last = incident.resolved_at or asked.until
    customers = asked.lookups.customers_hit(incident, milliseconds(last))
    broke = asked.lookups.broken(
        incident.touchpoint,
        incident.mission,
        milliseconds(incident.since),
        milliseconds(last),
        BROKEN_MAX,
    )
    return Hit(incident, customers, lost, value, asked.lookups.went_next(broke))


def _searched(asked: Asked, casts: Sequence[Cast]) -> dict[str, str] | None:
    """The touchpoints whose name or id holds what was typed."""
    typed = asked.query.get("q", "").strip().casefold()
    if not typed:
        return None
    names = {one.touchpoint: asked.words.touchpoint(one.touchpoint) for one in casts}
    return {
        id_: name
        for id_, name in names.items()
        if typed in name.casefold() or typed in id_.casefold()
    }


def show(asked: Asked, rows: Rows) -> Page:
    """The page."""
    words = asked.words
    firing = [one for one in rows.hits if one.incident.state == "firing"]
    sections = [
        Section("headline", headline(asked.standing, firing, rows, words)),
        incidents_section(rows.hits, words),
    ]
    table = matrix_table(rows, words)
    if rows.casts or asked.query.get("q") or asked.query.get("mission"):
        sections.append(Section("cost", cost(rows, asked.rules)))
        sections.append(matrix_section(asked, rows, table))
    return Page("Now", PLACE, tuple(sections), (table,))


def headline(standing: Standing, firing: Sequence[Hit], rows: Rows, words: Words) -> Markup:
    """The answer in a sentence, and what stands behind it."""
    if standing.level in ("empty", "starting") or (standing.level == "failed" and not rows.casts):
        return Markup("")
    incidents = [one for one in firing if one.incident.within is None] or list(firing)
    if not incidents:
        if standing.level in ("stalled", "failed", "catching-up"):
            return element("p", "Whether anything is broken now cannot be told.", class_="headline")
        said = "Nothing is broken." if standing.trusted else "Nothing was broken then."
        over = [one for one in rows.hits if one.incident.resolved_at is not None]
        return joined(
            element("p", said, class_="headline"),
            element("p", *_usual(rows), *_was(over, words), class_="explanation"),
        )
    worst = incidents[0]
    name = f"“{words.touchpoint(worst.incident.touchpoint)}”"
    if len(incidents) == 1:
        first = f"{name} is broken{_for(worst.incident, words)}."
    else:
        first = (
            f"{len(incidents)} things are broken. The latest: {name}{_for(worst.incident, words)}."
        )
    return joined(
        element("p", first, class_="headline"),
        element("p", *effects(worst, words), class_="explanation"),
    )


def _for(incident: Alert, words: Words) -> str:
    if incident.kind == "silent":
        return ": nobody reaches it any more"
    if incident.kind == "slow_leak" and incident.mission is None:
        return ": it has been breaking more often than it used to for days"
    return f" for “{words.mission(incident.mission)}”" if incident.mission else ""


def effects(hit: Hit, words: Words, share: float | None = None) -> list[str]:
    """Since when, how often, whom it hits, what it costs, and what they do instead.

    Args:
        hit: The incident.
        words: Names.
        share: The share that broke since it began, where that is known better than by the alert.
    """
    one = hit.incident
    present = one.present_share if share is None else share
    said: list[str] = ["Since ", time_of(one.since, "clock")]
    if one.kind == "silent":
        said.append(f" nothing came, where {counted(one.votes, 'visit')} were to be expected.")
    else:
        said.append(
            f" it breaks for {percent(present)} of visits, against "
            f"{percent(one.usual_share)} usually; {counted(hit.customers, 'customer')} hit"
        )
        said.append(f". It has cost {cost_words(hit)}." if hit.lost else ".")
    if hit.went:
        where, count = hit.went.most_common(1)[0]
        went = went_words(where, words)
        said.append(f" Most then {went} ({count:,} of {hit.went.total():,}).")
    return said


def went_words(where: str, words: Words) -> str:
    """Where customers went, as the end of a sentence."""
    if where == LEFT:
        return "were not seen again"
    return f"went to “{words.touchpoint(where)}”"


def worth_of(hit: Hit) -> str:
    """The value of the missions lost; empty where nobody said what they are worth."""
    return " + ".join(
        money(Money(amount=amount, currency=currency)) for currency, amount in hit.value.items()
    )


def cost_words(hit: Hit) -> str:
    """Missions lost, and their value."""
    worth = worth_of(hit)
    return counted(hit.lost, "mission") + (f" worth {worth}" if worth else "")


def _usual(rows: Rows) -> list[str]:
    votes, broken = _totals(rows.casts)
    if not votes:
        return ["No visit was judged in this time."]
    return [
        f"Of {counted(votes, 'visit')} since ",
        time_of(at_minute(rows.first_minute), "minute"),
        f", {percent(broken / votes)} broke. ",
    ]


def _was(over: Sequence[Hit], words: Words) -> list[str]:
    """What broke lately and works again."""
    if not over:
        return ["No touchpoint broke more often than it usually does."]
    one = over[0].incident
    said = [f"“{words.touchpoint(one.touchpoint)}” was broken", _for(one, words), " from "]
    said += [time_of(one.since, "minute"), " to ", time_of(one.resolved_at or one.at, "clock")]
    return [*said, f" and cost {cost_words(over[0])}." if over[0].lost else "."]


def _totals(casts: Sequence[Cast]) -> tuple[int, int]:
    whole = [one for one in casts if one.mission == NO_MISSION]
    return sum(one.votes for one in whole), sum(one.broken for one in whole)


def incidents_section(hits: Sequence[Hit], words: Words) -> Section:
    """The strip: what stands, then what is over."""
    standing = [one for one in hits if one.incident.state == "firing"]
    standing.sort(key=lambda one: one.incident.within is not None)
    over = [one for one in hits if one.incident.state != "firing"][:ENDED_SHOWN_MAX]
    if not standing and not over:
        return Section("incidents", Markup(""))
    cards = [card(one, words) for one in (*standing, *over)]
    return section(
        "incidents",
        "Incidents",
        "",
        element("ul", *cards, class_="strip"),
    )


def card(hit: Hit, words: Words) -> Markup:
    """One incident in the strip: what and since when, and what it does."""
    one = hit.incident
    ended = [" to ", time_of(one.resolved_at, "clock")] if one.resolved_at else []
    stands = one.state == "firing"
    told = [
        element(
            "p",
            badge(one.state),
            element("span", "since " if stands else "", time_of(one.since, "minute"), *ended),
            class_="meta",
        ),
        element("h3", link(words.touchpoint(one.touchpoint), below("/incidents", one.id))),
        element("p", f"for “{words.mission(one.mission)}”" if one.mission else "for all missions"),
    ]
    if one.kind == "silent":
        expected = counted(one.votes, "visit")
        told.append(element("p", f"nobody comes, where {expected} were to be expected"))
    elif one.state == "retracted":
        told.append(element("p", TAKEN_BACK, class_="soft small"))
    elif one.reasons:
        told.append(element("p", reason(next(iter(one.reasons))), class_="soft small"))
    if one.within:
        told.append(element("p", "Part of an incident that began before it.", class_="soft small"))
    toll = toll_of(hit)
    return element(
        "li",
        element("div", *told),
        element(
            "dl",
            *(element("div", element("dd", figure), element("dt", what)) for figure, what in toll),
            class_="toll",
        )
        if toll
        else "",
        class_=f"card incident {one.state}",
    )


def toll_of(hit: Hit) -> list[tuple[str, str]]:
    """What an incident does in figures, each with what it counts; nothing if it was none."""
    one, toll = hit.incident, list[tuple[str, str]]()
    if one.state == "retracted":
        return toll
    if one.kind != "silent":
        if one.state == "firing":
            toll.append((percent(one.present_share), f"of {counted(one.votes, 'visit')}"))
        hits = "customer hit" if hit.customers == 1 else "customers hit"
        toll.append((f"{hit.customers:,}", hits))
    if hit.lost:
        worth = worth_of(hit)
        lost = counted(hit.lost, "mission")
        toll.append((worth, f"lost in {lost}") if worth else (f"{hit.lost:,}", "missions lost"))
    return toll


def cost(rows: Rows, rules: Rules) -> Markup:
    """The figures of the window."""
    votes, broken = _totals(rows.casts)
    lost = sum(ended.lost for _, ended in rows.costs)
    value: dict[str, float] = {}
    for mission, ended in rows.costs:
        known = rules.missions.all.get(mission)
        if known is not None and known.currency is not None:
            value[known.currency] = value.get(known.currency, 0.0) + ended.value
    worth = [
        (money(Money(amount=amount, currency=currency)), "was not earned because of it")
        for currency, amount in value.items()
    ]
    return figures(
        [
            (f"{votes:,}", "visits: a customer at a touchpoint, once a session"),
            (percent(broken / votes) if votes else "-", f"of them broke: {broken:,}"),
            (f"{lost:,}", "journeys were lost to a touchpoint"),
            *worth,
        ]
    )
