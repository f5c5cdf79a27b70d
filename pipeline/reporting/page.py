"""The report as one HTML page: no script, nothing fetched, everything escaped, fit to print."""

from collections.abc import Iterable
from typing import Final

from pipeline.reporting import wording
from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.page_pieces import gauge, section, tags
from pipeline.reporting.page_style import STYLE
from pipeline.reporting.page_tables import (
    channels,
    doing,
    efforts,
    matter,
    mission_cards,
)
from pipeline.reporting.report import AtMission, AtTouchpoint, Counted, Report
from pipeline.reporting.wording import Words, counted, money, moneys, percent, share
from pipeline.stitching.rules import Rules

TITLE: Final = "Do customers get what they come for?"

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""What the browser is told: run nothing, fetch nothing."""


def page_of(report: Report, rules: Rules) -> str:
    """All of it."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", TITLE),
        element("style", Markup(STYLE)),
    )
    main = element("main", element("h1", TITLE), content_of(report, rules))
    page = element("html", head, element("body", main), lang="en")
    return f"<!doctype html>\n{page}\n"


def content_of(report: Report, rules: Rules) -> Markup:
    """What the page says, below its title, for a frame of another's; `STYLE` says how it looks."""
    words = Words(rules)
    return joined(
        _head(report),
        _improve(report, words),
        matter(report, words),
        doing(report, words),
        mission_cards(report, words),
        channels(report, words),
        efforts(report, words),
        _notes(report, words) if report.interactions else "",
    )


def _head(report: Report) -> Markup:
    return element(
        "header",
        element("p", wording.period(report), class_="period"),
        element("p", report.headline, class_="headline"),
        element("p", report.explanation, class_="explanation") if report.explanation else "",
        _figures(report) if report.journeys else "",
    )


def _figures(report: Report) -> Markup:
    lost = report.frustrated + report.abandoned
    fine = report.fine_but_left
    shown = [
        (
            percent(report.completed.share),
            f"of {counted(report.journeys, 'journey')} got the customer what they came for",
        ),
        (
            f"{lost:,}",
            f"did not: {report.frustrated:,} frustrated, {report.abandoned:,} left in silence",
        ),
        (
            percent(fine.share),
            f"of the {fine.whole:,} journeys in which our systems logged no error left or had to "
            "ring all the same",
        ),
    ]
    if report.value_lost:
        shown.insert(2, (moneys(report.value_lost), "was not earned because of it"))
    return element(
        "dl",
        *(element("div", element("dd", figure), element("dt", what)) for figure, what in shown),
        class_="figures",
    )


def _improve(report: Report, words: Words) -> Markup:
    if not report.improve:
        return Markup("")
    known = {one.touchpoint: one for one in report.touchpoints}
    return section(
        "What to improve first",
        "The touchpoints that cost customers what they came for, the dearest first.",
        *(
            _costly(known[touchpoint], words, first=number == 0)
            for number, touchpoint in enumerate(report.improve)
        ),
    )


def _costly(one: AtTouchpoint, words: Words, *, first: bool) -> Markup:
    lost = f"{counted(one.lost, 'mission')} lost"
    if one.value_lost:
        lost += f", {moneys(one.value_lost)}"
    return element(
        "article",
        element(
            "header",
            element("h3", words.touchpoint(one.touchpoint)),
            element("span", lost, class_="loss"),
        ),
        element(
            "p",
            *tags([wording.CHANNELS[one.channel]] if one.channel else []),
            *tags(wording.flags(one)),
            *tags([one.owner] if one.owner else []),
        ),
        *(_loss(at, words) for at in one.missions if at.lost.part),
        class_="card first" if first else "card",
    )


def _loss(at: AtMission, words: Words) -> Markup:
    worth = "" if at.value_lost is None else f", {money(at.value_lost, interval=True)}"
    saved = f"Mending it would save {wording.cost_of(at)}." if at.cost else ""
    sure = "" if at.certain or at.drop is None else "With so few, this may be chance."
    return element(
        "div",
        element("h4", f"“{words.mission(at.mission)}”"),
        element(
            "p",
            f"Cost {at.lost.part:,} of {counted(at.lost.whole, 'journey')}: "
            f"{share(at.lost)}{worth}. ",
            saved,
            class_="small",
        ),
        element(
            "div",
            element(
                "div",
                element("span", "They get what they came for when it", class_="soft small"),
                gauge("works", at.when_sound, "good"),
                gauge("breaks", at.when_broken, "bad"),
                element("p", sure, class_="soft small") if sure else "",
            ),
            _listed("Why", ((wording.reason(one.word), one) for one in at.reasons)),
            _listed(
                "Where they went instead",
                ((words.touchpoint(one.word), one) for one in at.instead),
            ),
            class_="facts",
        ),
        class_="for",
    )


def _listed(title: str, lines: Iterable[tuple[str, Counted]]) -> Markup:
    items = [
        element("li", text, element("span", f"{one.count:,}", class_="number"))
        for text, one in lines
    ]
    if not items:
        return Markup("")
    heading = element("span", title, class_="soft small")
    return element("div", heading, element("ul", *items))


def _notes(report: Report, words: Words) -> Markup:
    notes = wording.caveats(report)
    if missed := wording.overlooked(report):
        notes.append(f"Often overlooked: {'; '.join(missed)}.")
    if report.quiet:
        names = ", ".join(words.touchpoint(one) for one in report.quiet)
        quiet = counted(len(report.quiet), "touchpoint")
        notes.append(f"Nobody reports {quiet} of the inventory: {names}.")
    items = (element("li", note) for note in notes)
    return section("To keep in mind", "", element("ul", *items, class_="notes"))
