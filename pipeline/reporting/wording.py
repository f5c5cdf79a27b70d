"""The words of a report: for somebody who owns a channel and has never seen this software.

Codes become words here, numbers become what people read, and the most important thing becomes the
headline. `text` and `page` share all of it.
"""

import re
from typing import Final

from pipeline.reporting.inference import Rate
from pipeline.reporting.report import AtMission, AtTouchpoint, Cost, Money, Objective, Report
from pipeline.reporting.touchpoints import BROKEN_JOURNEYS_MIN, LEFT
from pipeline.stitching.rules import Rules

REASONS: Final = {
    "http_5xx": "the server reported an error",
    "http_4xx": "the server refused the request",
    "timeout": "no answer in time",
    "crash": "the app crashed",
    "not_responding": "the app froze",
    "js_error": "an error in the page",
    "error_click": "a click that caused an error",
    "slow": "too slow",
    "rage_click": "angry clicking",
    "rage_on_dead_element": "angry clicking on something that did nothing",
    "dead_clicks": "clicks that did nothing",
    "quick_back": "back at once",
    "form_abandoned": "a form left half filled in",
    "validation_errors": "the form refused what was entered",
    "step_not_reached": "went no further after a sign of trouble",
    "leaked_to_call": "the customer had to ring up",
    "called_again": "the customer had to ring again",
    "came_back": "the customer had to come back",
    "fallback": "the bot did not understand",
    "handoff_after_fallbacks": "the bot gave up after not understanding",
    "bot_end_after_fallbacks": "the bot ended the chat after not understanding",
    "repeated_intent": "had to ask the bot again and again",
    "low_confidence": "the bot was unsure",
    "handoff_failed": "no person to hand over to",
    "no_match": "the phone menu did not understand",
    "no_input": "the phone menu heard nothing",
    "no_match_repeated": "the phone menu did not understand",
    "menu_repeat": "sent in circles by the phone menu",
    "zero_out_before_progress": "asked for a person at once",
    "hangup_by_system": "the system hung up",
    "queue_abandoned": "gave up waiting",
    "transfers": "passed from one person to the next",
    "transfer_failed": "cut off while being passed on",
    "not_helped": "said that it did not help",
    "answered_ces": "said that it was hard",
    "answered_csat": "said to be dissatisfied",
    "answered_nps": "would not recommend it",
}
"""What a rule means to a customer; a rule that is not here is shown as it is called."""

ENDINGS: Final = {
    "gave_up": "gave up",
    "answered_badly": "said that it was bad",
    "changed_channel": "tried another channel in vain after it broke",
    "silence_after_broken": "left after something broke",
    "silence": "left in silence",
    "contacted_again": "had to come again",
}
"""How journeys end that are not completed."""

CHANNELS: Final = {
    "web": "website",
    "app": "app",
    "chatbot": "chatbot",
    "ivr": "phone menu",
    "agent": "people",
    "survey": "surveys",
}
"""The channels as their owners call them."""

THIN: Final = "\N{NO-BREAK SPACE}"
"""Stands between a number and its unit, which belong on one line."""


NAME_MAX: Final = 100
"""Characters of a name that only emitters know that are shown."""

_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Controls, and what turns the direction of writing (Unicode, annex 9)."""


def tamed(text: str, most: int = NAME_MAX) -> str:
    """What an emitter chose, cut, and without characters that control how others are shown."""
    cut = text if len(text) <= most else text[:most] + "\N{HORIZONTAL ELLIPSIS}"
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", cut)


class Words:
    """Names as the catalogue has them; what only emitters know is tamed."""

    def __init__(self, rules: Rules) -> None:
        self._rules: Final = rules

    def touchpoint(self, touchpoint: str) -> str:
        """The name a customer would use; its id where it has none."""
        entry = self._rules.inventory.entries.get(touchpoint)
        if touchpoint == LEFT:
            return "nowhere: they left"
        name = entry.name if entry is not None else tamed(touchpoint)
        return name[:1].upper() + name[1:]

    def mission(self, mission: str) -> str:
        """What a customer would say they want; the mission's name where nobody wrote it down."""
        known = self._rules.missions.all.get(mission)
        return known.title if known is not None and known.title else tamed(mission)


def reason(rule: str) -> str:
    """A rule in words."""
    return REASONS.get(rule) or tamed(rule.replace("_", " "))


def ending(rule: str) -> str:
    """How a journey ended, in words."""
    return ENDINGS.get(rule) or tamed(rule.replace("_", " "))


def headline_of(report: Report, rules: Rules) -> tuple[str, str]:
    """The most important thing in a sentence or two, and what stands behind it."""
    if not report.journeys:
        if not report.interactions:
            return "Nothing to report: no interaction was recorded in this time.", ""
        return (
            "No journey has ended yet, so nobody can say whether customers got what they came for.",
            f"{counted(report.interactions, 'interaction')} were recorded so far.",
        )
    if not report.improve:
        overall = (
            f"Of {counted(report.journeys, 'journey')}, {report.completed.part:,} "
            f"({percent(report.completed.share)}) got the customer what they came for."
        )
        return overall, "No touchpoint broke so that it cost one."
    words = Words(rules)
    worst = next(one for one in report.touchpoints if one.touchpoint == report.improve[0])
    at = max(worst.missions, key=lambda one: (_amount(one.value_lost), one.lost.part))
    worth = "" if at.value_lost is None else f", worth {money(at.value_lost)}"
    said = (
        f"It broke for {at.broken.part:,} of {counted(at.broken.whole, 'journey')} that came to it "
        f"for “{words.mission(at.mission)}”."
    )
    if not at.broken.part:
        said += " Nothing is known to have broken, but customers came again or said it was bad."
    if at.drop is not None and at.drop.value > 0:
        said += (
            f" When it works, {percent(at.when_sound.share)} get what they came for; when it "
            f"breaks, {percent(at.when_broken.share)}."
        )
    if at.reasons:
        said += f" Most often: {reason(at.reasons[0].word)}."
    lost = counted(at.lost.part, "customer")
    first = (
        f"Mend “{words.touchpoint(worst.touchpoint)}” first: there {lost} did not get what they "
        f"came for{worth}."
    )
    return first, said


