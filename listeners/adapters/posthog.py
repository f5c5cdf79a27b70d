"""PostHog's dialect: events of its SDKs, one or a batch, in every encoding they use.

How each field is mapped stands in `docs/emitters.md`.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, unquote_plus

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
    settled,
    signals_of,
    text_of,
    time_of,
)
from listeners.adapters.bounds import object_of
from listeners.adapters.brackets import FAULTS
from listeners.adapters.envelopes import cutter, device_in, key_in, moment_in
from listeners.adapters.identifiers import identifiers_of
from listeners.adapters.posthog_people import IDENTITY_EVENTS, PLACES, TRAITS, impersonal, people_of
from listeners.errors import ItemRefused, Reason, Unreadable
from listeners.exchange import Answer, Delivery, Receipt
from schemas.inbound import LOCATION_LENGTH_MAX, kind_of
from schemas.records import Channel, Touchpoint

NAMES: Final[Mapping[str, str]] = {
    "$pageview": "page_view",
    "$pageleave": "page_leave",
    "$screen": "screen_view",
}
"""Names of ours for names of theirs; others lose their `$`."""

APPS: Final = frozenset(
    {"posthog-android", "posthog-ios", "posthog-react-native", "posthog-flutter"}
)
"""Libraries (`$lib`) that run on phones."""

SIGNALS: Final[Mapping[str, str]] = {"$rageclick": "rage_click", "$dead_click": "dead_click"}

LCP_MS: Final = 4_000
INP_MS: Final = 500
"""Above these a page is `slow`. Source: web.dev's bounds of "poor"."""

EXACT: Final = frozenset({"event", "uuid", "distinct_id", "timestamp", "session_id"})
"""Fields whose text is kept as it is, and refused when it has control characters."""

_MAPPED: Final = frozenset(
    {"event", "uuid", "distinct_id", "timestamp", "properties", "session_id", "token", "api_key"}
)
_DROPPED: Final = ("token", "$ip")
_DEBUG: Final = "$sdk_debug_"
_FORM: Final = b"data="
_LZ: Final = "compression=lz"
_RESULTS: Final = {"accepted": "ok", "rejected": "drop"}


class _Body(msgspec.Struct):
    """A body's outside, and what a lone event has there."""

    batch: list[msgspec.Raw] | None = None
    api_key: Any = None
    token: Any = None
    sent_at: Any = None
    properties: Any = None


class _Whose(msgspec.Struct):
    token: Any = None


class _Sender(msgspec.Struct):
    """Whose event it is, and which device wrote it."""

    api_key: Any = None
    properties: _Whose | None = None
    distinct_id: Any = None


_cut: Final = cutter(_Body, "batch")
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_decode_sender: Final = msgspec.json.Decoder(_Sender).decode
_encode: Final = msgspec.json.Encoder().encode


def opened(body: bytes, delivery: Delivery, bytes_max: int) -> bytes:
    """The JSON bytes of a body, be it gzip without a label, a form, or base64 in either.

    Raises:
        TooLarge: More than `bytes_max`, before or after any step.
        Unreadable: None of these.
    """
    if not body and delivery.query:
        told = parse_qs(delivery.query).get("data", [""])[0]
        body = told.encode(errors="surrogatepass")
    if partial(delivery):
        raise _unread_lz()
    text = bodies.delivered(body, delivery, bytes_max)
    if text[:5] == _FORM:
        told, _, rest = text[5:].decode("ascii", errors="replace").partition("&")
        if _LZ in rest:
            raise _unread_lz()
        text = unquote_plus(told).encode(errors="surrogatepass")
    if text[:1] in (b"{", b"["):
        return text
    try:  # A form that was not encoded has spaces for its plus signs.
        raw = text.replace(b" ", b"+").rstrip(b"=")
        text = base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable(
            reason=Reason.ENCODING_UNKNOWN,
            message="expected JSON, gzip, or a form with base64 in `data`; found something else",
        ) from error
    return bodies.opened(text, None, bytes_max)


