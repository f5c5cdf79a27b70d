"""What one touchpoint's own signs say of it, given those before it in its session."""

import json
from dataclasses import dataclass
from datetime import datetime

from pipeline.stitching.rules import Rules, VerdictRules
from schemas.records import Touchpoint

FAILURES = {"http_5xx", "timeout", "crash", "not_responding", "http_4xx"}
HARD = {"menu_repeat", "repeated_intent", "hangup_by_system", "not_helped"}
SOFT = {
    "rage_click", "error_click", "js_error", "slow", "form_abandoned", "low_confidence",
    "quick_back", "handoff_failed", "transfer_failed", "queue_abandoned",
    "fallback", "no_match", "no_input",
}  # fmt: skip

SOFT_RULES = SOFT | {
    "transfers", "dead_clicks", "validation_errors", "too_long_in_ivr", "came_back",
    "step_not_reached",
}  # fmt: skip
TOLD = {
    "step_failed", "no_step_of_the_mission", "leaked_to_call", "time_in_best_quarter",
    "effort_in_best_quarter",
}  # fmt: skip
BLAMES = {"leaked_to_call", "came_back", "called_again"}

Signs = list[tuple[str, object]]


@dataclass
class Said:
    """A verdict as it stands, and whether a hard sign broke it by itself."""

    verdict: str | None
    reasons: Signs
    hard: bool = False


def judged(
    one: Touchpoint,
    before: list[tuple[Touchpoint, Said]],
    *,
    name: str,
    place: str,
    place_of: dict[str, str],
    on_path: bool,
    progressed: bool,
    in_journey: bool,
    started: datetime,
    pace: tuple[float, float, str] | None,
    limits: VerdictRules,
    rules: Rules,
) -> Said:
    """The verdict by a touchpoint's own signs.

    `before` are the earlier ones of its session, `name` its touchpoint, `place` where it happened,
    `place_of` the same for those before, by id; `started` when its session did. `pace`: seconds
    since the journey's one before and the journey's effort, with its mission, where it reached a
    new step.
    """
    if one.source in rules.test_sources:
        return Said(None, [])
    about_nothing = one.session_hint is None or "relationship" in one.signals
    if one.channel == "survey" and about_nothing and not in_journey:
        return Said(None, [])  # a question about the relationship, not about an interaction
    earlier = [other for other, _ in before if other.source not in rules.test_sources]
    here = [other for other in earlier if place_of[other.ref] == place]
    hard, soft = _signs(one, on_path=on_path, progressed=progressed, rules=rules)
    _repeated(one, earlier, here, limits, hard, soft)
    if one.channel == "chatbot":
        _in_conversation(one, earlier, limits, hard)
    took = one.occurred_at - started
    usual = rules.norms.nodes.get(place)
    waited = took >= limits.ivr_time_min and one.channel == "ivr"
    if waited and usual is not None and took.total_seconds() > limits.ivr_time_times * usual:
        soft.append(("too_long_in_ivr", took.total_seconds()))
    others: Signs = []
    norm = None if pace is None else rules.norms.steps.get((name, pace[2]))
    fast = pace is not None and norm is not None and pace[0] <= norm.time_best
    if pace is not None and norm is not None and fast and pace[1] >= norm.effort_best:
        others = [("time_in_best_quarter", pace[0]), ("effort_in_best_quarter", pace[1])]
    if one.rating is not None:
        given = (f"answered_{one.rating.scale}", one.rating.value)
        failed = sum(said.hard for _, said in before)
        if band(given, limits) == "broken":
            hard.append(given)
        else:
            others.append(given)
            others += [("step_failed", failed)] if failed else []
            if in_journey and not on_path and one.channel != "survey":
                others = aside(others, name, limits)
    reasons = [*hard, *soft, *others]
    verdict = weighed(reasons, on_path=on_path, limits=limits)
    return Said(verdict, worth_telling(reasons, on_path=on_path, limits=limits), bool(hard))


def weighed(reasons: Signs, *, on_path: bool, limits: VerdictRules) -> str:
    """Hard signs, then the answer, then soft signs, then the best quarter."""
    rules = [rule for rule, _ in reasons]
    soft = [rule for rule in rules if rule in SOFT_RULES or (rule in FAILURES and not on_path)]
    late = [float(str(v)) for rule, v in reasons if rule == "leaked_to_call"]
    slight = [seconds for seconds in late if seconds > limits.leak_strong.total_seconds()]
    answers = [band(one, limits) for one in reasons if one[0].startswith("answered_")]
    weak = {*soft, *TOLD, *(rule for rule in rules if rule.startswith("answered_"))}
    if len(slight) < len(late) or "broken" in answers or not {*rules} <= weak:
        return "broken"
    if answers and "step_failed" not in rules:
        return "functional" if "no_step_of_the_mission" in rules else answers[-1]
    stuck = {"came_back", "step_not_reached"} & {*soft}  # both say: no step further
    if len([rule for rule in soft if rule not in stuck]) + len(slight) + bool(stuck) >= 2:
        return "broken"
    best = {"time_in_best_quarter", "effort_in_best_quarter"} <= {*rules}
    return "excellent" if best and not soft and not slight else "functional"


def aside(reasons: Signs, name: str, limits: VerdictRules) -> Signs:
    """Praise of what is no step of its mission; said once."""
    known = [rule for rule, _ in reasons]
    praise = [one for one in reasons if one[0].startswith("answered_")]
    if "no_step_of_the_mission" in known or "excellent" not in [band(o, limits) for o in praise]:
        return reasons
    return [*reasons, ("no_step_of_the_mission", name)]


