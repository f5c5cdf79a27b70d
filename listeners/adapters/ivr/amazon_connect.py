"""Amazon Connect: contact events by EventBridge, contact records by Firehose or as they are.

Events come in any order, with keys in two spellings and placeholder times; records come at least
once, and again when something is added. Menus, silence and what was not understood exist only where
the contact flow writes them into attributes: `menuPath`, `noInputCount`, `noMatchCount`,
`lastIntent`, `customerId` (P).

Sources: Amazon's data model of contact records, its page on contact events, and Firehose's on
delivery by HTTP. `docs/vendors.md` accounts for every field.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from listeners.adapters.adapter import Context, Envelope, Limits, lacks
from listeners.adapters.brackets import FAULTS
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

YOUNGER_MAX: Final = 999_999
"""Seconds after the end of a contact, 11 days, up to which a younger record goes before an older
one. By then what it would correct is final."""

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
_USED: Final = frozenset({"Attributes", "CustomerEndpoint", "ContactId", "InitialContactId"})
_NONE: Final[frozenset[str]] = frozenset()
_RESOURCES: Final = ("Arn", "ARN", "arn")


class _Delivered(msgspec.Struct):
    """What Firehose posts: records in base64, and what it wants to read again."""

    requestId: Any
    records: list[msgspec.Raw]
    timestamp: Any = None


class _Record(msgspec.Struct):
    """One record of a delivery."""

    data: bytes


_decode_delivered: Final = msgspec.json.Decoder(_Delivered).decode
_decode_record: Final = msgspec.json.Decoder(_Record).decode
_decode_listed: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_whole: Final = msgspec.json.Decoder(msgspec.Raw).decode


def unpack(body: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body: a delivery of Firehose, an event, a record, or several back to back.

    Raises:
        Unreadable: It is no such JSON.
        TooLarge: Too many.
    """
    if b'"requestId"' in body and b'"records"' in body:
        try:
            delivered = _decode_delivered(body)
        except FAULTS:
            pass  # One of its words in something else, or a delivery that is none.
        else:
            items = [one for record in delivered.records for one in _of_record(bytes(record))]
            said = {"requestId": delivered.requestId, "timestamp": delivered.timestamp}
            return listed(items, limits, answer=Answer(json.dumps(said).encode()))
    items = _items(body)
    return listed(items, limits, batch=len(items) != 1 or body.lstrip()[:1] == b"[")


def _of_record(record: bytes) -> list[bytes]:
    """The contacts in one record of a delivery; what cannot be read is left for a dead letter."""
    try:
        return _items(_decode_record(record).data)
    except (*FAULTS, Unreadable):
        return [record]


def _items(text: bytes) -> list[bytes]:
    """Contacts as they lie in a text: one, an array, or several with or without anything between.

    Raises:
        Unreadable: It is no JSON.
    """
    try:
        return _expanded(_decode_whole(text))
    except FAULTS:
        return [one for value in _back_to_back(text) for one in _expanded(value)]


def _expanded(value: bytes | msgspec.Raw) -> list[bytes]:
    value = bytes(value)
    return [bytes(one) for one in _decode_listed(value)] if value[:1] == b"[" else [value]


def _back_to_back(body: bytes) -> Iterator[bytes]:
    """The JSON values of a body, each as its bytes."""
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
            _, end = decoder.raw_decode(rest, at)
        except (ValueError, RecursionError):
            value_in(rest[at:].encode())  # Says what is wrong.
            return
        yield rest[at:end].encode()
        at = end


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
    get = record.get
    attributes, queue, agent = (
        mapping(get("Attributes")),
        mapping(get("Queue")),
        mapping(get("Agent")),
    )
    ended = moment(get("DisconnectTimestamp"))
    reason = text(get("DisconnectReason"))
    signals = [signal for name, signal in _COUNTS if (number(attributes.get(name)) or 0) > 0]
    if agent and get("InitiationMethod") != "OUTBOUND":
        signals.append("transfer")
    elif queue and not agent:
        signals.append("queue_abandoned")
    signals += _ending(reason)
    kept = _kept(record, _USED)
    if attributes:
        about = {name: one for name, one in attributes.items() if name != "customerId"}
        if about:
            kept["Attributes"] = about
    elif get("Attributes"):
        kept["Attributes"] = get("Attributes")  # No object, so nothing is known of it.
    kept |= _measured(
        duration_s=_between(moment(get("InitiationTimestamp")), ended),
        queue_s=seconds(queue.get("Duration")),
        talk_s=seconds(agent.get("AgentInteractionDuration")),
        hold_s=seconds(agent.get("CustomerHoldDuration")),
        hangup_by=_by(reason),
    )
    contact = text(get("ContactId"))
    place = str(attributes.get("menuPath") or "").rpartition(">")[2].strip()
    return Said(
        name="contact_record",
        channel=_channel(get("Channel")),
        people=[
            ("user_id", text(attributes.get("customerId"))),
            *caller(mapping(get("CustomerEndpoint")).get("Address"), context),
        ],
        properties=kept,
        at=_ordered(ended, moment(get("LastUpdateTimestamp"))),
        # Of one contact one record counts: another one would count its signals again.
        id=contact,
        location=place or text(queue.get("Name")),
        session=text(get("InitialContactId")) or contact,
        signals=signals,
        intent=text(attributes.get("lastIntent")),
    )


def _ordered(ended: datetime | None, updated: datetime | None) -> datetime | None:
    """The end of a contact, a microsecond earlier for each second that its record is younger.

    Amazon writes a record again when something is added to it, and the last one holds. Of two
    touchpoints with one id the earlier counts, whichever comes first. Ends are whole seconds, so
    nobody misses the microseconds, of which there is less than a second.
    """
    if ended is None or updated is None:
        return ended or updated
    younger = (updated - ended).total_seconds()
    return ended - timedelta(microseconds=min(max(0, int(younger)), YOUNGER_MAX))


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
    found = (end - start).total_seconds()
    return int(found) if found.is_integer() else found


def _measured(**found: Any) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}


def _lowered(value: Any) -> Any:
    """An object whose keys are lower case throughout, since two spellings occur."""
    if isinstance(value, dict):
        return {str(name).lower(): _lowered(one) for name, one in value.items()}
    return value


def _kept(value: Mapping[str, Any], used: frozenset[str]) -> dict[str, Any]:
    """The rest, without names of resources and without what is null."""
    found = {}
    for name, one in value.items():
        if one is None or name in used or name.endswith(_RESOURCES):
            continue
        found[name] = _kept(one, _NONE) if one.__class__ is dict else one
    return found
