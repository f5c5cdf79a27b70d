"""The page's tables: what matters, how it goes for each mission, ways, channels, effort."""

from typing import Final

from pipeline.reporting import wording
from pipeline.reporting.inference import Rate
from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.page_pieces import bar, beside, folded, section, table, tags
from pipeline.reporting.report import AtMission, AtTouchpoint, Microjourney, OfMission, Report
from pipeline.reporting.wording import Words, counted, money, moneys, percent, share

NUMBER: Final = "number"
"""The class of a column of numbers."""

SHOWN: Final = 12
"""Touchpoints in sight; the others are folded away (P)."""


def matter(report: Report, words: Words) -> Markup:
    """Which touchpoints matter most."""
    passed = [one for one in report.touchpoints if one.journeys and one.channel != "survey"]
    if not passed:
        return Markup("")
    most = max(one.journeys for one in passed)
    rows = [
        (
            joined(words.touchpoint(one.touchpoint), " ", *tags(wording.flags(one))),
            beside(f"{one.journeys:,}", bar([(one.journeys / most, "blue")])),
            moneys(one.value),
            _drop(one, words),
        )
        for one in passed
    ]
    return section(
        "Which touchpoints matter most",
        "What passes through each, most value first. A moment of truth is where customer or "
        "company decides whether to go on. The drop says how many points fewer get what they came "
        "for when it breaks, where chance does not explain that.",
        folded(
            (
                ("Touchpoint", ""),
                ("Journeys", ""),
                ("Value through it", NUMBER),
                ("Drop when it breaks", NUMBER),
            ),
            rows,
            SHOWN,
            "more touchpoints",
        ),
    )


def doing(report: Report, words: Words) -> Markup:
    """How are we doing at each, mission by mission."""
    pairs = [(one, at) for one in report.touchpoints for at in one.missions if at.broken.whole]
    if not pairs:
        return Markup("")
    pairs.sort(key=lambda pair: (-pair[1].broken.part, -pair[1].fine_but_left.part))
    rows = [
        (
            joined(
                words.touchpoint(one.touchpoint),
                element("br"),
                element("span", f"“{words.mission(at.mission)}”", class_="soft small"),
            ),
            joined(bar(_shares(at)), element("span", _verdicts(at), class_="small")),
            _of(at.broken),
            _of(at.fine_but_left),
        )
        for one, at in pairs
    ]
    return section(
        "How are we doing at each",
        "The same touchpoint can be excellent for one mission and hopeless for another, so each "
        "has its own line. “Logged fine, yet left”: our systems reported no error, and "
        "the customer went no further and did not get it, or had to ring.",
        folded(
            (
                ("Touchpoint and mission", ""),
                ("Interactions", ""),
                ("Journeys it broke for", NUMBER),
                ("Logged fine, yet left", NUMBER),
            ),
            rows,
            sum(bool(at.broken.part or at.fine_but_left.part) for _, at in pairs),
            "more where nothing broke and nobody left",
        ),
    )


def mission_cards(report: Report, words: Words) -> Markup:
    """Mission by mission: objectives, microjourneys, segments."""
    if not report.missions:
        return Markup("")
    return section(
        "Mission by mission",
        "What customers wanted, whether they got it, whether we kept our promises, and the ways "
        "they took most often. Effort runs from 7, very easy, to 1, very hard.",
        *(_mission(one, words) for one in report.missions),
    )


def channels(report: Report, words: Words) -> Markup:
    """The matrix of channels and touchpoints."""
    if not report.matrix:
        return Markup("")
    rows = [
        element(
            "div",
            element(
                "div",
                element("h3", wording.CHANNELS[row.channel].capitalize()),
                element("span", counted(row.interactions, "interaction"), class_="soft small"),
            ),
            element(
                "div",
                *(
                    element(
                        "span",
                        f"{words.touchpoint(cell.touchpoint)} {cell.interactions:,}",
                        f", {percent(cell.broken.share)} broke" if cell.broken.part else "",
                        class_=f"cell {_shade(cell.broken)}".rstrip(),
                    )
                    for cell in row.cells
                ),
                class_="cells",
            ),
            class_="channel",
        )
        for row in report.matrix
    ]
    return section(
        "Channel by channel",
        "Every touchpoint with its interactions, on the channel where customers met it. The "
        "redder, the larger the share that broke.",
        *rows,
    )


def _shade(one: Rate) -> str:
    """The class of a cell by its share of broken interactions, in tenths; none where none is."""
    return f"b{max(1, round(one.share * 10))}" if one.part else ""


