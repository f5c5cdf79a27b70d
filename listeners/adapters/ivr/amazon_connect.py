"""Amazon Connect: contact events by EventBridge, contact records by Firehose or as they are.

Events come in any order, with keys in two spellings and placeholder times; records come at least
once. Menus, silence and what was not understood exist only where the contact flow writes them into
attributes: `menuPath`, `noInputCount`, `noMatchCount`, `lastIntent`, `customerId` (P).

Sources: Amazon's data model of contact records, its page on contact events, and Firehose's on
delivery by HTTP. `docs/vendors.md` accounts for every field.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from listeners.adapters.adapter import Context, Envelope, Limits, lacks
from listeners.adapters.vendor import (
    Said,
    caller,
    listed,
    mapping,
    moment,
    number,
    object_in,
    seconds,
    text,
    touchpoint_of,
    value_in,
)
from listeners.adapters.vendor import device_of as device_of
from listeners.errors import Reason, Unreadable
from listeners.exchange import Answer, Delivery
from schemas.records import Channel, Touchpoint

HANGUP_BY: Final = {
    "CUSTOMER_DISCONNECT": "caller",
    "AGENT_DISCONNECT": "agent",
    "TELECOM_PROBLEM": "system",
    "CONTACT_FLOW_DISCONNECT": "system",
    "EXPIRED": "system",
    "API": "system",
    "BARGED": "agent",
}
"""Who ended a contact, by its `DisconnectReason`; `unknown` for every other."""

CUT_OFF: Final = frozenset({"TELECOM_PROBLEM", "EXPIRED"})
"""Reasons by which the system cut the customer off. A flow that says goodbye did not."""

_TIMES: Final = {
    "INITIATED": ("initiationtimestamp",),
    "CONNECTED_TO_SYSTEM": ("connectedtosystemtimestamp",),
    "QUEUED": ("queueinfo", "enqueuetimestamp"),
    "CONNECTED_TO_AGENT": ("agentinfo", "connectedtoagenttimestamp"),
    "DISCONNECTED": ("disconnecttimestamp",),
    "COMPLETED": ("disconnecttimestamp",),
}
"""Where the time stands that an event of each type is about."""

_COUNTS: Final = (("noInputCount", "no_input"), ("noMatchCount", "no_match"))
_USED_EVENT: Final = frozenset({"contactid", "initialcontactid", "customerendpoint"})
_USED: Final = frozenset({"CustomerEndpoint", "ContactId", "InitialContactId"})


def unpack(body: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body: a delivery of Firehose, an event, a record, or several back to back.

    Raises:
        Unreadable: It is no such JSON.
        TooLarge: Too many.
    """
    values = list(_back_to_back(body))
    first = mapping(values[0]) if len(values) == 1 else {}
    if isinstance(first.get("records"), list) and "requestId" in first:
        items = [one for record in first["records"] for one in _of_record(record)]
        said = {"requestId": first["requestId"], "timestamp": first.get("timestamp")}
        return listed(items, limits, answer=Answer(json.dumps(said).encode()))
    items = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return listed(items, limits, batch=len(values) > 1 or isinstance(values[0], list))


def _of_record(record: object) -> list[Any]:
    """The contacts in one record of a delivery; what cannot be read is left for a dead letter."""
    try:
        text_of = base64.b64decode(mapping(record).get("data") or "", validate=True)
        return list(_back_to_back(text_of))
    except (binascii.Error, TypeError, ValueError, Unreadable):
        return [record]