def partial(delivery: Delivery) -> bool:
    """Whether the query says how the body is compressed."""
    return _LZ in delivery.query


def _unread_lz() -> Unreadable:
    """The refusal of what posthog-js sent before it could gzip, and only if it was asked to.

    It took lz-string out in 2023, when PostHog found nobody sending it; `questions` never asks.
    """
    return Unreadable(
        reason=Reason.ENCODING_UNKNOWN,
        message="expected gzip, base64 or plain JSON, as posthog-js sends them; found lz64",
    )


def unpack(text: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body into events.

    Raises:
        Unreadable: It is no such JSON.
        TooLarge: Too many events, or one alone that is too long.
    """
    items, listed, rest = _cut(text, limits)
    key = key_in(rest.get("api_key"), rest.get("token"))
    if key is None and not delivery.key:
        key = next(filter(None, map(_key_of, items)), None)
    headers = delivery.headers
    return Envelope(
        items,
        batch=listed,
        key=key,
        sent_at=moment_in(headers.get("PostHog-Request-Timestamp") or rest.get("sent_at")),
        shared=shared(delivery),
    )


def shared(delivery: Delivery) -> str | None:
    """The library that wrote the events, for those that do not say."""
    headers = delivery.headers
    for name in ("PostHog-Sdk-Info", "User-Agent"):
        library = headers.get(name, "").partition("/")[0]
        if library.startswith("posthog-") and library.isascii():
            return library
    return None


def _key_of(item: bytes) -> str | None:
    try:
        sender = _decode_sender(item)
    except FAULTS:
        return None
    return key_in(sender.api_key, sender.properties.token if sender.properties else None)


def device_of(items: Sequence[bytes]) -> str | None:
    """The one visitor that wrote all events; None when there are several, or none is named."""
    return device_in(items, lambda item: _decode_sender(item).distinct_id)


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one event a touchpoint.

    Raises:
        ItemRefused: It cannot be one.
    """
    limits = context.limits
    written = object_of(item, limits.bounds, EXACT)
    given = _object(written, "properties")
    event = text_of(_scalar(written, "event"), "$.event", limits)
    if event is None:
        raise lacks(where="$.event", expected="the name of what happened")
    name = NAMES.get(event) or event.removeprefix("$") or event
    lib = _plain(given.get("$lib")) or context.shared
    people = people_of(event, written, given, lib, context)
    identifiers = identifiers_of(people, context, PLACES)
    properties = _properties(event, written, given, lib)
    channel: Channel = context.channel or (
        "app" if lib in APPS or event == "$screen" or given.get("$screen_name") else "web"
    )
    location = _location(event, given)
    hint = _plain(given.get("$session_id")) or _plain(written.get("session_id"))
    session_hint = text_of(hint, "$.properties.$session_id", limits)
    signals = signals_of(name, given, _signals(event, given, lib), limits)
    touchpoint_id = text_of(
        _scalar(written, "uuid") or _plain(given.get("$insert_id")), "$.uuid", limits
    )
    claimed = _claimed(written, given, context)
    if touchpoint_id is None:
        content = (channel, name, location, claimed, identifiers, session_hint, properties)
        touchpoint_id = context.new_id() if claimed is None else id_of(context.source, content)
    return Touchpoint(
        id=touchpoint_id,
        source=context.source,
        channel=channel,
        name=name,
        occurred_at=context.received_at if claimed is None else settled(claimed, context),
        received_at=context.received_at,
        location=location,
        identifiers=identifiers,
        session_hint=session_hint,
        signals=signals,
        intent=intent_of(given.get("intent"), limits),
        rating=rating_of(given.get("rating")),
        properties=raw_of(properties),
    )


def results(receipt: Receipt) -> Answer:
    """The answer of `/i/v1/analytics/events`: what became of each event, by its uuid.

    `drop` for what was refused: only `retry` is sent again, and that would not help it.
    """
    told: dict[str, dict[str, str]] = {}
    for one in map(_decode, receipt.items):
        if isinstance(one.get("id"), str):
            told[one["id"]] = {"result": _RESULTS[one["status"]]}
            if "expected" in one:
                told[one["id"]]["details"] = f"{one['code']}: {one['where']}: {one['expected']}"
    head = receipt.body()[:-1]
    return Answer(head + b',"results":' + _encode(told) + b"}")


def _claimed(
    written: Mapping[str, Any], given: Mapping[str, Any], context: Context
) -> datetime | None:
    """When it happened, by the emitter; None where it does not say."""
    value = written.get("timestamp")
    if isinstance(value, str) and value:
        try:
            return time_of(datetime.fromisoformat(value), "$.timestamp")
        except ValueError as error:
            raise _time_invalid(value) from error
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return time_of(value, "$.timestamp")
    if value not in (None, ""):
        raise _time_invalid(value)
    seconds, offset = given.get("$time"), written.get("offset")
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool):
        return time_of(seconds * 1000, "$.properties.$time")
    if isinstance(offset, (int, float)) and not isinstance(offset, bool) and 0 <= offset < 1e11:
        return context.received_at - timedelta(milliseconds=offset)
    return None