def cost_of(at: AtMission) -> str:
    """What mending would save; and why, where that cannot be said."""
    if at.cost is None:
        few = f"fewer than {BROKEN_JOURNEYS_MIN} journeys broke here"
        return f"too few to estimate what mending would save ({few})"
    return estimate(at.cost)


def estimate(cost: Cost) -> str:
    """`about 48 missions (41 to 54), 1,848 EUR (1,580 to 2,080)`."""
    low, high = max(0.0, cost.low), max(0.0, cost.high)
    missions = f"about {max(0.0, cost.missions):,.0f} missions ({low:,.0f} to {high:,.0f})"
    return missions if cost.value is None else f"{missions}, {money(cost.value, interval=True)}"


def objective(one: Objective) -> str:
    """A promise and how far it was kept."""
    if one.what == "completion_rate_min":
        return f"at least {percent(one.target)} get what they came for: {share(one.kept)}"
    if one.what == "duration_max":
        return f"done within {duration(one.target)}: {share(one.kept)} of those who got it"
    if one.what == "effort_min":
        return f"as easy as {one.target:g} of 7: {share(one.kept)} of all"
    steps = counted(int(one.target), "step")
    return f"done in {steps} at most: {share(one.kept)} of those who got it"


def share(one: Rate) -> str:
    """`26 % (20 to 35 %)`: a share with its interval; `-` where nothing was counted."""
    if one.whole == 0:
        return "-"
    return f"{percent(one.share)} ({one.low * 100:.0f} to {percent(one.high)})"


def percent(part: float) -> str:
    """`26 %`; what is neither none nor all is not rounded to it."""
    if 0 < part < 0.005:
        return f"<1{THIN}%"
    if 0.995 <= part < 1:
        return f">99{THIN}%"
    return f"{part * 100:.0f}{THIN}%"


def money(one: Money, *, interval: bool = False) -> str:
    """`1,386 EUR`, and its interval where asked for and known."""
    text = f"{one.amount:,.0f}{THIN}{one.currency}"
    if interval and one.low is not None and one.high is not None:
        text += f" ({max(0.0, one.low):,.0f} to {max(0.0, one.high):,.0f})"
    return text


def moneys(all_of_it: tuple[Money, ...]) -> str:
    """Amounts of several currencies side by side; `-` where there is none."""
    return " + ".join(money(one) for one in all_of_it) or "-"


def duration(seconds: float) -> str:
    """`at once`, `40 s`, `6 min`, `3 h`, `2 d`: as exact as one remembers it."""
    if seconds < 1:
        return "at once"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            number = seconds / size
            text = f"{number:.0f}" if number >= 10 else f"{number:.1f}".removesuffix(".0")
            return f"{text}{THIN}{unit}"
    return f"{seconds:.0f}{THIN}s"


def counted(count: int, what: str) -> str:
    """`1 journey`, `2 journeys`, `2 processes`."""
    ending = "" if count == 1 else "es" if what.endswith("s") else "s"
    return f"{count:,} {what}{ending}"


def period(report: Report) -> str:
    """From when to when, in UTC, and of which customers where it is not of all."""
    of = "" if report.segment is None else f", only customers of “{report.segment}”"
    if report.first is None or report.last is None:
        return f"no interaction{of}"
    first, last = report.first, report.last
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%b}{year} {first:%H:%M} to {last.day} {last:%b %Y %H:%M} UTC{of}"


def caveats(report: Report) -> list[str]:
    """What a reader has to know to trust the figures as far as they go."""
    found = []
    if report.open_journeys:
        found.append(
            f"{counted(report.open_journeys, 'journey')} had not ended and are not counted: "
            "a customer may still get what they came for."
        )
    if report.journeys_without_interactions:
        found.append(
            f"Of {counted(report.journeys_without_interactions, 'journey')} only the outcome is "
            "kept; what broke on the way is not known any more."
        )
    if report.unknown_interactions:
        found.append(
            f"{counted(report.unknown_interactions, 'interaction')} belong to touchpoints that "
            "the inventory does not know."
        )
    if report.ordered_by == "missions" and report.improve:
        found.append(
            "Touchpoints are ordered by the missions they cost, not by value: not every mission "
            "has a value in the same currency."
        )
    found.append(
        "Ranges in brackets hold the true figure in 95 of 100 cases. A drop is called certain "
        "where chance does not explain it, among all comparisons of this report (false discovery "
        "rate 10 %)."
    )
    return found


def overlooked(report: Report) -> list[str]:
    """Kinds of touchpoints that companies overlook, and that are missing or silent here."""
    found = []
    for one in report.overlooked:
        if not one.touchpoints:
            found.append(f"{one.kind}: not in the inventory of touchpoints")
        elif not one.seen:
            found.append(f"{one.kind}: in the inventory, but nobody reports it")
    return found


def flags(one: AtTouchpoint) -> list[str]:
    """What the inventory marks it as."""
    marks = ["moment of truth"] if one.moment_of_truth else []
    return [*marks, "brand moment"] if one.brand_moment else marks


def _amount(one: Money | None) -> float:
    return 0.0 if one is None else one.amount