def efforts(report: Report, words: Words) -> Markup:
    """Asked beside inferred effort."""
    if not report.effort:
        return Markup("")
    rows = [
        (
            "All missions" if one.mission is None else f"“{words.mission(one.mission)}”",
            f"{one.pairs:,}",
            f"{one.asked:.1f}",
            f"{one.inferred:.1f}",
            "-" if one.correlation is None else f"{one.correlation:.2f}",
            "-" if one.divisor is None else f"{one.divisor:.1f}",
        )
        for one in report.effort
    ]
    headings = ("Mission", "Journeys with both", "Said", "Inferred", "Rank correlation", "Fit")
    return section(
        "Effort: said and inferred",
        "What customers answered, beside what their behaviour shows; 7 is very easy. A rank "
        "correlation near 1 means that both order journeys alike. Fit is the divisor of the "
        "inferred effort that would suit these answers best.",
        table([(text, NUMBER if at else "") for at, text in enumerate(headings)], rows),
    )


def _drop(one: AtTouchpoint, words: Words) -> str:
    sure = [at for at in one.missions if at.drop is not None and at.certain]
    if not sure:
        return "-"
    worst = max(sure, key=lambda at: at.drop.value if at.drop is not None else 0.0)
    assert worst.drop is not None
    return f"{worst.drop.value * 100:.0f} points"


def _verdicts(at: AtMission) -> str:
    counts = at.verdicts
    parts = (
        (counts.broken, "broken"),
        (counts.functional, "as expected"),
        (counts.excellent, "excellent"),
    )
    return ", ".join(f"{count:,} {word}" for count, word in parts if count) or "not judged"


def _shares(at: AtMission) -> list[tuple[float, str]]:
    counts = at.verdicts
    whole = max(1, counts.broken + counts.functional + counts.excellent)
    return [
        (counts.broken / whole, "bad"),
        (counts.functional / whole, "even"),
        (counts.excellent / whole, "good"),
    ]


def _of(one: Rate) -> Markup:
    """So many of so many; none is nothing to look at."""
    kind = None if one.part else "soft"
    return element("span", f"{one.part:,} of {one.whole:,}" if one.whole else "-", class_=kind)


def _mission(one: OfMission, words: Words) -> Markup:
    lost = f", {money(one.value_lost)} not earned" if one.endings and one.value_lost else ""
    ends = [f"{end.count:,} {wording.ending(end.word)}" for end in one.endings]
    return element(
        "article",
        element(
            "header",
            element("h3", f"“{words.mission(one.mission)}”"),
            element("span", share(one.completed), " got it", class_="number"),
        ),
        element(
            "p",
            f"{', '.join((counted(one.journeys, 'journey'), *ends))}{lost}. "
            f"Effort {one.effort:.1f} of 7"
            + ("" if one.duration is None else f", usually {wording.duration(one.duration)}")
            + ".",
            class_="soft small",
        ),
        element("ul", *_promises(one), class_="promises") if one.objectives else "",
        table(
            (
                (f"The most usual of {counted(one.paths, 'way')}", ""),
                ("Journeys", NUMBER),
                ("Got it", NUMBER),
                ("Effort", NUMBER),
                ("Time", NUMBER),
            ),
            [_way(path, words) for path in one.microjourneys],
        ),
        _segments(one),
        class_="card",
    )


def _promises(one: OfMission) -> list[Markup]:
    shown = []
    for promise in one.objectives:
        mark = ""
        if promise.met is not None:
            kind = "tag kept" if promise.met else "tag missed"
            mark = joined(" ", element("span", "kept" if promise.met else "not kept", class_=kind))
        text = wording.objective(promise)
        shown.append(element("li", f"We promise: {text}", mark))
    return shown


def _way(path: Microjourney, words: Words) -> tuple[str, ...]:
    steps = (element("li", words.touchpoint(one)) for one in path.path)
    return (
        element("ol", *steps, class_="path"),
        f"{path.journeys:,}",
        percent(path.completed.share),
        f"{path.effort:.1f}",
        wording.duration(path.duration),
    )


def _segments(one: OfMission) -> Markup:
    if not one.segments:
        return Markup("")
    rows = [
        (
            wording.tamed(segment.segment),
            f"{segment.journeys:,}",
            share(segment.completed),
            f"{segment.effort:.1f}",
        )
        for segment in one.segments
    ]
    headings = (("Segment", ""), ("Journeys", NUMBER), ("Got it", NUMBER), ("Effort", NUMBER))
    return element("div", table(headings, rows), class_="for")
