"""The report as text, for a terminal or a mail: at most `WIDTH` columns."""

from collections.abc import Iterator
from textwrap import shorten, wrap
from typing import Final

from pipeline.reporting import wording
from pipeline.reporting.report import AtMission, AtTouchpoint, OfMission, Report
from pipeline.reporting.wording import Words, counted, money, moneys, percent, share
from pipeline.stitching.rules import Rules

WIDTH: Final = 88
"""Columns of a line."""

TOUCHPOINTS_MAX: Final = 10
"""Touchpoints that the text shows of each list; the page and the JSON have all (P)."""


def text_of(report: Report, rules: Rules) -> str:
    """All of it, ending in a line break."""
    words = Words(rules)
    parts = [
        _head(report),
        _improve(report, words),
        _matter(report, words),
        _doing(report, words),
        _missions(report, words),
        _matrix(report, words),
        _effort(report, words),
        _notes(report, words),
    ]
    text = "\n\n".join("\n".join(lines) for part in parts if (lines := list(part))) + "\n"
    return text.replace(wording.THIN, " ")


def _head(report: Report) -> Iterator[str]:
    title = "Do customers get what they come for?"
    yield title
    yield "=" * len(title)
    yield _filled(
        f"{wording.period(report)}: {counted(report.customers, 'customer')}, "
        f"{counted(report.journeys, 'journey')}, {counted(report.interactions, 'interaction')}",
        WIDTH,
    )
    yield ""
    yield _filled(f"{report.headline} {report.explanation}".strip(), WIDTH)
    if report.journeys:
        lost = report.frustrated + report.abandoned
        worth = f", worth {moneys(report.value_lost)}" if report.value_lost else ""
        yield ""
        yield _filled(
            f"All in all {counted(lost, 'journey')} ended without what the customer wanted{worth}: "
            f"{report.frustrated:,} after something broke or the customer gave up, "
            f"{report.abandoned:,} in silence. {_fine(report)}",
            WIDTH,
        )


def _fine(report: Report) -> str:
    fine = report.fine_but_left
    return (
        f"In {fine.whole:,} journeys our own systems logged no error; {fine.part:,} of those "
        f"customers ({percent(fine.share)}) left or had to ring all the same."
    )


def _improve(report: Report, words: Words) -> Iterator[str]:
    if not report.improve:
        return
    yield _heading("What to improve first")
    known = {one.touchpoint: one for one in report.touchpoints}
    for number, touchpoint in enumerate(report.improve[:TOUCHPOINTS_MAX], 1):
        one = known[touchpoint]
        if number > 1:
            yield ""
        yield f"{number:>2}. {_name(one, words)}"
        for at in one.missions:
            if at.lost.part:
                yield from _loss(at, words)


def _loss(at: AtMission, words: Words) -> Iterator[str]:
    worth = "" if at.value_lost is None else f", {money(at.value_lost, interval=True)}"
    yield _indented(
        f'for "{words.mission(at.mission)}": cost {at.lost.part:,} of '
        f"{counted(at.lost.whole, 'journey')}, {share(at.lost)}{worth}"
    )
    if at.drop is not None:
        sure = "certain" if at.certain else "may be chance"
        yield _indented(
            f"they get what they came for: {share(at.when_sound)} when it works, "
            f"{share(at.when_broken)} when it breaks ({sure})"
        )
    yield _indented(
        f"mending it would save {wording.cost_of(at)}" if at.cost else wording.cost_of(at)
    )
    if not at.reasons:
        return
    yield _indented(
        "why: " + ", ".join(f"{wording.reason(one.word)} ({one.count:,})" for one in at.reasons)
    )
    yield _indented(
        "where they went instead: "
        + ", ".join(f"{words.touchpoint(one.word)} ({one.count:,})" for one in at.instead)
    )


def _matter(report: Report, words: Words) -> Iterator[str]:
    passed = [one for one in report.touchpoints if one.journeys and one.channel != "survey"]
    if not passed:
        return
    yield _heading("Which touchpoints matter most")
    yield f"{'':44}{'journeys':>9}{'value through it':>22}{'drop':>9}"
    for one in passed[:TOUCHPOINTS_MAX]:
        mark = " *" if one.moment_of_truth else ""
        name = shorten(words.touchpoint(one.touchpoint), 41, placeholder="…") + mark
        drops = [at.drop.value for at in one.missions if at.drop is not None and at.certain]
        drop = f"{max(drops) * 100:.0f} pts" if drops else "-"
        yield f"{name:44}{one.journeys:>9,}{moneys(one.value):>22}{drop:>9}"
    yield from _more(len(passed))
    yield "* a moment of truth: here customer or company decides whether to go on"
    yield "drop: how many points fewer get what they came for when it breaks, where certain"


