"""Microsoft Bot Framework: activities, as a bot's middleware forwards them, or a whole transcript.

Who wrote an activity shows in its role; the customer is the other side of what the bot writes. The
framework has no fallback of its own: a recogniser's trace whose best intent is `None` is one.

Sources: the Activity and Transcript specifications of microsoft/botframework-sdk; Microsoft's page
on handing off to a person. `docs/vendors.md` accounts for every field.
"""

from collections.abc import Mapping
from typing import Any, Final

from listeners.adapters import native
from listeners.adapters.adapter import Context, Envelope, Limits, lacks
from listeners.adapters.vendor import (
    Said,
    customer_id,
    is_handoff,
    listed,
    mapping,
    moment,
    number,
    object_in,
    text,
    touchpoint_of,
    unsure,
    value_in,
    without_text,
)
from listeners.adapters.vendor import device_of as device_of
from listeners.exchange import Delivery
from schemas.records import Touchpoint

NO_INTENT: Final = "None"
"""What a recogniser calls its best intent when it has none."""

_USED: Final = frozenset(
    {"type", "name", "id", "timestamp", "conversation", "from", "recipient", "channelId"}
)
_PERSONAL: Final = frozenset({"membersAdded", "membersRemoved", "attachments", "entities"})
_TYPED: Final = ("text", "speak", "summary")


def unpack(body: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body: an activity, an array of them, NDJSON, or an object with a `transcript`."""
    if body[:1] == b"{" and b'"transcript"' in body:
        value = mapping(value_in(body))
        if isinstance(value.get("transcript"), list):
            return listed(value["transcript"], limits)
    return native.unpack(body, delivery, limits)


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one activity a touchpoint.

    Raises:
        ItemRefused: It is none, or names no conversation.
    """
    activity = object_in(item, context)
    kind = text(activity.get("type"))
    if kind is None:
        raise lacks(where="$.type", expected="the type of an activity, such as message")
    conversation = text(mapping(activity.get("conversation")).get("id"))
    if conversation is None:
        raise lacks(where="$.conversation.id", expected="the conversation's id")
    return touchpoint_of(_said(activity, kind, conversation, context), context)


def _said(activity: Mapping[str, Any], kind: str, conversation: str, context: Context) -> Said:
    sender, name = mapping(activity.get("from")), text(activity.get("name"))
    by_bot = sender.get("role") == "bot" or (
        sender.get("role") is None and activity.get("replyToId") is not None
    )
    customer = mapping(activity.get("recipient")) if by_bot else sender
    value, own = activity.get("value"), text(activity.get("id"))
    heard = _heard(value) if kind == "trace" else []
    intent = heard[0][0] if heard and heard[0][0] != NO_INTENT else None
    event = name if kind == "event" else None
    kept = {
        field: one
        for field, one in activity.items()
        if field not in _USED and field not in _PERSONAL and one is not None
    }
    if value is not None:
        kept["value"] = _impersonal(value, context)
    place = mapping(activity.get("conversation"))
    if rest := {field: one for field, one in place.items() if field not in ("id", "name")}:
        kept["conversation"] = rest
    if heard:
        kept["confidence"] = heard[0][1]
    at = moment(activity.get("timestamp"))
    return Said(
        name=event or kind,
        channel="chatbot",
        people=customer_id(customer.get("id"), context),
        properties={
            **without_text(kept, _TYPED, context),
            "type": kind,
            "by": "bot" if by_bot else "customer",
            **({"name": name} if name and event is None else {}),
        },
        at=at,
        id=f"{conversation}/{own}" if own else None,
        content=None if at is None else (activity,),
        location=text(activity.get("channelId")),
        session=conversation,
        signals=_signals(kind, event, value, heard, context),
        intent=intent,
    )


def _signals(
    kind: str,
    event: str | None,
    value: object,
    heard: list[tuple[str, float]],
    context: Context,
) -> list[str]:
    found = []
    if heard and heard[0][0] == NO_INTENT:
        found.append("fallback")
    elif unsure([score for _, score in heard]):
        found.append("low_confidence")
    if event == "handoff.initiate" or is_handoff(event, context):
        found.append("handoff")
    if event == "handoff.status" and mapping(value).get("state") == "failed":
        found.append("handoff_failed")
    if kind == "endOfConversation":
        found.append("bot_end")
    return found


def _heard(value: object) -> list[tuple[str, float]]:
    """What a recogniser's trace says it heard: intent and score, the best first."""
    intents = mapping(mapping(mapping(value).get("recognizerResult")).get("intents"))
    scores = [(name, number(mapping(one).get("score"))) for name, one in intents.items()]
    found = [(name, score) for name, score in scores if score is not None]
    return sorted(found, key=lambda one: (-one[1], one[0]))


def _impersonal(value: object, context: Context) -> object:
    """A value without what a recogniser was given to read."""
    if context.asked is not None and context.asked.keeps_text:
        return value
    if not isinstance(value, dict) or "recognizerResult" not in value:
        return value
    result = mapping(value["recognizerResult"])
    told = {name: one for name, one in result.items() if name in ("intents", "sentiment")}
    return {**value, "recognizerResult": told}
