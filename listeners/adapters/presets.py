"""Notes of agents and answers to surveys: native touchpoints whose channel the path says.

A note or an answer refers to what it is about by `session_hint`: the id of the call, the chat or
the visit. An answer without one is about the relationship: `properties.survey.kind` says so, and a
signal tells the core to judge no interaction by it.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from listeners.adapters import native
from listeners.adapters.adapter import Context, Envelope, Limits, lacks, raw_of
from listeners.errors import ItemRefused, Reason
from listeners.exchange import Delivery
from schemas.records import Channel, Touchpoint

CHANNELS: Final[dict[str, Channel]] = {"agent": "agent", "survey": "survey"}

INTERACTION: Final = "interaction"
RELATIONSHIP: Final = "relationship"
"""What a survey asks about: something that just happened, or the company as such."""


def unpack(text: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body as the native dialect does."""
    return native.unpack(text, delivery, limits)


def device_of(items: Sequence[bytes]) -> str | None:
    """As in the native dialect, no clock is watched."""
    return None


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one note or answer a touchpoint.

    Raises:
        ItemRefused: It cannot be one, names another channel, or is an answer without a rating.
    """
    context.channel = preset = CHANNELS[context.call or ""]
    touchpoint = native.adapt(item, context)
    if touchpoint.channel != preset:
        raise ItemRefused(
            reason=Reason.FIELD_INVALID,
            where="$.channel",
            expected=f"{preset}, which the path says, or nothing",
            found=touchpoint.channel,
        )
    return touchpoint if preset == "agent" else _answer(touchpoint)


def _answer(touchpoint: Touchpoint) -> Touchpoint:
    if touchpoint.rating is None:
        raise lacks(where="$.rating", expected="a scale (ces, nps, csat) and a number")
    properties: dict[str, Any] = msgspec.json.decode(touchpoint.properties)
    given = properties.get("survey")
    survey = {**given} if isinstance(given, dict) else {}
    if touchpoint.session_hint is not None and survey.get("kind") == RELATIONSHIP:
        raise ItemRefused(
            reason=Reason.FIELD_INVALID,
            where="$.session_hint",
            expected="nothing, for a survey about the relationship asks about no session",
            found="a session",
        )
    survey["kind"] = kind = kind_of_survey(touchpoint.session_hint)
    properties["survey"] = survey
    signals = (*touchpoint.signals, *signals_of_survey(kind))
    return msgspec.structs.replace(
        touchpoint, properties=raw_of(properties), signals=tuple(dict.fromkeys(signals))
    )


def kind_of_survey(session_hint: str | None) -> str:
    """What an answer is about: the interaction it names, else the relationship."""
    return RELATIONSHIP if session_hint is None else INTERACTION


def signals_of_survey(kind: str) -> tuple[str, ...]:
    """What keeps the two kinds apart."""
    return ("relationship",) if kind == RELATIONSHIP else ()