def _doing(report: Report, words: Words) -> Iterator[str]:
    pairs = [(one, at) for one in report.touchpoints for at in one.missions if at.broken.whole]
    pairs.sort(key=lambda pair: (-pair[1].broken.part, -_left(pair[1]), -pair[1].journeys))
    if not pairs:
        return
    yield _heading("How are we doing at each, mission by mission")
    yield f"{'':50}{'broke for':>19}{'logged fine, left':>19}"
    for one, at in pairs[:TOUCHPOINTS_MAX]:
        yield shorten(words.touchpoint(one.touchpoint), WIDTH, placeholder="…")
        wanted = shorten(f'for "{words.mission(at.mission)}"', 47, placeholder="…")
        broke = f"{at.broken.part:,} of {at.broken.whole:,}"
        left = f"{at.fine_but_left.part:,} of {at.fine_but_left.whole:,}"
        yield f"  {wanted:48}{broke:>19}{left:>19}"
    yield from _more(len(pairs))
    yield _filled(
        "logged fine, left: journeys in which our systems reported no error there, and yet the "
        "customer went no further and did not get it, or had to ring",
        WIDTH,
    )


def _left(at: AtMission) -> int:
    return at.fine_but_left.part


def _missions(report: Report, words: Words) -> Iterator[str]:
    if not report.missions:
        return
    yield _heading("Mission by mission")
    for number, one in enumerate(report.missions):
        if number:
            yield ""
        yield from _mission(one, words)


def _mission(one: OfMission, words: Words) -> Iterator[str]:
    yield f'"{words.mission(one.mission)}" ({one.mission})'
    lost = f"; {money(one.value_lost)} not earned" if one.endings and one.value_lost else ""
    said = (f"{counted(one.journeys, 'journey')}: {share(one.completed)} got it", *_endings(one))
    yield _indented(f"{', '.join(said)}{lost}; effort {one.effort:.1f} of 7 (7 very easy)")
    for promise in one.objectives:
        kept = "" if promise.met is None else ", kept" if promise.met else ", not kept"
        yield _indented(f"promise: {wording.objective(promise)}{kept}")
    yield _indented(f"the most usual of {counted(one.paths, 'way')}:")
    for path in one.microjourneys:
        way = " > ".join(path.path)
        yield _filled(
            f"{path.journeys:>5,} x {way}: {percent(path.completed.share)} got it, effort "
            f"{path.effort:.1f}, {wording.duration(path.duration)}",
            WIDTH,
            first="    ",
            then=" " * 12,
        )
    for segment in one.segments:
        yield _indented(
            f"{segment.segment}: {counted(segment.journeys, 'journey')}, "
            f"{share(segment.completed)} got it, effort {segment.effort:.1f}"
        )


def _endings(one: OfMission) -> list[str]:
    return [f"{end.count:,} {wording.ending(end.word)}" for end in one.endings]


def _matrix(report: Report, words: Words) -> Iterator[str]:
    if not report.matrix:
        return
    yield _heading("Channel by channel: interactions, and the share that broke")
    for row in report.matrix:
        shown = [
            f"{cell.touchpoint} {cell.interactions:,}"
            + (f" ({percent(cell.broken.share)} broke)" if cell.broken.part else "")
            for cell in row.cells
        ]
        yield _filled(
            f"{wording.CHANNELS[row.channel]} {row.interactions:,}: {', '.join(shown)}",
            WIDTH,
            then="  ",
        )


def _effort(report: Report, words: Words) -> Iterator[str]:
    if not report.effort:
        return
    yield _heading("Effort: what customers said, and what their behaviour shows")
    for one in report.effort:
        about = "all missions" if one.mission is None else f'"{words.mission(one.mission)}"'
        agree = "-" if one.correlation is None else f"{one.correlation:.2f}"
        fitted = "" if one.divisor is None else f"; divisor that fits best {one.divisor:.1f}"
        yield _filled(
            f"{about}: said {one.asked:.1f}, inferred {one.inferred:.1f}, "
            f"{counted(one.pairs, 'pair')}, rank correlation {agree}{fitted}",
            WIDTH,
            then="  ",
        )


def _notes(report: Report, words: Words) -> Iterator[str]:
    yield _heading("To keep in mind")
    for note in wording.caveats(report):
        yield _filled(note, WIDTH, first="- ", then="  ")
    missed = wording.overlooked(report)
    if missed:
        yield _filled(
            f"Often overlooked: {'; '.join(missed)}.",
            WIDTH,
            first="- ",
            then="  ",
        )
    if report.quiet:
        yield _filled(
            f"Nobody reports {counted(len(report.quiet), 'touchpoint')} of the inventory: "
            f"{', '.join(report.quiet)}.",
            WIDTH,
            first="- ",
            then="  ",
        )


def _name(one: AtTouchpoint, words: Words) -> str:
    marks = [one.touchpoint, *([one.owner] if one.owner else []), *wording.flags(one)]
    return f"{words.touchpoint(one.touchpoint)} ({', '.join(marks)})"


def _more(count: int) -> Iterator[str]:
    if count > TOUCHPOINTS_MAX:
        yield f"… and {count - TOUCHPOINTS_MAX:,} more in --format html and json"


def _heading(text: str) -> str:
    return f"{text}\n{'-' * len(text)}"


def _indented(text: str) -> str:
    return _filled(text, WIDTH, first="    ", then="      ")


def _filled(text: str, width: int, *, first: str = "", then: str = "") -> str:
    lines = wrap(text, width, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)
    return "\n".join(lines)
