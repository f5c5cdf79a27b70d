"""Rasa: the events of its tracker, as an event broker posts them or as lie on its Kafka topic.

Also the call of an action server, which carries the turn before it. One bot sends one of the two,
or each turn would come twice. Rasa has no event that ends a conversation: silence does.

Source: `rasa.shared.core.events` and `rasa.core.brokers` of Rasa 3.6. `docs/vendors.md` accounts
for every field.
"""

from collections.abc import Mapping
from typing import Any, Final

from listeners.adapters import native
from listeners.adapters.adapter import Context, Envelope, Limits, lacks
from listeners.adapters.vendor import (
    Said,
    customer_id,
    is_handoff,
    mapping,
    number,
    object_in,
    text,
    touchpoint_of,
    unsure,
    without_text,
)
from listeners.adapters.vendor import device_of as device_of
from listeners.exchange import Answer, Delivery, Receipt
from schemas.records import Touchpoint

NAMES: Final = {"user": "user_message", "bot": "bot_message"}
"""What the events of a turn are called; an action by its own name, others by their type."""

NOT_UNDERSTOOD: Final = "nlu_fallback"
"""The intent that says that no other was recognised."""

FALLBACKS: Final = frozenset({"action_default_fallback", "action_two_stage_fallback"})
"""Actions by which a bot gives up on a turn."""

UNLIKELY: Final = "action_unlikely_intent"
"""The action by which a bot says that it does not believe the intent."""

SURE: Final = 1.0
"""The confidence of an action that a rule ordered: the turn's own event told why already."""

OWN_SLOTS: Final = frozenset({"requested_slot", "session_started_metadata"})
"""Slots that Rasa fills for itself: what a form asks next, how a session began."""

_HANDOFFS: Final = frozenset({"pause", "agent"})
_USED: Final = frozenset({"id", "sender_id", "event", "timestamp", "parse_data", "filled"})
_TYPED: Final = ("text",)


def unpack(body: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body as the native dialect does: an event, an array of them, or NDJSON."""
    return native.unpack(body, delivery, limits)


def answer(receipt: Receipt) -> Answer:
    """The receipt, with what an action server has to say beside: nothing."""
    return Answer(receipt.body()[:-1] + b',"events":[],"responses":[]}')


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one event, or one call of the action server, a touchpoint.

    Raises:
        ItemRefused: It is neither, or names no sender.
    """
    event = object_in(item, context)
    if "next_action" in event and "tracker" in event:
        event = _turn(event)
    if text(event.get("event")) is None:
        raise lacks(where="$.event", expected="the type of an event, such as user")
    if text(event.get("sender_id")) is None:
        raise lacks(where="$.sender_id", expected="the conversation's id")
    # Rasa has no id; its line as it came is quicker to hash than what was made of it.
    return touchpoint_of(_said(event, context, item.decode()), context)


def _turn(call: Mapping[str, Any]) -> dict[str, Any]:
    """An action server's call as the event it tells: the action, with the turn that led to it."""
    tracker = mapping(call.get("tracker"))
    latest = mapping(tracker.get("latest_message"))
    return {
        "event": "action",
        "sender_id": call.get("sender_id"),
        "timestamp": tracker.get("latest_event_time"),
        "name": call.get("next_action"),
        "parse_data": latest,
        "text": latest.get("text"),
        "slots": tracker.get("slots"),
        "filled": _filled(tracker.get("events")),
        "paused": tracker.get("paused"),
        "input_channel": tracker.get("latest_input_channel"),
        "version": call.get("version"),
    }


def _filled(events: object) -> dict[str, Any]:
    """The slots that events fill, from the last message of the customer among them on.

    Rasa sets a slot again with every message that says the same, so the values are told as well.
    """
    found: dict[str, Any] = {}
    for event in map(mapping, reversed(events if isinstance(events, list) else [])):
        name = text(event.get("name"))
        if event.get("event") == "user":
            break
        if event.get("event") == "slot" and name is not None and name not in OWN_SLOTS:
            found.setdefault(name, event.get("value"))
    return {name: value for name, value in found.items() if value is not None}


def _said(event: Mapping[str, Any], context: Context, line: str) -> Said:
    kind, sender = str(event["event"]), text(event["sender_id"])
    action = text(event.get("name")) if kind == "action" else None
    parsed = mapping(event.get("parse_data"))
    heard = mapping(parsed.get("intent"))
    intent = text(heard.get("name"))
    at = number(event.get("timestamp"))
    kept = {name: value for name, value in event.items() if name not in _USED and value is not None}
    filled = mapping(event.get("filled")) or _filled([event])
    if filled:
        kept["filled"] = filled
    if parsed:
        kept["parse_data"] = {
            name: parsed[name] for name in ("intent", "intent_ranking") if name in parsed
        }
        entities = parsed.get("entities")
        kept["entities"] = [
            text(mapping(one).get("entity"))
            for one in (entities if isinstance(entities, list) else [])
        ]
    return Said(
        name=action or NAMES.get(kind, kind),
        channel="chatbot",
        people=customer_id(sender, context),
        properties={**without_text(kept, _TYPED, context), "event": kind},
        at=None if at is None else at * 1000,
        id=text(event.get("id")),
        content=None if at is None else (line,),
        location=intent or action or (text(event.get("name")) if kind == "active_loop" else None),
        session=sender,
        signals=[
            *_signals(kind, action, intent, event, parsed, context),
            *(["slot_filled"] if filled else []),
        ],
        intent=intent,
    )


def _signals(
    kind: str,
    action: str | None,
    intent: str | None,
    event: Mapping[str, Any],
    parsed: Mapping[str, Any],
    context: Context,
) -> list[str]:
    found = []
    confidence = number(event.get("confidence"))
    ordered = confidence is not None and confidence >= SURE
    if intent == NOT_UNDERSTOOD or (action in FALLBACKS and not ordered) or action == UNLIKELY:
        found.append("fallback")
    elif kind == "user" and unsure(_scores(parsed)):
        found.append("low_confidence")
    named = is_handoff(action, context) or is_handoff(intent, context)
    if kind in _HANDOFFS or named or event.get("paused") is True:
        found.append("handoff")
    if kind == "restart":
        found.append("bot_end")
    return found


def _scores(parsed: Mapping[str, Any]) -> list[float]:
    """The confidence of the intent that was taken, then of the next in the ranking."""
    best = number(mapping(parsed.get("intent")).get("confidence"))
    ranking = parsed.get("intent_ranking")
    others = ranking[1:2] if isinstance(ranking, list) else []
    scores = [best, *(number(mapping(one).get("confidence")) for one in others)]
    return [score for score in scores if score is not None]
