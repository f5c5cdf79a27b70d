"""Zendesk: what happens to a ticket, by its event webhooks; the channel is the agents'.

Its order is not guaranteed, so each event carries its own time.

Source: Zendesk's pages on event webhooks and ticket events. `docs/vendors.md` accounts for every
field.
"""

from collections.abc import Mapping
from typing import Any, Final

from listeners.adapters import native
from listeners.adapters.adapter import Context, Envelope, Limits, lacks
from listeners.adapters.vendor import (
    Said,
    mapping,
    moment,
    object_in,
    text,
    touchpoint_of,
    without_text,
)
from listeners.adapters.vendor import device_of as device_of
from listeners.exchange import Delivery
from schemas.records import Touchpoint

PREFIX: Final = "zen:event-type:"

INTENT: Final = "intent_"
"""A tag that begins so names what the customer wants (P): Zendesk has no field for it."""

_TYPED: Final = ("subject", "description")
_IDS: Final = frozenset({"id", "external_id", "requester_id", "via", "tags"})


def unpack(body: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body: one event."""
    return native.unpack(body, delivery, limits)


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one event of a ticket a touchpoint.

    Raises:
        ItemRefused: It is none, or names no ticket.
    """
    value = object_in(item, context)
    kind = text(value.get("type"))
    if kind is None or not kind.startswith(PREFIX):
        raise lacks(where="$.type", expected=f"a type that begins with {PREFIX}")
    ticket = mapping(value.get("detail"))
    number = text(ticket.get("id"))
    if number is None:
        raise lacks(where="$.detail.id", expected="the ticket's id")
    return touchpoint_of(_said(value, kind.removeprefix(PREFIX), ticket, number, context), context)


def _said(
    value: Mapping[str, Any],
    name: str,
    ticket: Mapping[str, Any],
    number: str,
    context: Context,
) -> Said:
    event = mapping(value.get("event"))
    tagged = ticket.get("tags")
    tags = [str(one) for one in tagged] if isinstance(tagged, list) else []
    kept = {one: told for one, told in ticket.items() if one not in _IDS and told is not None}
    return Said(
        name=name,
        channel="agent",
        people=[
            ("user_id", text(ticket.get("external_id"))),
            ("zendesk_id", text(ticket.get("requester_id"))),
        ],
        properties={
            "ticket": {**without_text(kept, _TYPED, context), "tags": tags},
            "event": _event(event, context),
        },
        at=moment(value.get("time")),
        id=text(value.get("id")),
        content=(value,),
        location=text(mapping(ticket.get("via")).get("channel")),
        session=number,
        intent=next((one.removeprefix(INTENT) for one in tags if one.startswith(INTENT)), None),
        signals=("handoff",) if name == "ticket.agent_assignment_changed" else (),
    )


def _event(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """What changed; of a comment who wrote it and for whom, and its text only where kept."""
    found = {name: one for name, one in event.items() if name not in ("comment", "meta")}
    comment = mapping(event.get("comment"))
    if comment:
        told = {name: comment[name] for name in ("body", "is_public") if name in comment}
        found["comment"] = without_text(told, ("body",), context)
        found["comment"]["by_staff"] = mapping(comment.get("author")).get("is_staff") is True
    return found
