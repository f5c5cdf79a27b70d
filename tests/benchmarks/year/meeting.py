"""Meeting one touchpoint: whether it works, how it fails, and what of that is recorded."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from tests.benchmarks.year import faults
from tests.benchmarks.year.emitting import medium_of
from tests.benchmarks.year.ways import EMITTED, FORMS

if TYPE_CHECKING:
    from tests.benchmarks.year.pursuit import Pursuit

ON, BLOCKED, LEFT, GOT = "on", "blocked", "left", "got"
"""It worked and they go on; it did not; they no longer care for now; that was it."""

LOOKED_AT: Final = frozenset(
    {"store-hours", "store-hours-in-app", "find-manual", "ask-opening-hours", "hours-by-phone"}
)
"""Last steps that can fail like any other; what else is last is a system's confirmation."""

NOTED_SHARE: Final = 0.65
"""Of what agents could not help with, how much they note as such."""

MUTE_SHARE: Final = 0.10
DEAD_SHARE: Final = 0.25
FORM_SHARE: Final = 0.3
"""Of failures of a page or screen, how many leave no trace, how many are a button that does
nothing, and on a form how many are a field that refuses; the rest are errors."""


def meet(it: Pursuit, touchpoint: str, *, last: bool) -> Generator[int, None, str]:
    """Meet a touchpoint; `ON` where it worked."""
    it.last_met = touchpoint
    if last and touchpoint not in LOOKED_AT:
        it.emit(touchpoint, ("hangup",) if EMITTED[touchpoint].channel == "ivr" else ())
        return ON
    medium = medium_of(touchpoint)
    if medium in ("web", "app"):
        return (yield from _on_screen(it, touchpoint, medium))
    if medium == "chat":
        return (yield from _with_bot(it, touchpoint))
    if medium == "call":
        return (yield from _in_menu(it, touchpoint))
    return (yield from _with_person(it, touchpoint))


def _on_screen(it: Pursuit, touchpoint: str, medium: str) -> Generator[int, None, str]:
    chance = it.chance
    if it.post.faults.fails(touchpoint, it.now):
        dice = chance.random()
        if dice < MUTE_SHARE:
            it.emit(touchpoint)
            it.annoy(touchpoint, faults.BLOCKED, traced=False)
        elif dice < MUTE_SHARE + DEAD_SHARE and touchpoint not in LOOKED_AT:
            it.emit(touchpoint)
            yield from it.wait(8)
            it.emit(touchpoint, ("rage_click", "dead_click"))
            it.annoy(touchpoint, faults.BLOCKED, traced=True)
        elif touchpoint in FORMS and dice < MUTE_SHARE + DEAD_SHARE + FORM_SHARE:
            for _ in range(2):
                it.emit(touchpoint, ("validation_error",))
                yield from it.wait(15)
            it.emit(touchpoint, ("validation_error", "form_abandoned"))
            it.annoy(touchpoint, faults.BLOCKED, traced=True)
        else:
            kinds = ("http_5xx", "http_5xx", "timeout", "crash" if medium == "app" else "http_5xx")
            it.emit(touchpoint, (chance.choice(kinds),))
            it.annoy(touchpoint, faults.BLOCKED, traced=True)
        yield from it.wait(20)
        return BLOCKED
    if touchpoint == "search-help" and chance.random() < faults.NO_RESULT_SHARE:
        back = chance.random() < 0.5
        it.emit(touchpoint, ("quick_back",) if back else ())
        it.annoy(touchpoint, faults.WASTED, traced=back)
        yield from it.wait(10)
        return BLOCKED if it.fed_up else ON
    if chance.random() < faults.SLOW_SHARE:
        it.emit(touchpoint, ("slow", "js_error") if chance.random() < 0.15 else ("slow",))
        it.annoy(touchpoint, faults.WAITED, traced=True)
        return BLOCKED if it.fed_up else ON
    it.emit(touchpoint)
    return ON


