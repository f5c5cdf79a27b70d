"""Twilio Voice: the webhooks of a call, its status callbacks, TaskRouter's and Studio's events.

All come to one address; what a request is shows in its fields. Twilio knows no menus, so the
address carries the node, the intent and what only the application knows:
`?menu=…&intent=…&result=no_match`.

Sources: Twilio's documents of TwiML, the call resource, TaskRouter's event reference and Event
Streams. `docs/vendors.md` accounts for every field.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

import msgspec

from listeners.adapters.adapter import Context, Envelope, Limits, sequence_of
from listeners.adapters.vendor import (
    People,
    Said,
    caller,
    form_in,
    listed,
    mapping,
    moment,
    number,
    object_in,
    seconds,
    text,
    touchpoint_of,
    unsure,
    value_in,
    without_text,
)
from listeners.adapters.vendor import device_of as device_of
from listeners.errors import ItemRefused, Reason, Unreadable
from listeners.exchange import Answer, Delivery
from listeners.signatures import TWILIO_ENDED, TWILIO_ONCE, joined
from schemas.records import Scale, Touchpoint

TOKEN: Final = "I-Twilio-Idempotency-Token"
"""The header that stays the same when Twilio sends a request again. It is not signed."""

PROGRESS: Final = "call-progress-events"
"""What `CallbackSource` says of a call's own status, which numbers its requests."""

ATTESTED: Final = "TN-Validation-Passed-A"
"""The caller's network knows the caller, and that the number is theirs."""

SCALES: Final[tuple[Scale, ...]] = ("ces", "nps", "csat")
"""What `?scale=` may say that the caller was asked."""

KEYED_IN: Final = ("account_id", "crm_id", "user_id")
"""What `?identifies=` may say that the digits are."""

CHOICE_LENGTH_MAX: Final = 2
"""Digits that are a choice in a menu; more of them may be a card's or an account's (P)."""

_SPOKEN: Final = ("SpeechResult", "UnstableSpeechResult", "TranscriptionText")
_PASSED_ON: Final = ("Digits", "SpeechResult", "Confidence")
_NUMBERS: Final = frozenset({"From", "To", "Caller", "Called", "ForwardedFrom"})
_SECRET: Final = frozenset({"CallToken"})
_KIND: Final = "text/xml"


class _Call(NamedTuple):
    """What one request of a call tells beside who calls.

    Attributes:
        measured: Durations in seconds, and who hung up, under our own names.
        at: Its own time, where it has one.
        sited: Whether it happens at a menu; waiting does not, however often it is told.
    """

    name: str
    signals: tuple[str, ...] = ()
    measured: Mapping[str, Any] = {}
    at: datetime | float | None = None
    sited: bool = True


