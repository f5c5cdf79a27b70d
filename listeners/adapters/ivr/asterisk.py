"""Asterisk: events of its manager interface and its channel event log, as the bridge posts them.

A call is everything with one `Linkedid`; the channel whose `Uniqueid` is that one is the caller's
own, others are agents' legs. A context of the dial plan is a menu: the applications that prompt say
that it was reached, an extension of one character what was chosen, `t` and `i` that nothing was.

Sources: Asterisk's `manager.c`, `cel.c`, `app_queue.c` and its page on special extensions.
`docs/vendors.md` accounts for every field.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from listeners.adapters import native
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
from listeners.exchange import Delivery
from schemas.records import Touchpoint

PROMPTS: Final = frozenset(
    {"background", "backgrounddetect", "read", "readexten", "speechbackground", "ivrdemo"}
)
"""Applications that play a menu and listen."""

CHOICES: Final = {"t": "no_input", "i": "no_match", "0": "zero_out"}
"""What extensions of a menu mean. Source: Asterisk's special extensions; 0 is the operator's."""

FAILURES: Final = frozenset({"34", "38", "41", "42", "44", "47"})
"""Causes by which the network or the exchange gave up. Source: Q.850, resource unavailable."""

RESULTS: Final = frozenset({"no_input", "no_match", "zero_out"})
"""What a user event may say of a menu."""

_UNKNOWN: Final = frozenset({"<unknown>", "unknown", "s"})
_USED: Final = frozenset(
    {
        *("id", "timestamp", "linkedid", "calleridnum", "calleridani", "calleridname"),
        *("connectedlinenum", "connectedlinename", "privilege", "digit"),
    }
)


class _Told(NamedTuple):
    """What one event tells."""

    name: str
    signals: tuple[str, ...] = ()
    location: str | None = None
    measured: Mapping[str, Any] = {}
    intent: str | None = None


Fields = Mapping[str, str]


def unpack(body: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body: the bridge's, or events as an array, as NDJSON or alone."""
    if body[:1] == b"{" and b'"events"' in body:
        value = mapping(value_in(body))
        if isinstance(value.get("events"), list):
            return listed(value["events"], limits, sent_at=moment(value.get("sent_at")))
    return native.unpack(body, delivery, limits)


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one event a touchpoint.

    Raises:
        ItemRefused: It has no type, or names no call.
    """
    value = object_in(item, context)
    fields = {name.lower(): str(one) for name, one in value.items() if text(one) is not None}
    if "event" not in fields:
        raise lacks(where="$.Event", expected="the type of an event, such as Newchannel")
    if "linkedid" not in fields:
        raise lacks(where="$.Linkedid", expected="the id of the call")
    own = fields.get("uniqueid", fields["linkedid"]) == fields["linkedid"]
    told = _TELLING.get(fields["event"].lower(), _other)(fields, own)
    at = number(fields.get("timestamp"))
    kept = {
        name: one
        for name, one in value.items()
        if name.lower() not in _USED and one not in ("", None)
    }
    if "digit" in fields and context.asked is not None and context.asked.keeps_text:
        kept["digit"] = fields["digit"]
    calling = fields.get("calleridnum", "")
    return touchpoint_of(
        Said(
            name=told.name,
            channel="ivr",
            people=caller(calling, context) if own and calling.lower() not in _UNKNOWN else (),
            properties={**kept, **told.measured},
            at=None if at is None else at * 1000,
            id=fields.get("id"),
            content=None if at is None else (value,),
            location=told.location,
            session=fields["linkedid"],
            signals=told.signals,
            intent=told.intent,
        ),
        context,
    )


def _newchannel(fields: Fields, own: bool) -> _Told:
    return _Told("call_started" if own else "leg_started")


def _newexten(fields: Fields, own: bool) -> _Told:
    """A step of the dial plan. Only the first of an extension says that it was reached."""
    place, extension = fields.get("context"), fields.get("exten", "")
    first = fields.get("priority", "1") == "1"
    if own and first and len(extension) == 1 and extension != "s":
        signal = CHOICES.get(extension)
        return _Told("menu_choice", (signal,) if signal else (), place)
    if own and fields.get("application", "").lower() in PROMPTS:
        return _Told("menu", location=place)
    return _Told("dialplan")


def _digit(fields: Fields, own: bool) -> _Told:
    """A key: no place, since a number keyed in is no menu visited many times."""
    return _Told("digit")


def _abandon(fields: Fields, own: bool) -> _Told:
    waited = _measured(queue_s=fields.get("holdtime"))
    return _Told("queue_abandon", ("queue_abandoned",), measured={**waited, "hangup_by": "caller"})


def _agent_connect(fields: Fields, own: bool) -> _Told:
    return _Told("agent_connect", ("transfer",), measured=_measured(queue_s=fields.get("holdtime")))


def _agent_complete(fields: Fields, own: bool) -> _Told:
    reason = fields.get("reason", "").lower()
    measured = _measured(queue_s=fields.get("holdtime"), talk_s=fields.get("talktime"))
    if reason == "transfer":
        return _Told("agent_complete", ("transfer",), measured=measured)
    by = reason if reason in ("caller", "agent") else "unknown"
    return _Told("agent_complete", measured={**measured, "hangup_by": by})


def _hangup(fields: Fields, own: bool) -> _Told:
    return _ended(own, fields.get("cause", ""), None)


def _ended(own: bool, cause: str, by: str | None) -> _Told:
    if not own:
        return _Told("leg_ended")
    failed = cause in FAILURES
    by = "system" if failed else by or "unknown"
    signals = ("hangup", "hangup_by_system") if failed else ("hangup",)
    return _Told("call_ended", signals, measured={"hangup_by": by})


def _cel(fields: Fields, own: bool) -> _Told:
    """The channel event log, which alone tells who hung up."""
    kind = fields.get("eventname", "").upper()
    extra = _extra(fields.get("extra"))
    if kind == "CHAN_START":
        return _newchannel(fields, own)
    if kind == "HANGUP":
        source = text(extra.get("hangupsource"))
        by = None if source is None else "caller" if source == fields.get("channel") else "agent"
        return _ended(own, str(extra.get("hangupcause") or ""), by)
    named = fields.get("userdeftype")
    if named is None and kind in _CEL:
        return _Told(kind.lower())
    said = dict(
        part.partition("=")[::2] for part in str(extra.get("extra") or "").split(";") if part
    )
    result = said.get("result")
    return _Told(
        named or fields.get("eventname") or "cel",
        (result,) if result in RESULTS else (),
        text(said.get("menu")),
        intent=text(said.get("intent")),
    )


def _other(fields: Fields, own: bool) -> _Told:
    return _Told(_NAMES.get(fields["event"].lower(), fields["event"]))


def _extra(written: str | None) -> Mapping[str, Any]:
    """JSON inside a field."""
    try:
        return mapping(msgspec.json.decode(written)) if written else {}
    except (msgspec.MsgspecError, RecursionError):
        return {}


def _measured(**durations: str | None) -> dict[str, Any]:
    found = {name: seconds(value) for name, value in durations.items()}
    return {name: value for name, value in found.items() if value is not None}


_NAMES: Final = {"queuecallerjoin": "queue_join", "queuecallerleave": "queue_leave"}
_CEL: Final = frozenset(
    {
        *("CHAN_END", "ANSWER", "APP_START", "APP_END", "PARK_START", "PARK_END", "BRIDGE_ENTER"),
        *("BRIDGE_EXIT", "BLINDTRANSFER", "ATTENDEDTRANSFER", "PICKUP", "FORWARD", "LINKEDID_END"),
        *("LOCAL_OPTIMIZE", "LOCAL_OPTIMIZE_BEGIN", "STREAM_BEGIN", "STREAM_END", "DTMF"),
    }
)
_TELLING: Final[Mapping[str, Callable[[Fields, bool], _Told]]] = {
    "newchannel": _newchannel,
    "newexten": _newexten,
    "dtmfend": _digit,
    "queuecallerabandon": _abandon,
    "agentconnect": _agent_connect,
    "agentcomplete": _agent_complete,
    "hangup": _hangup,
    "cel": _cel,
}
