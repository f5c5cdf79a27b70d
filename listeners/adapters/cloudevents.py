"""CloudEvents over HTTP: structured, binary and in batches, as `Content-Type` says.

    application/cloudevents+json          one event, an object
    application/cloudevents-batch+json    a list of them
    anything else                         binary: attributes in `ce-` headers, the body is the data

Source: CloudEvents 1.0.2, HTTP protocol binding and JSON event format. What an event's data must
say to be a touchpoint stands in `docs/emitters.md`.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec

from listeners import bodies
from listeners.adapters.adapter import (
    Context,
    Envelope,
    Limits,
    id_of,
    intent_of,
    lacks,
    path_of,
    rating_of,
    raw_of,
    sequence_of,
    settled,
    signals_of,
    text_of,
    time_of,
)
from listeners.adapters.bounds import check_object, read
from listeners.adapters.brackets import FAULTS
from listeners.adapters.envelopes import cutter
from listeners.adapters.identifiers import identifiers_of
from listeners.errors import ItemRefused, Reason, Unreadable
from listeners.exchange import Delivery
from schemas.inbound import LOCATION_LENGTH_MAX, NAME_LENGTH_MAX, kind_of
from schemas.records import CHANNELS, Channel, Touchpoint

PREFIX: Final = "ce-"
"""Of the headers that hold attributes in the binary mode."""

NO_NAME: Final = "(batch)"
"""No attribute may be called so: a batch is a bare list, with no object around it."""

REQUIRED: Final = ("id", "source", "type", "specversion")

EXACT: Final = frozenset({*REQUIRED, "time", "subject", "sessionid"})
"""Fields whose text is kept as it is, and refused when it has control characters."""

_DATA: Final = frozenset({"data", "data_base64"})
_MAPPED: Final = frozenset({"id", "time", "sessionid", *_DATA})
_TAKEN: Final = frozenset({"identifiers", "signals"})
_PLACES: Final = {"": "$.data.identifiers", "user_id": "$.subject"}
_STRUCTURED: Final = "application/cloudevents"
_Aware: Final = Annotated[datetime, msgspec.Meta(tz=True)]


class _Body(msgspec.Struct):
    """No object around a batch: it is a list."""

    batch: list[msgspec.Raw] | None = msgspec.field(default=None, name=NO_NAME)


_cut: Final = cutter(_Body, NO_NAME)
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_decode_any: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def opened(body: bytes, delivery: Delivery, bytes_max: int) -> bytes:
    """The JSON bytes of a body; those of a structured event where it came in the binary mode.

    Raises:
        TooLarge: More than `bytes_max`.
        Unreadable: It cannot be inflated, or an attribute is not UTF-8.
    """
    if not binary(delivery):
        return bodies.delivered(body, delivery, bytes_max)
    if delivery.encoding:
        body = bodies.delivered(body, delivery, bytes_max)
    elif len(body) > bytes_max:
        raise bodies.too_large(bytes_max)
    event: dict[str, Any] = dict(_attributes(delivery.headers))
    if kind := _kind(delivery):
        event["datacontenttype"] = delivery.headers["Content-Type"].strip()
    if body:
        event.update(_data_of(body, kind.partition(";")[0].strip()))
    try:
        return _encode(event)
    except UnicodeEncodeError as error:
        raise Unreadable(
            reason=Reason.NOT_UTF8, message="expected headers in UTF-8; found other bytes"
        ) from error


def binary(delivery: Delivery) -> bool:
    """Whether the event stands in the headers, and its body is the data alone."""
    return not _kind(delivery).startswith(_STRUCTURED) and bool(_attributes(delivery.headers))


def _kind(delivery: Delivery) -> str:
    return delivery.headers.get("Content-Type", "").strip().lower()


def _attributes(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        (name.lower().removeprefix(PREFIX), unquote(value))
        for name, value in headers.items()
        if name.lower().startswith(PREFIX)
    ]


def _data_of(body: bytes, kind: str) -> dict[str, Any]:
    """A body as the member of a structured event that holds it."""
    if not kind or kind.endswith(("json", "javascript")):
        try:
            return {"data": _decode_any(body)}
        except FAULTS:
            pass
    elif kind.startswith("text/"):
        try:
            return {"data": body.decode()}
        except UnicodeDecodeError:
            pass
    return {"data_base64": base64.b64encode(body).decode()}


def unpack(text: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body into events.

    Raises:
        Unreadable: It is no JSON object and no list.
        TooLarge: Too many events, or one alone that is too long.
    """
    items, listed, _ = _cut(text, limits)
    return Envelope(items, batch=listed)