def unpack(body: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body: a form is one item, a JSON array of events is many.

    A form's item also holds the address's query, as sent, and the token, so that a dead letter is
    whole.

    Raises:
        Unreadable: It is neither, or would send the call on to an address the settings do not list.
        TooLarge: Too many events.
    """
    if body[:1] in (b"[", b"{"):
        events = value_in(body)
        return listed(events if isinstance(events, list) else [events], limits)
    fields = form_in(body, limits)
    query = dict(parse_qsl(delivery.query))
    token = delivery.headers.get(TOKEN)
    item = {
        "fields": fields,
        "query": delivery.query,
        "token": token and ascii(token)[1:-1],  # Twilio's are; other bytes would be no JSON.
    }
    return listed([item], limits, batch=False, answer=_steering(_last(fields), query, limits))


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one request or event a touchpoint.

    Raises:
        ItemRefused: It names no call, and nobody.
    """
    value = object_in(item, context)
    if "specversion" in value:
        return touchpoint_of(_event(value, context), context)
    fields = _last(mapping(value.get("fields")))
    if not fields:
        raise ItemRefused(
            reason=Reason.FIELD_INVALID,
            where="$",
            expected="a form of Twilio's, or its events",
            found="something else",
        )
    if "EventType" in fields and "TaskSid" in fields:
        return touchpoint_of(_task(fields, value, context), context)
    return touchpoint_of(_request(fields, value, context), context)


def _last(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, of a name that is repeated the last value, as `signatures` reads them."""
    return {name: one[-1] if isinstance(one, list) and one else one for name, one in fields.items()}


def _request(fields: Mapping[str, Any], value: Mapping[str, Any], context: Context) -> Said:
    query = dict(parse_qsl(text(value.get("query")) or ""))
    call = _call(fields, query)
    kept = {
        name: one
        for name, one in mapping(value["fields"]).items()
        if name not in _NUMBERS | _SECRET and one != ""
    }
    digits = text(fields.get("Digits")) or ""
    keyed = query.get("identifies") in KEYED_IN and digits != ""
    chosen = len(str(kept.get("Digits") or "")) <= CHOICE_LENGTH_MAX and not keyed
    personal = _SPOKEN if chosen else (*_SPOKEN, "Digits")
    rest = {name: one for name, one in query.items() if name not in ("next", "bodySHA256")}
    return Said(
        name=call.name,
        channel="ivr",
        people=[
            *_customer(fields, context),
            *([(str(query["identifies"]), digits)] if keyed else []),
        ],
        properties={
            **without_text(kept, personal, context),
            **({"query": rest} if rest else {}),
            **call.measured,
        },
        at=call.at,
        content=_content(value, once=call.at is not None or not TWILIO_ONCE.isdisjoint(fields)),
        location=text(query.get("menu")) if call.sited else None,
        session=text(fields.get("ParentCallSid")) or text(fields.get("CallSid")),
        signals=call.signals,
        intent=text(query.get("intent")),
        rating=_rating(fields, query),
        sequence=_sequence(fields),
    )


def _sequence(fields: Mapping[str, Any]) -> int | None:
    """The number within the call: a leg's and a conference's count for themselves."""
    if fields.get("CallbackSource") != PROGRESS or "ParentCallSid" in fields:
        return None
    return sequence_of(fields.get("SequenceNumber"))


def _content(value: Mapping[str, Any], *, once: bool) -> Sequence[str] | None:
    """What the id is derived from, so that who sends a recorded request again cannot choose it.

    Args:
        value: The item.
        once: Whether its content tells it from every other request. The token, which is not
            signed, is part of the id only where it does not.

    Returns:
        What Twilio signs, of the query on; None where nothing tells the request from another.
    """
    pairs = [
        (name, str(one))
        for name, values in mapping(value.get("fields")).items()
        for one in (values if isinstance(values, list) else [values])
    ]
    signed, token = f"{value.get('query') or ''}{joined(pairs)}", text(value.get("token"))
    if once:
        return (signed,)
    return (signed, token) if token else None


def _call(fields: Mapping[str, Any], query: Mapping[str, Any]) -> _Call:
    """What kind of request it is, by the first field that only that kind has."""
    if "RecordingSid" in fields:
        left = fields.get("RecordingSource") == "RecordVerb"
        return _Call(
            "voicemail" if left else "recording",
            measured=_measured(recording_s=fields.get("RecordingDuration")),
            at=_rfc_2822(fields.get("RecordingStartTime")),
        )
    if "DialCallStatus" in fields:
        answered = fields["DialCallStatus"] in ("completed", "answered")
        reached = answered and fields.get("DialBridged") != "false"
        return _Call(
            "dial",
            ("transfer",) if reached else ("transfer_failed",),
            _measured(talk_s=fields.get("DialCallDuration")),
        )
    if "QueueResult" in fields:
        return _queue(fields)
    if "QueuePosition" in fields:
        return _Call("queue_wait", measured=_measured(queue_s=fields.get("QueueTime")), sited=False)
    if "CallbackSource" in fields or "CallDuration" in fields:
        return _status(fields)
    if "Digits" in fields or "SpeechResult" in fields or fields.get("msg") == "Gather End":
        return _gather(fields, query)
    if "ParentCallSid" in fields:
        return _Call("leg_started")
    if fields.get("CallStatus") == "in-progress" and query.get("menu"):
        return _Call("menu")
    return _Call("call_started")


def _queue(fields: Mapping[str, Any]) -> _Call:
    result = fields["QueueResult"]
    measured = _measured(queue_s=fields.get("QueueTime"))
    if result == "hangup":
        return _Call("queue", ("queue_abandoned",), {**measured, "hangup_by": "caller"})
    failed = result in ("queue-full", "error", "system-error")
    return _Call("queue", ("transfer_failed",) if failed else (), measured)


def _status(fields: Mapping[str, Any]) -> _Call:
    at = _rfc_2822(fields.get("Timestamp"))
    if text(fields.get("CallStatus")) not in TWILIO_ENDED:
        return _Call("call_progress", at=at, sited=False)
    duration = _measured(duration_s=fields.get("CallDuration"))
    if "ParentCallSid" in fields:  # An agent's leg: the caller is still there.
        return _Call("leg_ended", measured=duration, at=at, sited=False)
    # Twilio does not tell who hung up.
    return _Call("call_ended", ("hangup",), {**duration, "hangup_by": "unknown"}, at, sited=False)


def _gather(fields: Mapping[str, Any], query: Mapping[str, Any]) -> _Call:
    signals = []
    if query.get("result") == "no_match":
        signals.append("no_match")
    elif not fields.get("Digits") and not fields.get("SpeechResult"):
        signals.append("no_input")
    elif fields.get("Digits") == "0" and query.get("scale") is None:
        signals.append("zero_out")
    confidence = number(fields.get("Confidence"))
    if confidence is not None and fields.get("SpeechResult") and unsure([confidence]):
        signals.append("low_confidence")
    return _Call("menu_choice", tuple(signals))


def _task(fields: Mapping[str, Any], value: Mapping[str, Any], context: Context) -> Said:
    """TaskRouter: a task waits for an agent, who takes it or not."""
    attributes = fields.get("TaskAttributes")
    try:
        told = mapping(msgspec.json.decode(attributes)) if isinstance(attributes, str) else {}
    except (msgspec.MsgspecError, RecursionError):
        told = {}
    kind = str(fields["EventType"])
    measured = _measured(queue_s=fields.get("TaskAge"))
    signals: tuple[str, ...] = ()
    if kind == "reservation.accepted":
        signals = ("transfer",)
    elif kind == "task.canceled" and fields.get("TaskCanceledReason") == "hangup":
        signals, measured = ("queue_abandoned",), {**measured, "hangup_by": "caller"}
    at = number(fields.get("TimestampMs"))
    kept = {name: one for name, one in fields.items() if name != "TaskAttributes" and one != ""}
    task = {name: one for name, one in told.items() if name not in ("from", "caller", "called")}
    return Said(
        name=kind,
        channel="ivr",
        people=caller(told.get("from") or told.get("caller"), context),
        properties={**kept, "task": task, **measured},
        at=at,
        content=_content(value, once=True),
        session=text(told.get("call_sid")) or text(fields["TaskSid"]),
        signals=signals,
    )


def _event(event: Mapping[str, Any], context: Context) -> Said:
    """Event Streams: a step of a Studio flow, or its end. Only names and times are relied on."""
    told, kind = mapping(event.get("data")), str(event.get("type") or "")
    step = kind.endswith(".step.ended")
    left = text(told.get("transitioned_from"))
    kept = {name: one for name, one in told.items() if name != "contact_channel_address"}
    return Said(
        name="menu" if step else kind.rpartition("studio.")[2].removeprefix("flow."),
        channel="ivr",
        people=caller(told.get("contact_channel_address"), context),
        properties={**kept, "type": kind},
        at=moment(event.get("time")),
        id=text(event.get("id")),
        content=(event,),
        location=left if step else None,
        session=text(told.get("execution_sid")) or text(told.get("call_sid")),
        signals=("no_input",) if step and told.get("name") == "timeout" else (),
    )


def _customer(fields: Mapping[str, Any], context: Context) -> People:
    """The customer's number: who calls, or is called; a leg to an agent names nobody."""
    if fields.get("ParentCallSid"):
        return ()
    outbound = str(fields.get("Direction") or "").startswith("outbound")
    attested = not outbound and fields.get("StirVerstat") == ATTESTED
    return caller(fields.get("To" if outbound else "From"), context, attested=attested)


def _rating(fields: Mapping[str, Any], query: Mapping[str, Any]) -> tuple[Scale, float] | None:
    """An answer keyed in, where the address says which scale was asked."""
    value = number(fields.get("Digits"))
    for scale in SCALES:
        if query.get("scale") == scale and value is not None:
            return scale, value
    return None


def _measured(**durations: object) -> dict[str, Any]:
    """Durations under our own names, with their unit; what is no number is left out."""
    found = {name: seconds(value) for name, value in durations.items()}
    return {name: value for name, value in found.items() if value is not None}


def _rfc_2822(value: object) -> datetime | None:
    try:
        at = parsedate_to_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


def _steering(fields: Mapping[str, Any], query: Mapping[str, Any], limits: Limits) -> Answer:
    """What Twilio does next: what the application says, or nothing.

    An empty answer ends a call whose voice address points here; status callbacks do not read it.

    Raises:
        Unreadable: The call would be sent on to an address that the settings do not list.
    """
    onward = query.get("next")
    if onward is None:
        return Answer(b"<Response/>", _KIND)
    base, _, asked = onward.partition("?")
    if base not in limits.redirects:
        raise Unreadable(
            reason=Reason.FIELD_INVALID,
            message="expected the address in next to be one of the setting redirects",
        )
    passed = urlencode([(name, fields[name]) for name in _PASSED_ON if text(fields.get(name))])
    address = base + "?" * bool(asked or passed) + "&".join(filter(None, (asked, passed)))
    redirect = f'<Response><Redirect method="POST">{escape(address)}</Redirect></Response>'
    return Answer(redirect.encode(), _KIND)