def _time_invalid(value: object) -> ItemRefused:
    return ItemRefused(
        reason=Reason.TIME_INVALID,
        where="$.timestamp",
        expected="a time: ISO 8601, or epoch milliseconds",
        found=kind_of(value),
    )


def _properties(
    event: str, written: Mapping[str, Any], given: Mapping[str, Any], lib: object
) -> dict[str, Any]:
    """The event's properties at the top, what stands beside them too, without what is personal."""
    rest: dict[str, Any] = {
        key: value for key, value in written.items() if key not in _MAPPED and value is not None
    }
    rest["type"] = event
    if lib is not None:
        rest["$lib"] = lib
    if campaign := campaign_of(given):
        rest["campaign"] = campaign
    kept = dict(given)
    for key in _DROPPED:
        kept.pop(key, None)
    if _DEBUG in " ".join(kept):
        kept = {key: value for key, value in kept.items() if not key.startswith(_DEBUG)}
    for traits in TRAITS:
        for told in (rest, kept):
            if isinstance(told.get(traits), dict):
                told[traits] = impersonal(told[traits])
    return {**rest, **kept}


def _location(event: str, given: Mapping[str, Any]) -> str | None:
    places: tuple[object, ...] = (given.get("$pathname"), path_of(given.get("$current_url")))
    screen = given.get("$screen_name")
    for place in (screen, *places) if event == "$screen" else (*places, screen):
        if isinstance(place, str) and place:
            return place[:LOCATION_LENGTH_MAX]
    return None


def _signals(event: str, given: Mapping[str, Any], lib: object) -> tuple[str, ...]:
    found = []
    if event in SIGNALS:
        found.append(SIGNALS[event])
    elif event == "$exception":
        if lib in APPS:
            found += ["crash"] if given.get("$exception_level") == "fatal" else []
        elif lib == "web":
            found.append("js_error")
    elif event == "$web_vitals" and (
        _above(given.get("$web_vitals_LCP_value"), LCP_MS)
        or _above(given.get("$web_vitals_INP_value"), INP_MS)
    ):
        found.append("slow")
    if event in IDENTITY_EVENTS:
        found.append("identity_only")
    return tuple(found)


def _above(value: object, limit: float) -> bool:
    return isinstance(value, (int, float)) and value > limit


def _object(written: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = written.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ItemRefused(
            reason=Reason.FIELD_INVALID,
            where=f"$.{key}",
            expected="an object",
            found=kind_of(value),
        )
    return value


def _scalar(written: Mapping[str, Any], key: str) -> str | int | None:
    value = written.get(key)
    if value is None or (isinstance(value, (str, int)) and not isinstance(value, bool)):
        return value
    raise ItemRefused(
        reason=Reason.FIELD_INVALID, where=f"$.{key}", expected="a string", found=kind_of(value)
    )


def _plain(value: object) -> str | int | None:
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else None