def _with_bot(it: Pursuit, touchpoint: str) -> Generator[int, None, str]:
    chance = it.chance
    if touchpoint == "chat-to-person":
        it.emit(touchpoint, ("handoff",))
        return ON
    if touchpoint == "chat" or chance.random() >= faults.NOT_UNDERSTOOD_SHARE:
        it.emit(touchpoint)
        return ON
    # What it says it does not understand: the bot knows the subject already, or not even that.
    knows = touchpoint not in LOOKED_AT and chance.random() < 0.5
    subject = touchpoint if knows else "chat"
    said: dict[str, str | None] = {
        "name": "user_message",
        "intent": None,
        "location": EMITTED[touchpoint].intent if knows else None,
    }
    if knows:
        it.emit(touchpoint)
        yield from it.wait(15)
    times = chance.randint(1, 3)
    gets_it = chance.random() < 0.45
    for number in range(times):
        ends = number == times - 1 and not gets_it and chance.random() < 0.5
        it.emit(subject, ("fallback", "bot_end") if ends else ("fallback",), said=said)
        it.annoy(subject, faults.WAITED, traced=True)
        yield from it.wait(15)
    if gets_it and not it.fed_up:
        it.emit(touchpoint)
        return ON
    it.annoy(subject, faults.WASTED, traced=True)
    return BLOCKED


def _in_menu(it: Pursuit, touchpoint: str) -> Generator[int, None, str]:
    chance = it.chance
    if touchpoint == "wait-for-person":
        return (yield from _in_queue(it))
    if touchpoint == "call-care" or chance.random() >= faults.UNHEARD_SHARE:
        it.emit(touchpoint)
        return ON
    # A menu that only tells something is reached once the main menu has understood the caller.
    said: dict[str, str | None] = (
        {"name": "menu", "location": "main"} if touchpoint in LOOKED_AT else {}
    )
    asked = "call-care" if said else touchpoint
    for _ in range(chance.randint(1, 3)):
        it.emit(asked, ("no_match",), said=said)
        it.annoy(asked, faults.WAITED, traced=True)
        yield from it.wait(8)
    dice = chance.random()
    if dice < 0.55 and not it.fed_up:
        it.emit(touchpoint)
        return ON
    if dice < 0.7 and not it.fed_up and not said:
        it.emit(touchpoint, ("zero_out",))
        yield from it.wait(10)
        met = yield from _in_queue(it)
        if met == ON:
            yield from it.wait(90)
            it.emit("talk-to-care")
        return met
    by = "hangup_by_system" if dice > 0.9 else "hangup"
    it.emit(asked, (by,), said=said)
    it.annoy(asked, faults.WASTED, traced=True)
    return BLOCKED


def _in_queue(it: Pursuit) -> Generator[int, None, str]:
    it.emit("wait-for-person")
    if it.chance.random() >= faults.LONG_QUEUE_SHARE:
        return ON
    it.annoy("wait-for-person", faults.WASTED, traced=False)
    yield from it.wait(600)
    if not it.fed_up:
        return ON
    it.emit("wait-for-person", ("queue_abandoned", "hangup"), said={"name": "queue_left"})
    it.annoy("wait-for-person", 0.0, traced=True)
    return BLOCKED


def _with_person(it: Pursuit, touchpoint: str) -> Generator[int, None, str]:
    chance = it.chance
    noted = chance.random() < NOTED_SHARE
    if touchpoint == "technician-visit":
        dice = chance.random()
        if dice < faults.MISSED_VISIT_SHARE:
            it.emit("technician-missed", ("not_helped",))  # the dispatcher's system knows
            it.annoy("technician-missed", faults.STOOD_UP, traced=True)
            return BLOCKED
        if dice < faults.MISSED_VISIT_SHARE + faults.UNMENDED_SHARE:
            it.emit(touchpoint, ("not_helped",) if noted else ())
            it.annoy(touchpoint, faults.BLOCKED, traced=noted)
            return BLOCKED
    elif touchpoint.startswith(("talk-", "visit-")) and chance.random() < faults.UNHELPFUL_SHARE:
        it.emit(touchpoint, ("not_helped",) if noted else ())
        it.annoy(touchpoint, faults.BLOCKED, traced=noted)
        return BLOCKED
    it.emit(touchpoint)
    return ON
    yield 0  # a process like the others, though nothing here takes time
