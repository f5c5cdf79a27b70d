"""What one touchpoint's own signs say of it, given those before it in its session."""

from dataclasses import dataclass

from pipeline.stitching.rules import Rules
from schemas.records import Touchpoint

HARD_ON_STEP = {"http_5xx", "timeout", "crash", "not_responding"}
HARD = {"menu_repeat", "repeated_intent", "hangup_by_system", "not_helped"}
SOFT = {
    "rage_click", "error_click", "js_error", "slow", "form_abandoned", "low_confidence",
    "quick_back", "handoff_failed", "transfer_failed", "queue_abandoned",
    "fallback", "no_match", "no_input",
}  # fmt: skip

Signs = list[tuple[str, object]]


@dataclass
class Said:
    """A verdict as it stands; `excused` where it was taken back."""

    verdict: str | None
    reasons: Signs


def judged(
    one: Touchpoint,
    before: list[tuple[Touchpoint, Said]],
    *,
    place: str,
    place_of: dict[str, str],
    on_path: bool,
    progressed: bool,
    in_journey: bool,
    rules: Rules,
) -> Said:
    """The verdict by a touchpoint's own signs.

    `before` are the earlier ones of its session, `place` where it happened, `place_of` the same
    for those before, by id.
    """
    if one.source in rules.test_sources:
        return Said(None, [])
    if one.channel == "survey" and one.session_hint is None and not in_journey:
        return Said(None, [])  # a question about the relationship, not about an interaction
    earlier = [other for other, _ in before if other.source not in rules.test_sources]
    here = [other for other in earlier if place_of[other.id] == place]
    hard, soft = _signs(one, on_path=on_path, progressed=progressed)
    _repeated(one, earlier, here, rules, hard, soft)
    if one.channel == "chatbot":
        _in_conversation(one, earlier, rules, hard)
    said = answer(one, rules)
    if one.rating is not None and said == "broken":
        hard.append((f"answered_{one.rating.scale}", one.rating.value))
    if hard or len(soft) >= 2:
        return Said("broken", hard + soft)
    failed = any(said.verdict == "broken" for _, said in before)
    if one.rating is not None and said == "excellent" and not soft and not failed:
        return Said("excellent", [(f"answered_{one.rating.scale}", one.rating.value)])
    return Said("functional", soft)


def _signs(one: Touchpoint, *, on_path: bool, progressed: bool) -> tuple[Signs, Signs]:
    signals = set(one.signals)
    hard = signals & HARD
    soft = signals & SOFT
    if on_path:
        hard |= signals & HARD_ON_STEP
    else:
        soft |= signals & HARD_ON_STEP
    if "zero_out" in signals and not progressed:
        hard.add("zero_out_before_progress")
    if {"rage_click", "dead_click"} <= signals:
        hard.add("rage_on_dead_element")
    return [(sign, None) for sign in sorted(hard)], [(sign, None) for sign in sorted(soft)]


def _missed(one: Touchpoint) -> bool:
    return "no_match" in one.signals or "no_input" in one.signals


def _visits_menu(one: Touchpoint) -> bool:
    return one.channel == "ivr" and one.location is not None and not _missed(one)


def _repeated(
    one: Touchpoint,
    earlier: list[Touchpoint],
    here: list[Touchpoint],
    rules: Rules,
    hard: Signs,
    soft: Signs,
) -> None:
    limits = rules.verdicts
    if _missed(one):
        times = 1 + sum(map(_missed, here))
        if times >= limits.no_match_min:
            hard.append(("no_match_repeated", times))
    elif _visits_menu(one):
        times = 1 + sum(_visits_menu(o) and o.name == one.name for o in here)
        if times >= limits.menu_repeat_min:
            hard.append(("menu_repeat", times))
    for sign, rule, least, seen in (
        ("transfer", "transfers", limits.transfers_min, earlier),
        ("dead_click", "dead_clicks", limits.dead_clicks_min, here),
        ("validation_error", "validation_errors", limits.validation_errors_min, here),
    ):
        if sign in one.signals:
            times = 1 + sum(sign in o.signals for o in seen)
            if times >= least:
                soft.append((rule, times))


def _in_conversation(one: Touchpoint, earlier: list[Touchpoint], rules: Rules, hard: Signs) -> None:
    limits = rules.verdicts
    run = 0
    for turn in [o for o in earlier if o.channel == "chatbot"]:
        run = 0 if _understood(turn) else run + ("fallback" in turn.signals)
    run += "fallback" in one.signals
    if "handoff" in one.signals and run >= limits.fallbacks_max:
        hard.append(("handoff_after_fallbacks", run))
    elif "bot_end" in one.signals and run >= limits.fallbacks_before_end_max:
        hard.append(("bot_end_after_fallbacks", run))
    if _understood(one):
        asked = (one.intent, one.name, one.location)
        times = 1 + sum(
            o.channel == "chatbot" and _understood(o) and (o.intent, o.name, o.location) == asked
            for o in earlier
        )
        if times >= limits.repeated_intent_min:
            hard.append(("repeated_intent", times))


def _understood(turn: Touchpoint) -> bool:
    return turn.intent is not None and "fallback" not in turn.signals


def answer(one: Touchpoint, rules: Rules) -> str | None:
    """What the customer's own answer says: broken, excellent, or nothing."""
    if one.rating is None:
        return None
    limits = rules.verdicts
    low, high = {
        "ces": (limits.ces_broken_max, limits.ces_excellent_min),
        "nps": (limits.nps_broken_max, limits.nps_excellent_min),
        "csat": (limits.csat_broken_max, limits.csat_excellent_min),
    }[one.rating.scale]
    if one.rating.value <= low:
        return "broken"
    return "excellent" if one.rating.value >= high else None
