"""Dialogflow CX: what its webhook is called with, and the rows of its interaction log.

The webhook does not say how a turn matched: silence and what was not understood show in the tag a
designer gave the handler, in the event, or in an intent that is not there. The log says it.

Sources: the `WebhookRequest` of google-cloud-dialogflow-cx; Google's page on exporting the log.
`docs/vendors.md` accounts for every field.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from listeners.adapters import native
from listeners.adapters.adapter import Context, Envelope, Limits, lacks
from listeners.adapters.vendor import (
    People,
    Said,
    caller,
    customer_id,
    is_handoff,
    mapping,
    moment,
    number,
    object_in,
    text,
    touchpoint_of,
    unsure,
    without_text,
)
from listeners.adapters.vendor import device_of as device_of
from listeners.exchange import Answer, Delivery
from schemas.records import Touchpoint

NO_MATCH: Final = ("no-match", "sys.no-match")
NO_INPUT: Final = ("no-input", "sys.no-input")
"""How tags and events of those handlers begin, by Dialogflow's own names for them."""

USER_PARAMETER: Final = "user_id"
"""The session parameter that says who the customer is."""

_TYPED: Final = ("text", "transcript", "dtmfDigits")
_USED: Final = frozenset({"detectIntentResponseId", "sessionInfo", "messages", "payload"})
_NOTHING: Final = Answer(b"{}")


def unpack(body: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body: one call of the webhook, or rows of the log as an array or NDJSON.

    The answer changes nothing in the conversation.
    """
    return native.unpack(body, delivery, limits)._replace(answer=_NOTHING)


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one call of the webhook, or one row of the log, a touchpoint.

    Raises:
        ItemRefused: It is neither, or names no session.
    """
    value = object_in(item, context)
    said = _row(value, context) if "conversation_name" in value else _call(value, context)
    if said.session is None:
        raise lacks(where="$.sessionInfo.session", expected="the name of a session")
    return touchpoint_of(said, context)


def _call(call: Mapping[str, Any], context: Context) -> Said:
    session = mapping(call.get("sessionInfo"))
    parameters = mapping(session.get("parameters"))
    heard, page = mapping(call.get("intentInfo")), mapping(call.get("pageInfo"))
    intent, event = text(heard.get("displayName")), text(call.get("triggerEvent"))
    tag = text(mapping(call.get("fulfillmentInfo")).get("tag"))
    shown = _shown(call.get("messages"))
    collected = _collected(page)
    signals = _understood(call, heard, collected, (tag or "", event or ""))
    ends = [*(["handoff"] if shown["handoff"] or is_handoff(tag, context) else [])]
    ends += ["bot_end"] if shown["end"] else []
    turn = text(call.get("detectIntentResponseId"))
    telephony = mapping(mapping(call.get("payload")).get("telephony"))
    kept = {name: one for name, one in call.items() if name not in _USED}
    rest = {name: one for name, one in parameters.items() if name != USER_PARAMETER}
    return Said(
        name=intent or tag or event or "turn",
        channel="ivr" if telephony else "chatbot",
        people=_people(parameters, telephony, context),
        properties={
            **without_text(kept, _TYPED, context),
            **({"parameters": rest} if rest else {}),
            **({"conversation_success": True} if shown["success"] else {}),
        },
        # One turn may call several webhooks: the one that tells of its end is not to be absorbed.
        id=f"{turn}/{ends[0]}" if turn and ends else turn,
        location=text(page.get("displayName")),
        session=_session(session.get("session")),
        signals=(*signals, *(["slot_filled"] if collected else []), *ends),
        intent=intent,
    )


def _collected(page: Mapping[str, Any]) -> bool:
    """Whether the page's form has collected a parameter by this turn."""
    parameters = mapping(page.get("formInfo")).get("parameterInfo")
    return any(
        mapping(one).get("justCollected") is True
        for one in (parameters if isinstance(parameters, list) else ())
    )


def _understood(
    call: Mapping[str, Any],
    heard: Mapping[str, Any],
    collected: bool,
    told: tuple[str, str],
) -> list[str]:
    """Whether the turn was understood, as far as the webhook shows it."""
    if any(one.startswith(NO_INPUT) for one in told):
        return ["no_input"]
    unheard = bool(text(call.get("text"))) and not heard and not collected
    if unheard or any(one.startswith(NO_MATCH) for one in told):
        return ["fallback"]
    confidence = number(heard.get("confidence"))
    return ["low_confidence"] if confidence is not None and unsure([confidence]) else []


def _row(row: Mapping[str, Any], context: Context) -> Said:
    request, response = mapping(row.get("request")), mapping(row.get("response"))
    result = mapping(response.get("queryResult"))
    match, page = mapping(result.get("match")), mapping(result.get("currentPage"))
    turn = mapping(mapping(row.get("conversation_signals")).get("turnSignals"))
    shown = _shown(result.get("responseMessages"))
    kind = match.get("matchType")
    intent = text(mapping(match.get("intent") or result.get("intent")).get("displayName"))
    signals = []
    if kind == "NO_INPUT" or turn.get("noUserInput") is True:
        signals.append("no_input")
    elif kind == "NO_MATCH" or turn.get("noMatch") is True:
        signals.append("fallback")
    else:
        confidence = number(match.get("confidence"))
        signals += ["low_confidence"] if confidence is not None and unsure([confidence]) else []
    if kind == "PARAMETER_FILLING":
        signals.append("slot_filled")
    if shown["handoff"] or turn.get("agentEscalated") is True or turn.get("userEscalated") is True:
        signals.append("handoff")
    if shown["end"] or turn.get("reachedEndPage") is True:
        signals.append("bot_end")
    asked = mapping(request.get("queryParams"))
    parameters = mapping(result.get("parameters"))
    return Said(
        name=intent or "turn",
        channel="chatbot",
        people=_people(parameters, {}, context),
        properties={
            **{name: row[name] for name in ("language_code", "agent_id") if name in row},
            **({"channel": asked["channel"]} if "channel" in asked else {}),
            "match": {name: match[name] for name in ("matchType", "confidence") if name in match},
            "turn_signals": dict(turn),
            "turn_position": row.get("turn_position"),
            **({"conversation_success": True} if shown["success"] else {}),
        },
        at=moment(row.get("request_time")),
        id=f"{row['conversation_name']}/{row.get('turn_position')}",
        location=text(page.get("displayName")),
        session=_session(row["conversation_name"]),
        signals=signals,
        intent=intent,
    )


def _people(
    parameters: Mapping[str, Any], telephony: Mapping[str, Any], context: Context
) -> People:
    return [
        *customer_id(parameters.get(USER_PARAMETER), context),
        *caller(telephony.get("caller_id"), context),
    ]


def _shown(messages: object) -> dict[str, bool]:
    """What the bot's messages of this turn say of the conversation."""
    listed: Iterable[Any] = messages if isinstance(messages, list) else ()
    kinds = {kind for one in listed for kind in mapping(one)}
    return {
        "handoff": "liveAgentHandoff" in kinds,
        "end": "endInteraction" in kinds,
        "success": "conversationSuccess" in kinds,
    }


def _session(name: object) -> str | None:
    """A session's own id: the last part of its name."""
    return text(name.rpartition("/")[2]) if isinstance(name, str) else None