def worth_telling(reasons: Signs, *, on_path: bool, limits: VerdictRules) -> Signs:
    """Without the answer or the speed that could not lift what is broken by itself."""
    own = [one for one in reasons if one[0] not in BLAMES]
    if weighed(own, on_path=on_path, limits=limits) != "broken":
        return reasons
    return [
        one
        for one in reasons
        if one[0] not in TOLD - {"leaked_to_call"}
        and not (one[0].startswith("answered_") and band(one, limits) != "broken")
    ]


def _signs(
    one: Touchpoint, *, on_path: bool, progressed: bool, rules: Rules
) -> tuple[Signs, Signs]:
    signals = set(one.signals)
    failures = signals & FAILURES
    entry = rules.inventory.entries.get(
        rules.inventory.touchpoint_of(one.channel, one.name, one.location, one.intent)
    )
    if entry is None or not entry.expects_success:
        failures.discard("http_4xx")
    hard = signals & HARD | (failures if on_path else set())
    soft = signals & SOFT | (set() if on_path else failures)
    times = {sign: one.signals.count(sign) for sign in signals}
    if "zero_out" in signals and not progressed:
        hard.add("zero_out_before_progress")
        times["zero_out_before_progress"] = times["zero_out"]
    if {"rage_click", "dead_click"} <= signals:
        hard.add("rage_on_dead_element")
        times["rage_on_dead_element"] = times["rage_click"]
    return (
        [(sign, times[sign]) for sign in sorted(hard)],
        [(sign, times[sign]) for sign in sorted(soft)],
    )


def _missed(one: Touchpoint) -> bool:
    return "no_match" in one.signals or "no_input" in one.signals


def _visits_menu(one: Touchpoint) -> bool:
    return one.channel == "ivr" and one.location is not None and not _missed(one)


def _repeated(
    one: Touchpoint,
    earlier: list[Touchpoint],
    here: list[Touchpoint],
    limits: VerdictRules,
    hard: Signs,
    soft: Signs,
) -> None:
    if _missed(one):
        times = 1 + sum(map(_missed, here))
        if times >= limits.no_match_min:
            hard.append(("no_match_repeated", times))
    elif _visits_menu(one):
        times = 1 + sum(_visits_menu(o) and o.name == one.name for o in here)
        if times >= limits.menu_repeat_min:
            hard.append(("menu_repeat", times))
    if "validation_error" in one.signals:
        often = max(_refused(field, [*here, one]) for field in _fields(one))
        if often >= limits.validation_errors_min:
            soft.append(("validation_errors", often))
    for sign, rule, least, seen in (
        ("transfer", "transfers", limits.transfers_min, earlier),
        ("dead_click", "dead_clicks", limits.dead_clicks_min, here),
    ):
        if sign in one.signals:
            times = 1 + sum(sign in o.signals for o in seen)
            if times >= least:
                soft.append((rule, times))


def _fields(one: Touchpoint) -> dict[str, int]:
    """The fields that it says were refused, and how often by then; in tests plain texts."""
    told = json.loads(bytes(one.properties))
    named = told.get("fields", [told["field"]] if "field" in told else [""])
    return named if isinstance(named, dict) else dict.fromkeys(named, 1)


def _refused(field: str, attempts: list[Touchpoint]) -> int:
    """How often a field was refused by the last of them, or more where one of them counts more."""
    times = 0
    for attempt in attempts:
        if "validation_error" in attempt.signals and field in _fields(attempt):
            times = max(times + 1, _fields(attempt)[field])
    return times


def _in_conversation(
    one: Touchpoint, earlier: list[Touchpoint], limits: VerdictRules, hard: Signs
) -> None:
    run = 0
    for turn in [o for o in earlier if o.channel == "chatbot"]:
        run = 0 if _understood(turn) else run + ("fallback" in turn.signals)
    run += "fallback" in one.signals
    if "handoff" in one.signals and run >= limits.fallbacks_max:
        hard.append(("handoff_after_fallbacks", run))
    elif "bot_end" in one.signals and run >= limits.fallbacks_before_end_max:
        hard.append(("bot_end_after_fallbacks", run))
    turns = [o for o in earlier if o.channel == "chatbot"]
    learnt = [at for at, o in enumerate(turns) if _learns(o, turns[:at])]
    since = turns[learnt[-1] + 1 :] if learnt else turns
    if _understood(one) and not _learns(one, turns):
        asked = (one.intent, one.name, one.location)
        times = 1 + sum(_understood(o) and (o.intent, o.name, o.location) == asked for o in since)
        if times >= limits.repeated_intent_min:
            hard.append(("repeated_intent", times))


def _learns(turn: Touchpoint, before: list[Touchpoint]) -> bool:
    """Whether the bot is told something; where that is named, something that was not before."""
    filled = json.loads(bytes(turn.properties)).get("filled")
    known = [json.loads(bytes(o.properties)).get("filled") for o in before if _fills(o)]
    return _fills(turn) and (filled is None or filled not in known)


def _fills(turn: Touchpoint) -> bool:
    return "slot_filled" in turn.signals


def _understood(turn: Touchpoint) -> bool:
    return turn.intent is not None and "fallback" not in turn.signals


def band(answer: tuple[str, object], limits: VerdictRules) -> str:
    """What an answer says by its scale."""
    scale, value = answer[0].removeprefix("answered_"), float(str(answer[1]))
    if value <= getattr(limits, f"{scale}_broken_max"):
        return "broken"
    return "excellent" if value >= getattr(limits, f"{scale}_excellent_min") else "functional"