def device_of(items: Sequence[bytes]) -> str | None:
    """An event does not say when it was sent, so no clock is watched."""
    return None


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one event a touchpoint.

    Raises:
        ItemRefused: It cannot be one.
    """
    limits = context.limits
    written = read(item, _decode, limits.bounds, EXACT, _explain)
    told = {name: _attribute(written, name, limits) for name in REQUIRED}
    if not told["specversion"].startswith("1."):
        raise _invalid(where="$.specversion", expected="1.0", found=written["specversion"])
    data = _data(written)
    given = data if isinstance(data, dict) else {}
    name = text_of(_scalar(given.get("name")), "$.data.name", limits) or told["type"]
    identifiers = identifiers_of(_people(written, given, limits), context, _PLACES)
    properties = _properties(written, data, given)
    check_object(properties, limits.bounds, "$", depth=1)
    location = given.get("location") or path_of(given.get("url"))
    signals = signals_of(name, given, _given_signals(given), limits)
    hint = text_of(_scalar(written.get("sessionid")), "$.sessionid", limits)
    claimed = _claimed(written)
    return Touchpoint(
        id=_id(told["source"], told["id"], limits),
        source=context.source,
        channel=_channel(told["source"], given, context),
        name=name[:NAME_LENGTH_MAX],
        occurred_at=context.received_at if claimed is None else settled(claimed, context),
        received_at=context.received_at,
        location=location[:LOCATION_LENGTH_MAX] if isinstance(location, str) else None,
        identifiers=identifiers,
        session_hint=hint,
        signals=signals,
        intent=intent_of(given.get("intent"), limits),
        rating=rating_of(given.get("rating")),
        properties=raw_of(properties),
        sequence=sequence_of(written.get("sequence")),
    )


def _attribute(written: Mapping[str, Any], name: str, limits: Limits) -> str:
    value = written.get(name)
    if value is not None and not isinstance(value, str):
        raise _invalid(where=f"$.{name}", expected="a string", found=value)
    if name in ("id", "source"):
        text = None if value is None else value.strip()
    else:
        text = text_of(value, f"$.{name}", limits)
    if not text:
        raise lacks(where=f"$.{name}", expected="an attribute that CloudEvents requires")
    return text


def _id(source: str, given: str, limits: Limits) -> str:
    """Both together name an event; where they are too long, or not printable, their hash does."""
    together = f"{source}#{given}"
    if len(together) <= limits.id_length_max and together.isprintable():
        return together
    return id_of(source, (given,))


def _data(written: Mapping[str, Any]) -> Any:
    """The event's data, JSON that hides in base64 included; None where it is something else."""
    data = written.get("data")
    if data is not None or written.get("data_base64") is None:
        return data
    kind = str(written.get("datacontenttype") or "").partition(";")[0].strip().lower()
    try:
        raw = base64.b64decode(written["data_base64"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise _invalid(
            where="$.data_base64", expected="base64", found=written["data_base64"]
        ) from error
    if not kind.endswith("json"):
        return None
    try:
        return _decode_any(raw)
    except FAULTS as error:
        raise _invalid(
            where="$.data_base64", expected="JSON, as datacontenttype says", found=raw
        ) from error


def _people(
    written: Mapping[str, Any], given: Mapping[str, Any], limits: Limits
) -> list[tuple[str, str | int | None]]:
    """The identifiers of the data; without any, the event's subject is a user."""
    named = given.get("identifiers")
    if isinstance(named, dict):
        for value in named.values():
            if value is not None and _scalar(value) is None:
                raise _invalid(
                    where="$.data.identifiers", expected="a string or a whole number", found=value
                )
        if any(value not in (None, "") for value in named.values()):
            return [(kind, _scalar(value)) for kind, value in named.items()]
    elif named is not None:
        raise _invalid(where="$.data.identifiers", expected="an object", found=named)
    return [("user_id", text_of(_scalar(written.get("subject")), "$.subject", limits))]


def _properties(written: Mapping[str, Any], data: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The data's members at the top, the attributes under `ce`; data of another kind as `data`."""
    kept: dict[str, Any] = {
        "ce": {
            key: value for key, value in written.items() if key not in _MAPPED and value is not None
        }
    }
    if data is None and "data_base64" in written:
        kept["data_base64"] = written["data_base64"]
    elif data is not None and not isinstance(data, dict):
        kept["data"] = data
    return {**kept, **{key: value for key, value in given.items() if key not in _TAKEN}}


def _channel(source: str, given: Mapping[str, Any], context: Context) -> Channel:
    """What the data says, else the settings, else the end of the event's source."""
    told = given.get("channel")
    last = source.rstrip("/").rpartition("/")[2]
    if told is None:
        if context.channel is not None:
            return context.channel
        told = last
    for channel in CHANNELS:
        if told == channel:
            return channel
    raise lacks(
        where="$.data.channel",
        expected="one of web, app, chatbot, ivr, agent, survey, here or at the end of source",
    )


def _given_signals(given: Mapping[str, Any]) -> list[str]:
    value = given.get("signals")
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _invalid(where="$.data.signals", expected="a list of signals", found=value)
    return value


def _claimed(written: Mapping[str, Any]) -> datetime | None:
    value = written.get("time")
    if value is None:
        return None
    try:
        return time_of(msgspec.convert(value, _Aware, strict=True), "$.time")
    except msgspec.ValidationError as error:
        raise ItemRefused(
            reason=Reason.TIME_INVALID,
            where="$.time",
            expected="a time: RFC 3339 with a zone",
            found=kind_of(value),
        ) from error


def _scalar(value: object) -> str | int | None:
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else None


def _invalid(*, where: str, expected: str, found: object) -> ItemRefused:
    return ItemRefused(
        reason=Reason.FIELD_INVALID, where=where, expected=expected, found=kind_of(found)
    )


def _explain(value: dict[str, Any]) -> ItemRefused | None:
    """Any object is an event's shape; what is wrong in it, `adapt` finds."""
    return None
