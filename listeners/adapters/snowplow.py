"""Snowplow's dialect: the tracker protocol, by POST as a list and by GET as a query.

Every value is a string. Self-describing events and contexts come as JSON in a string, or the same
in base64url, padded or not. There is no key: the app id (`aid`) stands for it. How each field is
mapped stands in `docs/emitters.md`.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from listeners import bodies
from listeners.adapters.adapter import (
    Context,
    Envelope,
    Limits,
    campaign_of,
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
from listeners.adapters.bounds import FAULTS, check_object, read
from listeners.adapters.envelopes import cutter, device_in, key_in
from listeners.adapters.identifiers import identifiers_of
from listeners.adapters.selfdescribing import contexts_of, described, first_of, schema_name
from listeners.errors import ItemRefused, Reason, Unreadable
from listeners.exchange import Answer, Delivery, Receipt
from schemas.inbound import LOCATION_LENGTH_MAX, NAME_LENGTH_MAX, kind_of
from schemas.records import Channel, Touchpoint

NAMES: Final[Mapping[str, str]] = {
    "pv": "page_view",
    "pp": "page_ping",
    "se": "",  # its action
    "ue": "",  # its schema's name
    "tr": "transaction",
    "ti": "transaction_item",
}
"""The kinds of events, and the names that their touchpoints have."""

PLATFORMS: Final[Mapping[str, Channel]] = {
    "mob": "app", "app": "app", "pc": "app", "tv": "app", "cnsl": "app", "iot": "app",
    "headset": "app", "web": "web", "srv": "web",
}  # fmt: skip
"""What `p` says of the channel, where the source's settings do not."""

PIXEL: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""What an `<img>` can show: 1 by 1, transparent."""

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""The user of anonymous tracking."""

LCP_MS: Final = 4_000
INP_MS: Final = 500
"""Above these a page is `slow`. Source: web.dev's bounds of "poor"."""

_MAPPED: Final = frozenset(
    {"eid", "uid", "duid", "nuid", "tnuid", "sid", "dtm", "ttm", "stm", "ip", "e"}
    | {"ue_pr", "ue_px", "co", "cx"}
)
"""Keys that are not kept as they are: they have become fields, or `ip`, which is personal."""

_PLACES: Final = {
    "": "$",
    "user_id": "$.uid",
    "anonymous_id": "$.duid",
    "network_user_id": "$.nuid",
    "device_id": "$.cx.client_session.userId",
}
EXACT: Final = frozenset(_MAPPED | {"aid", "se_ac"})
"""Fields whose text is kept as it is, and refused when it has control characters."""


class _Body(msgspec.Struct):
    """The list, and nothing that we need beside it."""

    data: list[msgspec.Raw] | None = None
    schema: Any = None


class _Sender(msgspec.Struct):
    """Which app and device wrote an event, and when it was sent."""

    aid: Any = None
    duid: Any = None
    stm: Any = None


_cut: Final = cutter(_Body, "data")
_decode: Final = msgspec.json.Decoder(dict[str, str | int | float | bool | None]).decode
_decode_sender: Final = msgspec.json.Decoder(_Sender).decode
_encode: Final = msgspec.json.Encoder().encode


def opened(body: bytes, delivery: Delivery, bytes_max: int) -> bytes:
    """The JSON bytes of a body; without one, those of the query that stands for it."""
    if body or not delivery.query:
        return bodies.delivered(body, delivery, bytes_max)
    try:
        told = dict(parse_qsl(delivery.query, errors="strict", keep_blank_values=True))
    except UnicodeDecodeError as error:
        raise Unreadable(
            reason=Reason.NOT_UTF8, message="expected a query in UTF-8; found other bytes"
        ) from error
    return _encode(told)


