"""Segment's dialect, which RudderStack speaks too: calls of the SDKs, one or a batch.

Written so that the SDKs work unchanged. How each field is mapped stands in `docs/listeners.md`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

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
    refusal,
    settled,
    signals_of,
    text_of,
    time_of,
)
from listeners.adapters.bounds import check_object, read
from listeners.adapters.envelopes import cutter, device_in, key_in, moment_in
from listeners.adapters.identifiers import identifiers_of
from listeners.errors import ItemRefused, Reason
from listeners.exchange import Delivery
from schemas.inbound import LOCATION_LENGTH_MAX, NAME_LENGTH_MAX, SegmentCall, fault_in
from schemas.records import CHANNELS, Channel, Touchpoint

PATHS: Final[dict[str, str | None]] = {
    "track": "track", "t": "track",
    "page": "page", "p": "page",
    "screen": "screen", "s": "screen",
    "identify": "identify", "i": "identify",
    "alias": "alias", "a": "alias",
    "group": "group", "g": "group",
    "merge": "merge",
    "batch": None, "b": None, "import": None,
}  # fmt: skip
"""What the SDKs append to `/v1/`, and the type of call it means."""

CALLS: Final = frozenset({"track", "page", "screen", "identify", "alias", "group", "merge"})
"""The types of call."""

IDENTITY_CALLS: Final = frozenset({"identify", "alias", "group", "merge"})
"""Those that only say who somebody is: they link, open no session and get no verdict."""

EXACT: Final = frozenset(
    {
        *("messageId", "anonymousId", "userId", "previousId", "groupId", "event", "name", "type"),
        *("timestamp", "originalTimestamp"),
    }
)
"""Fields whose text is kept as it is, and refused when it has control characters."""

_PLACES: Final = {
    "": "$",
    "user_id": "$.userId",
    "anonymous_id": "$.anonymousId",
    "previous_id": "$.previousId",
    "device_id": "$.context.device.id",
    "email": "$.traits.email",
    "phone": "$.traits.phone",
}
_PERSONAL_TRAITS: Final = ("email", "phone")
_UNNAMED: Final = {"page": "page_view", "screen": "screen_view"}

Time = datetime | int | float | None
Id = str | int | None
Name = Annotated[str, msgspec.Meta(max_length=NAME_LENGTH_MAX)]
Call = Literal["track", "page", "screen", "identify", "alias", "group", "merge"]


class Written(msgspec.Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    """The shape of `schemas.inbound.SegmentCall`, for the decoder.

    `unread` holds the fields that no call has by its makers' documents: they are kept, too.
    """

    type: Call | None = None
    message_id: Id = None
    anonymous_id: Id = None
    user_id: Id = None
    previous_id: Id = None
    group_id: Id = None
    event: Name | None = None
    name: Name | None = None
    category: str | None = None
    channel: str | None = None
    timestamp: Time = None
    original_timestamp: Time = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = msgspec.field(default=None, name="_metadata")
    sent_at: Any = None
    write_key: Any = None
    unread: dict[str, Any] | None = msgspec.field(default=None, name="(unread)")


class _Tolerant(Written, gc=False, rename="camel", forbid_unknown_fields=False):
    """The same with fields of any other name."""


class _Body(msgspec.Struct, rename="camel"):
    """A body's outside. What is not `batch` is looked at only to find the key and the time."""

    batch: list[msgspec.Raw] | None = None
    sent_at: Any = None
    write_key: Any = None


class _Sender(msgspec.Struct, rename="camel"):
    """Which device wrote a call."""

    anonymous_id: Any = None


_decode_strict: Final = msgspec.json.Decoder(Written).decode
_decode_tolerant: Final = msgspec.json.Decoder(_Tolerant).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, Any]).decode
_cut: Final = cutter(_Body, "batch")
_decode_sender: Final = msgspec.json.Decoder(_Sender).decode


def _decode(item: bytes) -> Written:
    """A call; fields that it should not have cost a second look, and are kept."""
    try:
        return _decode_strict(item)
    except msgspec.ValidationError:
        written = _decode_tolerant(item)
    known = written.__struct_encode_fields__
    told = _decode_object(item).items()
    written.unread = {key: value for key, value in told if key not in known}
    return written


def unpack(text: bytes, delivery: Delivery, limits: Limits) -> Envelope:
    """Cut a body into calls.

    Args:
        text: JSON bytes: one call, an object with a `batch`, or an array of calls.
        delivery: Its path says the type, but those of `/v1/batch` and `/v1/import`.
        limits: How many there may be, and how long one.

    Raises:
        Unreadable: It is not such JSON.
        TooLarge: Too many calls, or one that is not in a batch and too long.
    """
    items, listed, rest = _cut(text, limits)
    return Envelope(
        items,
        batch=listed or delivery.call is None,
        key=key_in(rest.get("writeKey")),
        sent_at=moment_in(rest.get("sentAt")),
    )


def device_of(items: Sequence[bytes]) -> str | None:
    """The one device that wrote all calls; None when there are several, or none is named."""
    return device_in(items, lambda item: _decode_sender(item).anonymous_id)


