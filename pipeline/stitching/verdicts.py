"""Verdicts: broken, functional or excellent, with the rules that fired and their values.

One interaction at a time, in the context of its session and its journey. What can only be said
later - somebody rang up, nobody went on - is added by `journeys`.
"""

from typing import Final

from pipeline.stitching.rules import Rules, VerdictRules
from pipeline.stitching.sessions import OpenSession
from pipeline.stitching.signals import HARD, HARD_ON_STEP, SOFT
from schemas.controls import Interaction
from schemas.records import Judgement, Reason

STEP_NOT_REACHED: Final = "step_not_reached"
"""One soft sign, and then no progress until the journey ended."""

LEAKED_TO_CALL: Final = "leaked_to_call"
"""The customer had to ring up after this interaction."""

_BROKEN: Final = "broken"
_COUNTING: Final = frozenset({"chatbot", "ivr"})


def judge(
    one: Interaction, session: OpenSession, *, on_path: bool, progressed: bool, rules: Rules
) -> tuple[Judgement | None, tuple[Reason, ...]]:
    """The verdict on an interaction as it happens.

    Args:
        one: Already put into its session and journey.
        session: That session; its counts are carried on.
        on_path: Whether the interaction is on its mission's path.
        progressed: Whether its journey had reached a step before.
        rules: The thresholds.

    Returns:
        The verdict, None where nothing is judged, and the rules that fired. First hard signs,
        then the customer's answer, then soft signs: two different ones break.
    """
    if session.machine or one.source in rules.test_sources:
        return None, ()
    if one.channel == "survey" and one.hint is None and one.journey < 0:
        return None, ()  # a question about the relationship judges no interaction
    if not one.signals and one.rating is None and one.channel not in _COUNTING:
        return "functional", ()
    thresholds = rules.verdicts
    hard: list[Reason] = []
    soft: list[Reason] = []
    if one.signals:
        _read_signals(one.signals, on_path, progressed, hard, soft)
    if one.signals or one.channel in _COUNTING:
        _count(one, session, thresholds, hard, soft)
    answer = _answer(one, thresholds)
    if answer == _BROKEN and one.rating is not None:
        hard.append(Reason(rule=f"answered_{one.rating[0]}", value=one.rating[1]))
    if hard or len(soft) > 1:
        _bump(session, _BROKEN)
        return "broken", (*hard, *soft)
    if answer and one.rating and not soft and not (session.counts or {}).get(_BROKEN):
        return "excellent", (Reason(rule=f"answered_{one.rating[0]}", value=one.rating[1]),)
    return "functional", tuple(soft)


def _read_signals(
    signals: tuple[str, ...],
    on_path: bool,
    progressed: bool,
    hard: list[Reason],
    soft: list[Reason],
) -> None:
    for signal in dict.fromkeys(signals):
        if signal in HARD or (on_path and signal in HARD_ON_STEP):
            hard.append(Reason(rule=signal))
        elif signal in SOFT or signal in HARD_ON_STEP:
            soft.append(Reason(rule=signal))
        elif signal == "zero_out" and not progressed:
            hard.append(Reason(rule="zero_out_before_progress"))
    if "rage_click" in signals and "dead_click" in signals:
        hard.append(Reason(rule="rage_on_dead_element"))


def _count(
    one: Interaction,
    session: OpenSession,
    rules: VerdictRules,
    hard: list[Reason],
    soft: list[Reason],
) -> None:
    """Signs that mean something only when they repeat within the session."""
    signals = one.signals
    place = one.location or one.touchpoint
    if "no_match" in signals or "no_input" in signals:
        times = _bump(session, f"missed {place}")
        if times >= rules.no_match_min:
            hard.append(Reason(rule="no_match_repeated", value=times))
    elif one.channel == "ivr" and one.location is not None:
        times = _bump(session, f"visited {one.name} {place}")
        if times >= rules.menu_repeat_min:
            hard.append(Reason(rule="menu_repeat", value=times))
    if one.channel == "chatbot":
        _count_chat(one, session, rules, hard)
    if "transfer" in signals:
        times = _bump(session, "transfer")
        if times >= rules.transfers_min:
            soft.append(Reason(rule="transfers", value=times))
    if "dead_click" in signals:
        times = _bump(session, f"dead_click {place}")
        if times >= rules.dead_clicks_min:
            soft.append(Reason(rule="dead_clicks", value=times))
    if "validation_error" in signals:
        times = _bump(session, f"validation_error {place}")
        if times >= rules.validation_errors_min:
            soft.append(Reason(rule="validation_errors", value=times))


def _count_chat(
    one: Interaction, session: OpenSession, rules: VerdictRules, hard: list[Reason]
) -> None:
    failed = (session.counts or {}).get("fallback", 0)
    if "fallback" in one.signals:
        failed = _bump(session, "fallback")
    if "handoff" in one.signals and failed >= rules.fallbacks_max:
        hard.append(Reason(rule="handoff_after_fallbacks", value=failed))
    elif "bot_end" in one.signals and failed >= rules.fallbacks_before_end_max:
        hard.append(Reason(rule="bot_end_after_fallbacks", value=failed))
    if one.intent is not None and "fallback" not in one.signals:
        if failed and session.counts is not None:
            session.counts["fallback"] = 0  # in a row: a turn that was understood starts anew
        times = _bump(session, f"asked {one.intent} {one.name} {one.location}")
        if times >= rules.repeated_intent_min:
            hard.append(Reason(rule="repeated_intent", value=times))


def _bump(session: OpenSession, what: str) -> int:
    if session.counts is None:
        session.counts = {}
    times = session.counts[what] = session.counts.get(what, 0) + 1
    return times


def _answer(one: Interaction, rules: VerdictRules) -> Judgement | None:
    """What the customer's own answer says: broken, excellent, or nothing."""
    if one.rating is None:
        return None
    scale, value = one.rating
    broken_max, excellent_min = {
        "ces": (rules.ces_broken_max, rules.ces_excellent_min),
        "nps": (rules.nps_broken_max, rules.nps_excellent_min),
        "csat": (rules.csat_broken_max, rules.csat_excellent_min),
    }[scale]
    if value <= broken_max:
        return "broken"
    return "excellent" if value >= excellent_min else None