def unpack(text: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body into events.

    Raises:
        Unreadable: It is no such JSON.
        TooLarge: Too many events, or one alone that is too long.
    """
    items, listed, _ = _cut(text, limits)
    for item in items:
        try:
            sender = _decode_sender(item)
        except FAULTS:
            continue
        app = None if delivery.key else key_in(sender.aid)
        return Envelope(items, batch=listed, key=app, sent_at=_sent_at(sender.stm), shared=app)
    return Envelope(items, batch=listed)


def _sent_at(value: object) -> datetime | None:
    try:
        return None if value is None else _moment(value, "$.stm")
    except ItemRefused:
        return None


def device_of(items: Sequence[bytes]) -> str | None:
    """The one device that wrote all events; None when there are several, or none is named."""
    return device_in(items, lambda item: _decode_sender(item).duid)


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one event a touchpoint.

    Raises:
        ItemRefused: It cannot be one.
    """
    limits = context.limits
    written = read(item, _decode, limits.bounds, EXACT, _explain)
    if context.shared is not None and written.get("aid") != context.shared:
        raise ItemRefused(
            reason=Reason.KEY_MISMATCH,
            where="$.aid",
            expected="one app id in all events of a request",
            found="another",
        )
    event = written.get("e")
    if not isinstance(event, str) or event not in NAMES:
        raise ItemRefused(
            reason=Reason.CALL_UNKNOWN,
            where="$.e",
            expected="one of pv, pp, se, ue, tr, ti",
            found=kind_of(event, quote=True),
        )
    schema, data = described(written, limits) if event == "ue" else (None, {})
    contexts = contexts_of(written, limits)
    given = data if isinstance(data, dict) else {"data": data}
    name = _name(event, written, schema, limits)
    session = first_of(contexts, "client_session")
    hint = _text(written, "sid", limits) or text_of(
        _scalar(session.get("sessionId")), "$.cx.client_session.sessionId", limits
    )
    touchpoint_id = _text(written, "eid", limits)
    properties = _properties(written, schema, given, contexts)
    check_object(properties, limits.bounds, "$", depth=1)
    location = _location(written, name, given, contexts)
    claimed = _claimed(written)
    people = _people(written, session)
    if touchpoint_id is None:
        if claimed is None:
            touchpoint_id = context.new_id()
        else:
            content = (name, location, claimed, people, hint, properties)
            touchpoint_id = id_of(context.source, content)
    if not any(value for _, value in people):  # Anonymous tracking: a session at most.
        people = [("anonymous_id", f"session-{hint}" if hint else f"event-{touchpoint_id}")]
    return Touchpoint(
        id=touchpoint_id,
        source=context.source,
        channel=context.channel or PLATFORMS.get(str(written.get("p")), "web"),
        name=name,
        occurred_at=_occurred_at(written, claimed, context),
        received_at=context.received_at,
        location=location,
        identifiers=identifiers_of(people, context, _PLACES),
        session_hint=hint,
        signals=signals_of(name, given, _signals(name, given, written), limits),
        intent=intent_of(given.get("intent"), limits),
        rating=rating_of(given.get("rating")),
        properties=raw_of(properties),
        sequence=_sequence(hint, session),
    )


def _sequence(hint: str | None, session: Mapping[str, Any]) -> int | None:
    """The event's index within its session, where that is the session it is filed under."""
    return sequence_of(session.get("eventIndex")) if session.get("sessionId") == hint else None


def pixel(receipt: Receipt) -> Answer:
    """An image, for whoever asks by `<img>`; the trackers look at the status alone."""
    return Answer(PIXEL, "image/gif", {"Cache-Control": "no-cache, no-store"})


def _name(event: str, written: Mapping[str, Any], schema: str | None, limits: Limits) -> str:
    if schema is not None:
        name = text_of(schema_name(schema)[:NAME_LENGTH_MAX], "$.ue_px.data.schema", limits)
    elif event == "se":
        name = _text(written, "se_ac", limits)
    else:
        return NAMES[event]
    if name is None:
        raise lacks(where="$.se_ac", expected="the name of what happened")
    return name


def _people(
    written: Mapping[str, Any], session: Mapping[str, Any]
) -> list[tuple[str, str | int | None]]:
    """Type and value of each identifier; those of anonymous tracking are nobody's."""
    duid = _known(written.get("duid"))
    device = _known(session.get("userId"))
    return [
        ("anonymous_id", duid),
        ("network_user_id", _known(written.get("nuid")) or _known(written.get("tnuid"))),
        ("device_id", device if device != duid else None),
        ("user_id", _known(written.get("uid"))),
    ]


def _known(value: object) -> str | int | None:
    if value.__class__ is str:
        return None if value in ("", NOBODY) else value
    return _scalar(value)


def _claimed(written: Mapping[str, Any]) -> datetime | None:
    """When it happened: the true time, where the caller gave one, else the device's."""
    for key in ("ttm", "dtm"):
        if (value := written.get(key)) not in (None, ""):
            return _moment(value, f"$.{key}")
    return None


def _moment(value: object, where: str) -> datetime:
    """Epoch milliseconds, written in digits."""
    try:
        return time_of(float(value), where)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise ItemRefused(
            reason=Reason.TIME_INVALID,
            where=where,
            expected="a time in epoch milliseconds",
            found=kind_of(value),
        ) from error


def _occurred_at(
    written: Mapping[str, Any], claimed: datetime | None, context: Context
) -> datetime:
    if claimed is None:
        # In the order of the body: one microsecond apart, since nothing else tells it.
        at = context.received_at + timedelta(microseconds=context.untimed)
        context.untimed += 1
        return at
    if written.get("ttm") and context.shift is not None:
        claimed -= context.shift  # A true time is no clock's, so it is not corrected.
    return settled(claimed, context)


def _location(
    written: Mapping[str, Any],
    name: str,
    given: Mapping[str, Any],
    contexts: Mapping[str, Any],
) -> str | None:
    screen = (
        given.get("name") if name == "screen_view" else first_of(contexts, "screen").get("name")
    )
    for place in (screen, path_of(written.get("url"))):
        if isinstance(place, str) and place:
            return place[:LOCATION_LENGTH_MAX]
    return None


def _signals(name: str, given: Mapping[str, Any], written: Mapping[str, Any]) -> tuple[str, ...]:
    """What the plug-ins for errors and vitals say."""
    if name == "application_error":
        if given.get("isFatal") is True:
            return ("crash",)
        return () if written.get("p") == "srv" else ("js_error",)
    if name == "web_vitals" and (
        _above(given.get("lcp"), LCP_MS) or _above(given.get("inp"), INP_MS)
    ):
        return ("slow",)
    return ()


def _above(value: object, limit: float) -> bool:
    return isinstance(value, int | float) and value > limit


def _properties(
    written: Mapping[str, Any],
    schema: str | None,
    given: Mapping[str, Any],
    contexts: Mapping[str, Any],
) -> dict[str, Any]:
    """The event's own data at the top, all that the protocol says beside it, contexts by name."""
    rest: dict[str, Any] = dict(written)
    for key in _MAPPED:
        rest.pop(key, None)
    told = rest.values()
    if None in told or "" in told:
        rest = {key: value for key, value in rest.items() if value is not None and value != ""}
    rest["type"] = written.get("e")
    if schema is not None:
        rest["schema"] = schema
    if contexts:
        rest["contexts"] = contexts
    url = written.get("url")
    if isinstance(url, str) and "utm_" in url and (campaign := _campaign(url)):
        rest["campaign"] = campaign
    return {**rest, **given} if given else rest


def _campaign(url: str) -> dict[str, str]:
    try:
        return campaign_of(dict(parse_qsl(urlsplit(url).query)))
    except ValueError:
        return {}


def _text(written: Mapping[str, Any], key: str, limits: Limits) -> str | None:
    return text_of(_scalar(written.get(key)), f"$.{key}", limits)


def _scalar(value: object) -> str | int | None:
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def _explain(value: dict[str, Any]) -> ItemRefused | None:
    for key, member in value.items():
        if isinstance(member, dict | list):
            return ItemRefused(
                reason=Reason.FIELD_INVALID,
                where=f"$.{key if key.isidentifier() and len(key) <= 40 else '…'}",
                expected="a string",
                found=kind_of(member),
            )
    return None