def adapt(item: bytes, context: Context) -> Touchpoint:
    """Make one call a touchpoint.

    Raises:
        ItemRefused: It cannot be one.
    """
    written = read(item, _decode, context.limits.bounds, EXACT, _explain)
    limits = context.limits
    call = written.type or context.call
    if call not in CALLS:
        raise ItemRefused(
            reason=Reason.CALL_UNKNOWN,
            where="$.type",
            expected="one of track, page, screen, identify, alias, group, merge",
            found="nothing",
        )
    about = written.context or {}
    given = written.properties or {}
    name = _name(call, written, limits)
    identifiers = identifiers_of(_people(call, written, about), context, _PLACES)
    properties = _properties(call, written, given, about)
    check_object(properties, limits.bounds, "$", depth=1)
    for value, where in ((written.group_id, "$.groupId"), (written.previous_id, "$.previousId")):
        text_of(value, where, limits)
    signals = signals_of(name, given, ("identity_only",) if call in IDENTITY_CALLS else (), limits)
    channel = _channel(call, written, about, context)
    location = _location(call, name, given, about)
    session_hint = _session_hint(about.get("sessionId"), limits)
    touchpoint_id = text_of(written.message_id, "$.messageId", limits)
    claimed, original = written.timestamp, written.original_timestamp
    if original is not None:
        original = time_of(original, "$.originalTimestamp")
        claimed = original if claimed is None else claimed
    if claimed is None:
        occurred_at = context.received_at
        if touchpoint_id is None:
            touchpoint_id = context.new_id()
    else:
        at = time_of(claimed, "$.timestamp")
        if touchpoint_id is None:
            content = (channel, name, location, at, identifiers, session_hint, signals, properties)
            touchpoint_id = id_of(context.source, content)
        occurred_at = settled(at, context)
    return Touchpoint(
        id=touchpoint_id,
        source=context.source,
        channel=channel,
        name=name,
        occurred_at=occurred_at,
        received_at=context.received_at,
        location=location,
        identifiers=identifiers,
        session_hint=session_hint,
        signals=signals,
        intent=intent_of(given.get("intent"), limits),
        rating=rating_of(given.get("rating")),
        properties=raw_of(properties),
    )


def _name(call: str, written: Written, limits: Limits) -> str:
    event = text_of(written.event, "$.event", limits)
    name = text_of(written.name, "$.name", limits)
    if call == "track":
        if event is None:
            raise lacks(where="$.event", expected="the name of what happened")
        return event
    return (name or _UNNAMED[call]) if call in _UNNAMED else call


def _people(
    call: str, written: Written, about: Mapping[str, Any]
) -> list[tuple[str, str | int | None]]:
    """Type and value of each identifier, strongest last."""
    found: list[tuple[str, str | int | None]] = [
        ("anonymous_id", written.anonymous_id),
        ("user_id", written.user_id),
    ]
    device = about.get("device")
    if isinstance(device, dict):
        found.append(("device_id", _scalar(device.get("id"))))
    for traits in (about.get("traits"), written.traits if call == "identify" else None):
        if isinstance(traits, dict):
            found += [
                (trait, _scalar(traits[trait])) for trait in _PERSONAL_TRAITS if traits.get(trait)
            ]
    # A call that names one person twice links nothing.
    if call in ("alias", "merge") and str(written.previous_id) != str(written.user_id):
        found.append(("previous_id", written.previous_id))
    return found


def _scalar(value: object) -> str | int | None:
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else None


def _properties(
    call: str, written: Written, given: Mapping[str, Any], about: Mapping[str, Any]
) -> dict[str, Any]:
    """The call's own properties at the top, the rest beside them; without what is personal."""
    about = {key: value for key, value in about.items() if key != "ip"}
    if isinstance(about.get("traits"), dict):
        about["traits"] = _impersonal(about["traits"])
    rest: dict[str, Any] = {
        "type": call,
        "category": written.category,
        "groupId": written.group_id,
        "campaign": about.get("campaign"),
        "context": about,
        "traits": _impersonal(written.traits or {}),
        "integrations": written.integrations,
        "_metadata": written.metadata,
    }
    kept = {key: value for key, value in rest.items() if value}
    return {**(written.unread or {}), **kept, **given}


def _impersonal(traits: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in traits.items() if key not in _PERSONAL_TRAITS}


def _channel(call: str, written: Written, about: Mapping[str, Any], context: Context) -> Channel:
    if context.channel is not None:
        return context.channel
    if written.channel == "mobile":
        return "app"
    for channel in CHANNELS:
        if written.channel == channel:
            return channel
    return "app" if call == "screen" or isinstance(about.get("device"), dict) else "web"


def _location(
    call: str, name: str, given: Mapping[str, Any], about: Mapping[str, Any]
) -> str | None:
    if call == "screen":
        return name
    page = about.get("page")
    page = page if isinstance(page, dict) else {}
    for path in (page.get("path"), path_of(page.get("url")), path_of(given.get("url"))):
        if isinstance(path, str) and path:
            return path[:LOCATION_LENGTH_MAX]
    return None


def _session_hint(value: object, limits: Limits) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return text_of(_scalar(value), "$.context.sessionId", limits)


def _explain(value: dict[str, Any]) -> ItemRefused | None:
    fault = fault_in(SegmentCall, value)
    return None if fault is None else refusal(fault)
