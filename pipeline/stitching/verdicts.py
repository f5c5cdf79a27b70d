"""Verdicts: broken, functional or excellent, with the rules that fired and their values.

One interaction at a time, in the context of its session and its journey. What can only be said
later - somebody rang up, somebody was asked, nobody went on - is added to the reasons by `leakage`
and `journeys`; whatever was added, `settle` says what all of it together weighs.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from pipeline.stitching.counting import bump, bump_at
from pipeline.stitching.fields import SLOTS, UNNAMED
from pipeline.stitching.rules import Rules, VerdictRules
from pipeline.stitching.sessions import OpenSession
from pipeline.stitching.signals import (
    FAILURES,
    HARD,
    HARD_ON_STEP,
    HARD_WHERE_EXPECTED,
    RELATIONSHIP,
    SLOT_FILLED,
    SOFT,
    VALIDATION_ERROR,
)
from schemas.controls import Interaction
from schemas.records import Judgement, Reason

STEP_NOT_REACHED: Final = "step_not_reached"
"""One soft sign, and then no progress until the journey ended; the value is the step to come."""

LEAKED_TO_CALL: Final = "leaked_to_call"
"""The customer had to ring up after this interaction; the value is after how many seconds."""

CAME_BACK: Final = "came_back"
"""The customer was here again on the same channel, no step further; likewise."""

CALLED_AGAIN: Final = "called_again"
"""The customer called again, no step further: this call did not help; likewise."""

BLAMES: Final = frozenset({LEAKED_TO_CALL, CAME_BACK, CALLED_AGAIN})
"""Reasons by which a later contact blames an earlier one."""

STEP_FAILED: Final = "step_failed"
"""Something had broken in the session before the answer, which therefore lifts nothing; the value
is how many times."""

NO_STEP: Final = "no_step_of_the_mission"
"""The answer is excellent, but about what is no step of the mission: kindness that got nobody any
further is as expected. The value is the touchpoint."""

TOO_LONG: Final = "too_long_in_ivr"
FAST: Final = "time_in_best_quarter"
EASY: Final = "effort_in_best_quarter"

MEASURED: Final = ("measured_time", "measured_effort", "measured_node")
"""What norms are made of, told by verdicts under a catalogue that measures; no sign of anything."""

_SOFT: Final = SOFT | {"transfers", "dead_clicks", "validation_errors", TOO_LONG, CAME_BACK}
_STUCK: Final = frozenset({CAME_BACK, STEP_NOT_REACHED})
_ANSWERS: Final = frozenset({"answered_ces", "answered_nps", "answered_csat"})
_BEST: Final = frozenset({FAST, EASY})
_NEUTRAL: Final = frozenset({STEP_FAILED, NO_STEP, *MEASURED})
_BROKEN: Final = "broken"
_COUNTING: Final = frozenset({"chatbot", "ivr"})
_ASKED: Final = "asked"

Reasons = tuple[Reason, ...]


class Pace(NamedTuple):
    """How a step was reached.

    Attributes:
        seconds: From the journey's interaction before.
        effort: Of the journey until then, 7 very easy to 1 very hard.
        mission: Whose step it is.
    """

    seconds: float
    effort: float
    mission: str


def judge(
    one: Interaction,
    session: OpenSession,
    *,
    on_path: bool,
    progressed: bool,
    pace: Pace | None,
    rules: Rules,
    limits: VerdictRules,
) -> tuple[Judgement | None, Reasons]:
    """The verdict on an interaction as it happens.

    Args:
        one: Already put into its session and journey.
        session: That session; its counts are carried on.
        on_path: Whether the interaction is on its mission's path.
        progressed: Whether its journey had reached a step before.
        pace: How it reached a step that was not reached before; None where it did not, where
            nothing came before it, or where no norm would ask.
        rules: Who is tested, and what is usual.
        limits: The thresholds of its mission.

    Returns:
        The verdict, None where nothing is judged, and the rules that fired.
    """
    if session.machine or one.source in rules.test_sources:
        return None, ()
    if (
        one.channel == "survey"
        and one.journey < 0
        and (one.hint is None or RELATIONSHIP in one.signals)
    ):
        return None, ()  # a question about the relationship judges no interaction
    plain = not one.signals and one.rating is None and one.channel not in _COUNTING
    if plain and pace is None:
        return "functional", ()
    hard: list[Reason] = []
    soft: list[Reason] = []
    if one.signals:
        _read_signals(one, on_path, progressed, rules, hard, soft)
    if one.signals or one.channel in _COUNTING:
        _count(one, session, limits, hard, soft)
    others: list[Reason] = []
    if one.channel == "ivr" and (rules.norms.nodes or rules.norms.measuring):
        _time_node(one, session, rules, limits, soft, others)
    if pace is not None:
        _compare(one, pace, rules, others)
    answer: Reasons = ()
    if one.rating is not None:
        answer = (Reason(rule=f"answered_{one.rating[0]}", value=one.rating[1]),)
        failed = (session.counts or {}).get(_BROKEN, 0)
        if _band_of(answer[0], limits) == _BROKEN:
            hard.append(answer[0])
            answer = ()
        elif failed:
            answer = (*answer, Reason(rule=STEP_FAILED, value=failed))
        if one.journey >= 0 and not on_path and one.channel != "survey":
            answer = aside(answer, one.touchpoint, limits)
    if hard:
        bump(session, _BROKEN)
    return settle((*hard, *answer, *soft, *others), on_path=on_path, limits=limits)


def settle(reasons: Reasons, *, on_path: bool, limits: VerdictRules) -> tuple[Judgement, Reasons]:
    """What the rules that fired weigh together, and the order in which they are told.

    What breaks by itself goes first, so the blame of a later contact where nothing else had
    broken it. An answer or a speed that could not lift a broken interaction is left out.
    """
    verdict = weigh(reasons, on_path=on_path, limits=limits)
    own = tuple(reason for reason in reasons if reason.rule not in BLAMES)
    if len(own) == len(reasons):
        own_verdict = verdict
    else:
        own_verdict = weigh(own, on_path=on_path, limits=limits)
        blames = tuple(reason for reason in reasons if reason.rule in BLAMES)
        reasons = (*own, *blames) if own_verdict == _BROKEN else (*blames, *own)
    if own_verdict == _BROKEN:
        reasons = tuple(
            reason
            for reason in reasons
            if reason.rule not in (STEP_FAILED, NO_STEP)
            and reason.rule not in _BEST
            and not (reason.rule in _ANSWERS and _band_of(reason, limits) != _BROKEN)
        )
    return verdict, reasons


def aside(reasons: Reasons, touchpoint: str, limits: VerdictRules) -> Reasons:
    """The reasons where the touchpoint is no step of its mission: praise is no excellence there."""
    praised = any(one.rule in _ANSWERS and _band_of(one, limits) == "excellent" for one in reasons)
    if not praised or any(one.rule == NO_STEP for one in reasons):
        return reasons
    return (*reasons, Reason(rule=NO_STEP, value=touchpoint))


def without_blame(reasons: Reasons) -> Reasons:
    """The rules that fired before a later contact blamed, which turned out to be none.

    A step that counted as not reached only because of the blame is forgiven with it.
    """
    own = tuple(reason for reason in reasons if reason.rule not in BLAMES)
    if any(reason.rule in _SOFT or reason.rule in FAILURES for reason in own):
        return own
    return tuple(reason for reason in own if reason.rule != STEP_NOT_REACHED)


def weigh(reasons: Sequence[Reason], *, on_path: bool, limits: VerdictRules) -> Judgement:
    """The verdict that the rules that fired make together.

    In this order: a hard sign; the customer's answer, unless a step had failed before it, and
    excellent only of a step, where there is a mission; two
    different soft signs, or one and the step not reached; the best quarter in time and effort.
    That the customer came back and that nothing more was reached tell one thing, so they count
    once: who puts something off, looks again and leaves it had no trouble (P).
    """
    soft = best = stuck = 0
    failed = aside = False
    answer: str | None = None
    for reason in reasons:
        rule = reason.rule
        if rule in FAILURES:
            if on_path:
                return "broken"
            soft += 1
        elif rule in _STUCK:
            stuck = 1
        elif rule in _SOFT:
            soft += 1
        elif rule == LEAKED_TO_CALL:
            if timedelta(seconds=float(reason.value or 0)) <= limits.leak_strong:
                return "broken"
            soft += 1
        elif rule in _ANSWERS:
            answer = _band_of(reason, limits)
            if answer == _BROKEN:
                return "broken"
        elif rule in _BEST:
            best += 1
        elif rule == STEP_FAILED:
            failed = True
        elif rule == NO_STEP:
            aside = True
        elif rule not in _NEUTRAL:
            return "broken"
    if answer is not None and not failed:
        return "excellent" if answer == "excellent" and not aside else "functional"
    if soft + stuck > 1:
        return "broken"
    return "excellent" if best > 1 and not soft and not stuck else "functional"


def _read_signals(
    one: Interaction,
    on_path: bool,
    progressed: bool,
    rules: Rules,
    hard: list[Reason],
    soft: list[Reason],
) -> None:
    """Signs that mean something at once; the value is how often the record shows them."""
    signals = one.signals
    for signal in dict.fromkeys(signals):
        times = signals.count(signal)
        if signal == HARD_WHERE_EXPECTED:
            if one.touchpoint in rules.inventory.expecting_success:
                (hard if on_path else soft).append(Reason(rule=signal, value=times))
        elif signal in HARD or (on_path and signal in HARD_ON_STEP):
            hard.append(Reason(rule=signal, value=times))
        elif signal in SOFT or signal in HARD_ON_STEP:
            soft.append(Reason(rule=signal, value=times))
        elif signal == "zero_out" and not progressed:
            hard.append(Reason(rule="zero_out_before_progress", value=times))
    if "rage_click" in signals and "dead_click" in signals:
        hard.append(Reason(rule="rage_on_dead_element", value=signals.count("rage_click")))


def _count(
    one: Interaction,
    session: OpenSession,
    limits: VerdictRules,
    hard: list[Reason],
    soft: list[Reason],
) -> None:
    """Signs that mean something only when they repeat within the session."""
    signals = one.signals
    place = one.location or one.touchpoint
    if "no_match" in signals or "no_input" in signals:
        times = bump_at(session, "missed", place)
        if times >= limits.no_match_min:
            hard.append(Reason(rule="no_match_repeated", value=times))
    elif one.channel == "ivr" and one.location is not None:
        times = bump_at(session, "visited", one.name, place)
        if times >= limits.menu_repeat_min:
            hard.append(Reason(rule="menu_repeat", value=times))
    if one.channel == "chatbot":
        _count_chat(one, session, limits, hard)
    if "transfer" in signals:
        times = bump(session, "transfer")
        if times >= limits.transfers_min:
            soft.append(Reason(rule="transfers", value=times))
    if "dead_click" in signals:
        times = bump_at(session, "dead_click", place)
        if times >= limits.dead_clicks_min:
            soft.append(Reason(rule="dead_clicks", value=times))
    if VALIDATION_ERROR in signals:
        times = _count_refusals(one, session, place)
        if times >= limits.validation_errors_min:
            soft.append(Reason(rule="validation_errors", value=times))


def _count_refusals(one: Interaction, session: OpenSession, place: str) -> int:
    """How often the field that was refused most often here has been refused by now.

    An emitter may count itself, and tell how often by then: the higher count holds.
    """
    return max(
        bump_at(session, VALIDATION_ERROR, place, field, told=told)
        for field, told in one.fields or ((UNNAMED, 1),)
    )


def _count_chat(
    one: Interaction, session: OpenSession, limits: VerdictRules, hard: list[Reason]
) -> None:
    failed = (session.counts or {}).get("fallback", 0)
    if "fallback" in one.signals:
        failed = bump(session, "fallback")
    if "handoff" in one.signals and failed >= limits.fallbacks_max:
        hard.append(Reason(rule="handoff_after_fallbacks", value=failed))
    elif "bot_end" in one.signals and failed >= limits.fallbacks_before_end_max:
        hard.append(Reason(rule="bot_end_after_fallbacks", value=failed))
    learnt = SLOT_FILLED in one.signals and _learns(one, session)
    if one.intent is not None and "fallback" not in one.signals:
        if failed and session.counts is not None:
            session.counts["fallback"] = 0  # in a row: a turn that was understood starts anew
        asked = (one.intent, one.name, one.location or "")
        times = 0 if learnt else bump_at(session, _ASKED, *asked)
        if times >= limits.repeated_intent_min:
            hard.append(Reason(rule="repeated_intent", value=times))
    if learnt and session.counts is not None:
        # The bot got further: what was asked before is no longer asked again.
        kept = {what: n for what, n in session.counts.items() if not what.startswith(f"{_ASKED} ")}
        session.counts = kept


def _learns(one: Interaction, session: OpenSession) -> bool:
    """Whether the bot learns what it had not been told before; unless it names it, it does."""
    told = [number for name, number in one.fields if name == SLOTS]
    return not told or bump_at(session, SLOTS, str(told[0])) == 1


def _time_node(
    one: Interaction,
    session: OpenSession,
    rules: Rules,
    limits: VerdictRules,
    soft: list[Reason],
    others: list[Reason],
) -> None:
    """How long the caller has been in the call when coming to this menu."""
    node, took = one.location or one.touchpoint, one.at - session.started
    usual = rules.norms.nodes.get(node)
    if usual is not None:
        longest = limits.ivr_time_times * timedelta(seconds=usual)
        if took > longest and took >= limits.ivr_time_min:
            soft.append(Reason(rule=TOO_LONG, value=took.total_seconds()))
    if rules.norms.measuring:
        others.append(Reason(rule=MEASURED[2], value=f"{node} {took.total_seconds()}"))


def _compare(one: Interaction, pace: Pace, rules: Rules, others: list[Reason]) -> None:
    """Whether a step was reached in the best quarter of time and of effort."""
    norm = rules.norms.steps.get((one.touchpoint, pace.mission))
    if norm is not None and pace.seconds <= norm.time_best and pace.effort >= norm.effort_best:
        others += (Reason(rule=FAST, value=pace.seconds), Reason(rule=EASY, value=pace.effort))
    if rules.norms.measuring:
        others.append(Reason(rule=MEASURED[0], value=pace.seconds))
        others.append(Reason(rule=MEASURED[1], value=pace.effort))


def _band_of(answer: Reason, limits: VerdictRules) -> Judgement:
    """What a customer's own answer says."""
    broken_max, excellent_min = {
        "answered_ces": (limits.ces_broken_max, limits.ces_excellent_min),
        "answered_nps": (limits.nps_broken_max, limits.nps_excellent_min),
        "answered_csat": (limits.csat_broken_max, limits.csat_excellent_min),
    }[answer.rule]
    value = float(answer.value or 0)
    if value <= broken_max:
        return "broken"
    return "excellent" if value >= excellent_min else "functional"