def _back_to_back(body: bytes) -> Iterator[Any]:
    """The JSON values of a body, with or without anything between them."""
    try:
        rest = body.decode()
    except UnicodeDecodeError:
        raise Unreadable(reason=Reason.NOT_UTF8, message="expected UTF-8") from None
    decoder, at = json.JSONDecoder(), 0
    while at < len(rest):
        if rest[at].isspace():
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(rest, at)
        except (ValueError, RecursionError):
            yield value_in(rest[at:].encode())  # Says what is wrong.
            return
        yield value


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one event or record a touchpoint.

    Raises:
        ItemRefused: It is neither.
    """
    value = object_in(item, context)
    if "detail" in value:
        return touchpoint_of(_event(value), context)
    if "ContactId" not in value:
        raise lacks(where="$.ContactId", expected="a contact record, or an event with a detail")
    return touchpoint_of(_record(value, context), context)


def _event(event: Mapping[str, Any]) -> Said:
    detail = _lowered(mapping(event["detail"]))
    kind = str(detail.get("eventtype") or "").upper()
    queue, agent = mapping(detail.get("queueinfo")), mapping(detail.get("agentinfo"))
    began, ended = (
        moment(detail.get("initiationtimestamp")),
        moment(detail.get("disconnecttimestamp")),
    )
    queued, met = (
        moment(queue.get("enqueuetimestamp")),
        moment(agent.get("connectedtoagenttimestamp")),
    )
    outbound = str(detail.get("initiationmethod") or "").upper() == "OUTBOUND"
    reason = text(detail.get("disconnectreason"))
    signals: list[str] = []
    measured: dict[str, Any] = {}
    if kind == "CONNECTED_TO_AGENT":
        signals += [] if outbound else ["transfer"]
        measured = _measured(queue_s=_between(queued, met))
    elif kind == "DISCONNECTED":
        abandoned = bool(queue) and not agent
        signals = [*(["queue_abandoned"] if abandoned else []), *_ending(reason)]
        measured = _measured(
            duration_s=_between(began, ended),
            queue_s=_between(queued, ended if abandoned else met),
            hangup_by="caller" if abandoned and reason is None else _by(reason),
        )
    return Said(
        name=kind,
        channel=_channel(detail.get("channel")),
        people=(),
        properties={**_kept(detail, _USED_EVENT), **measured},
        at=_at(kind, detail) or moment(event.get("time")),
        id=text(event.get("id")),
        content=(event,),
        session=text(detail.get("initialcontactid")) or text(detail.get("contactid")),
        signals=signals,
    )


def _record(record: Mapping[str, Any], context: Context) -> Said:
    """A contact that has ended, as a whole: one touchpoint at its end."""
    attributes = mapping(record.get("Attributes"))
    queue, agent = mapping(record.get("Queue")), mapping(record.get("Agent"))
    ended = moment(record.get("DisconnectTimestamp"))
    began = moment(record.get("InitiationTimestamp"))
    reason = text(record.get("DisconnectReason"))
    outbound = record.get("InitiationMethod") == "OUTBOUND"
    path = [one.strip() for one in str(attributes.get("menuPath") or "").split(">")]
    signals = [signal for name, signal in _COUNTS if (number(attributes.get(name)) or 0) > 0]
    if agent and not outbound:
        signals.append("transfer")
    elif queue and not agent:
        signals.append("queue_abandoned")
    signals += _ending(reason)
    about = {name: one for name, one in attributes.items() if name != "customerId"}
    return Said(
        name="contact_record",
        channel=_channel(record.get("Channel")),
        people=[
            ("user_id", text(attributes.get("customerId"))),
            *caller(mapping(record.get("CustomerEndpoint")).get("Address"), context),
        ],
        properties={
            **_kept(record, _USED),
            **({"Attributes": about} if about else {}),
            **_measured(
                duration_s=_between(began, ended),
                queue_s=seconds(queue.get("Duration")),
                talk_s=seconds(agent.get("AgentInteractionDuration")),
                hold_s=seconds(agent.get("CustomerHoldDuration")),
                hangup_by=_by(reason),
            ),
        },
        at=ended or moment(record.get("LastUpdateTimestamp")),
        # A record that is written again would count its signals again, so it is absorbed.
        id=text(record.get("ContactId")),
        location=path[-1] or text(queue.get("Name")),
        session=text(record.get("InitialContactId")) or text(record.get("ContactId")),
        signals=signals,
        intent=text(attributes.get("lastIntent")),
    )


def _ending(reason: str | None) -> list[str]:
    return ["hangup", *(["hangup_by_system"] if reason in CUT_OFF else [])]


def _by(reason: str | None) -> str:
    return HANGUP_BY.get(reason or "", "unknown")


def _channel(written: object) -> Channel:
    return "chatbot" if str(written).upper() == "CHAT" else "ivr"


def _at(kind: str, detail: Mapping[str, Any]) -> datetime | None:
    value: Any = detail
    for name in _TIMES.get(kind, ()):
        value = mapping(value).get(name)
    return moment(value)


def _between(start: datetime | None, end: datetime | None) -> float | int | None:
    if start is None or end is None or end < start:
        return None
    return seconds((end - start).total_seconds())


def _measured(**found: Any) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}


def _lowered(value: Any) -> Any:
    """An object whose keys are lower case throughout, since two spellings occur."""
    if isinstance(value, dict):
        return {str(name).lower(): _lowered(one) for name, one in value.items()}
    return value


def _kept(value: Mapping[str, Any], used: frozenset[str]) -> dict[str, Any]:
    """The rest, without names of resources and without what is null."""
    return {
        name: _kept(one, frozenset()) if isinstance(one, dict) else one
        for name, one in value.items()
        if name not in used and one is not None and not name.lower().endswith("arn")
    }
