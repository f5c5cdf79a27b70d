"""Signals: the channel-neutral facts that emitters report, and which of them mean trouble.

A listener translates what an emitter says into these words; their weight is decided here and in
`verdicts`. A signal that is not known is kept with the touchpoint and means nothing.
"""

from typing import Final

HARD_ON_STEP: Final = frozenset({"http_5xx", "timeout", "crash", "not_responding"})
"""Broken at once on a step of a mission, a soft sign elsewhere. Source: bad in every SLO scheme;
Google Play counts each crash and each ANR."""

HARD_WHERE_EXPECTED: Final = "http_4xx"
"""The same where the inventory says that the touchpoint `expects_success` - a login, a checkout;
elsewhere a refusal is the customer's own mistake, and means nothing. Source: SLO practice."""

FAILURES: Final = HARD_ON_STEP | {HARD_WHERE_EXPECTED}
"""What fails hard on a mission's path, and is a soft sign elsewhere."""

HARD: Final = frozenset({"menu_repeat", "repeated_intent", "hangup_by_system", "not_helped"})
"""Broken at once, wherever: the emitter counted already, or somebody said so."""

MISSED: Final = frozenset({"fallback", "no_match", "no_input"})
"""A bot or a menu did not understand. Once is nothing; it is trouble for whom it was the last word
(P): of callers and chatters who leave after it, most had given up."""

SOFT: Final = MISSED | {
    "rage_click", "error_click", "js_error", "slow", "form_abandoned", "low_confidence",
    "quick_back", "handoff_failed", "transfer_failed", "queue_abandoned",
}  # fmt: skip
"""A sign of trouble: two different ones break an interaction, or one and no progress after it."""

UNDONE: Final = HARD_ON_STEP | MISSED | {"hangup_by_system", "not_helped"}
"""By these a touchpoint shows that what it is for did not happen: it completes no mission (P). So
does a refusal, `http_4xx`, where the inventory expects success."""

VALIDATION_ERROR: Final = "validation_error"
"""A form refused what was entered; `fields` says in which fields."""

COUNTED: Final = frozenset(
    {
        "fallback", "handoff", "bot_end", "no_match", "no_input", "zero_out", "transfer",
        "dead_click", VALIDATION_ERROR,
    }
)  # fmt: skip
"""Trouble only when it repeats, or in its place: `verdicts` counts them."""

ENDS: Final = frozenset({"logout", "session_end", "hangup", "hangup_by_system", "bot_end"})
"""The session ends with this touchpoint."""

IDENTITY_ONLY: Final = "identity_only"
"""The touchpoint only says who is who: it opens no session and gets no verdict."""

BACKGROUND: Final = "background"
"""The app went to the background: a shorter gap holds until it is seen again."""

CALLBACK: Final = "callback"
"""The company promised to call, or calls: a contact that was agreed blames nobody."""

SLOT_FILLED: Final = "slot_filled"
"""A bot learnt something of what it needs to know; where that is new, to be asked on is not to be
asked again."""

RELATIONSHIP: Final = "relationship"
"""An answer about the company as such: it judges no interaction and belongs to no journey (P)."""

KNOWN: Final = (
    HARD_ON_STEP
    | HARD
    | SOFT
    | COUNTED
    | ENDS
    | {IDENTITY_ONLY, BACKGROUND, "foreground", HARD_WHERE_EXPECTED, CALLBACK, RELATIONSHIP}
    | {SLOT_FILLED}
)
"""Every signal that has a meaning."""

EFFORT: Final = {
    "rage_click": 3.0,
    "dead_click": 2.0,
    "error_click": 2.0,
    "quick_back": 1.0,
    "transfer": 2.0,
}
"""Load on the customer, in the units of `outcomes.effort_of`. Source: the weights of the
frustration score (3 rage + 2 dead + 2 error + 1 U-turn); a transfer as a change of channel."""

EFFORT_REPEATED: Final = {"fallback": 2.0, "no_match": 2.0}
"""The same, from the second one on (P)."""
