"""Our own dialect: a `Touchpoint` as an emitter writes it, one, an array of them, or NDJSON.

Also the lines of a replay, which may say what no HTTP client can: `received_at` and `source`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from listeners.adapters.adapter import (
    Context,
    Envelope,
    Limits,
    check_rating,
    id_of,
    lacks,
    raw_of,
    refusal,
    settled,
    signals_of,
    text_of,
    time_of,
)
from listeners.adapters.bounds import check_object, read, said
from listeners.adapters.brackets import FAULTS, elements
from listeners.adapters.identifiers import identifiers_again, identifiers_of
from listeners.errors import ItemRefused, Reason, TooLarge, Unreadable
from listeners.exchange import Delivery
from listeners.settings import ListenerSettings
from schemas.inbound import (
    INTEGER_MAX,
    LOCATION_LENGTH_MAX,
    NAME_LENGTH_MAX,
    NativeTouchpoint,
    fault_in,
)
from schemas.records import Channel, Rating, Touchpoint

REPLAY_SOURCE: Final = "default"
"""The source of a replay's line that names none."""

EXACT: Final = frozenset(
    {
        *("id", "name", "channel", "identifiers", "session_hint", "signals", "intent", "rating"),
        *("occurred_at", "received_at", "source"),
    }
)
"""Fields whose text is kept as it is, and refused when it has control characters."""

_PLACES: Final = {"": "$.identifiers"}

Time = Annotated[datetime, msgspec.Meta(tz=True)] | int | float | None
Id = str | int | None


class Written(msgspec.Struct, gc=False):
    """The shape of `schemas.inbound.NativeTouchpoint`, for the decoder."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
    channel: Channel | None = None
    id: Id = None
    location: Annotated[str, msgspec.Meta(max_length=LOCATION_LENGTH_MAX)] | None = None
    occurred_at: Time = None
    identifiers: dict[str, Id] = {}
    session_hint: Id = None
    signals: list[str] | None = None
    intent: str | None = None
    rating: Rating | None = None
    properties: dict[str, Any] | None = None
    sequence: Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)] | None = None


class Replayed(Written, gc=False):
    """The same, with what only a replay may say."""

    received_at: Time = None
    source: str | None = None


_decode: Final = msgspec.json.Decoder(Written).decode
_decode_replayed: Final = msgspec.json.Decoder(Replayed).decode
_decode_array: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_one: Final = msgspec.json.Decoder(msgspec.Raw).decode


def unpack(text: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body into items: an array's, an NDJSON's lines, or the one object that it is.

    Raises:
        Unreadable: It is not JSON.
        TooLarge: Too many items, or one that is not a batch and too long.
    """
    if text[:1] == b"[":
        items = _array(text)
    elif b"\n" in text and _is_ndjson(text):
        items = [line for line in map(bytes.strip, text.split(b"\n")) if line]
    else:
        return _single(text, limits)
    if len(items) > limits.batch_items_max:
        raise TooLarge(
            reason=Reason.BATCH_TOO_LARGE,
            message=f"expected at most {limits.batch_items_max} items; found {len(items)}",
        )
    return Envelope(items, batch=True)


def _array(text: bytes) -> list[bytes]:
    try:
        return [bytes(item) for item in _decode_array(text)]
    except FAULTS as error:
        items = elements(text)
        if items is None:
            raise unreadable(error) from error
        return items


def _is_ndjson(text: bytes) -> bool:
    """Whether each line is an object; a lone object may be spread over lines."""
    first = text.partition(b"\n")[0].rstrip()
    return first[:1] == b"{" and first[-1:] == b"}"


def _single(text: bytes, limits: Limits) -> Envelope:
    if text[:1] != b"{":
        raise Unreadable(
            reason=Reason.NOT_JSON,
            message="expected a JSON object, an array of them or NDJSON; found something else",
        )
    if len(text) > limits.bounds.item_bytes_max:
        raise TooLarge(
            reason=Reason.ITEM_TOO_LARGE,
            message=f"expected an item of at most {limits.bounds.item_bytes_max} bytes",
        )
    return Envelope([text], batch=False)


def unreadable(error: Exception) -> Unreadable:
    """The refusal of a body that does not decode."""
    return Unreadable(reason=Reason.NOT_JSON, message=f"expected JSON; found {said(error)}")


def device_of(items: Sequence[bytes]) -> str | None:
    """A native body does not say when it was sent, so no clock is watched."""
    return None


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one item a touchpoint.

    Raises:
        ItemRefused: It cannot be one.
    """
    written = read(item, _decode, context.limits.bounds, EXACT, _explain)
    return _touchpoint(written, context)


def adapt_replay_line(line: bytes, context: Context) -> Touchpoint:
    """Make one line of a replay a touchpoint.

    Without `received_at` it was received when it occurred, and the other way round.

    Args:
        line: JSON bytes.
        context: From `replay_context`; its source holds where the line names none.

    Raises:
        ItemRefused: It cannot be one, or has no time at all.
    """
    written = read(line, _decode_replayed, context.limits.bounds, EXACT, _explain)
    received_at = written.received_at
    if received_at is None:
        received_at = written.occurred_at
        if received_at is None:
            raise lacks(
                where="$.occurred_at",
                expected="a time: RFC 3339 with a zone, or epoch milliseconds",
            )
    context.received_at = time_of(received_at, "$.received_at")
    if written.occurred_at is None:
        written.occurred_at = context.received_at
    return _touchpoint(written, context, written.source)


def replay_context(settings: ListenerSettings) -> Context:
    """What `adapt_replay_line` needs; one for all lines of a replay."""
    return Context(
        source=REPLAY_SOURCE,
        received_at=datetime.min,  # noqa: DTZ901 - each line brings its own.
        hash_key=settings.hash_key,
        new_id=_no_id,
        limits=Limits.of(settings),
        keeps_hashes=True,
    )


def _no_id() -> str:
    """Ids of a replay are derived, since each line has a time."""
    raise AssertionError


def _touchpoint(written: Written, context: Context, source: str | None = None) -> Touchpoint:
    limits = context.limits
    channel = written.channel or context.channel
    if channel is None:
        raise lacks(where="$.channel", expected="one of web, app, chatbot, ivr, agent, survey")
    source = source or context.source
    name = text_of(written.name, "$.name", limits)
    if name is None:
        raise lacks(where="$.name", expected="what happened")
    if context.keeps_hashes:
        identifiers = identifiers_again(written.identifiers, context, _PLACES)
    else:
        identifiers = identifiers_of(written.identifiers.items(), context, _PLACES)
    session_hint = text_of(written.session_hint, "$.session_hint", limits)
    properties = written.properties
    if properties:
        check_object(properties, limits.bounds, "$.properties")
    else:
        properties = {}
    signals = signals_of(name, properties, written.signals or (), limits)
    intent = None if written.intent is None else text_of(written.intent, "$.intent", limits)
    rating = None if written.rating is None else check_rating(written.rating, "$.rating")
    touchpoint_id = text_of(written.id, "$.id", limits)
    if written.occurred_at is None:
        # In the order of the body: one microsecond apart, since nothing else tells it.
        occurred_at = context.received_at + timedelta(microseconds=context.untimed)
        context.untimed += 1
        if touchpoint_id is None:
            touchpoint_id = context.new_id()
    else:
        claimed = time_of(written.occurred_at, "$.occurred_at")
        if touchpoint_id is None:
            content = (channel, name, written.location, claimed, identifiers, session_hint)
            more = (signals, intent, rating, properties)
            # Two that differ by their numbers only are two.
            numbered = () if written.sequence is None else (written.sequence,)
            touchpoint_id = id_of(source, content + more + numbered)
        occurred_at = settled(claimed, context)
    return Touchpoint(
        id=touchpoint_id,
        source=source,
        channel=channel,
        name=name,
        occurred_at=occurred_at,
        received_at=context.received_at,
        location=written.location,
        identifiers=identifiers,
        session_hint=session_hint,
        signals=signals,
        intent=intent,
        rating=rating,
        properties=raw_of(properties),
        sequence=written.sequence,
    )


def _explain(value: dict[str, Any]) -> ItemRefused | None:
    fault = fault_in(NativeTouchpoint, value)
    return None if fault is None else refusal(fault)
