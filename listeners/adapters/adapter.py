"""What every adapter is, and the steps that all dialects share.

An adapter is two functions: `unpack(text, delivery, limits)` cuts a body into items, and
`adapt(item, context)` makes one item a `Touchpoint`. It translates and never interprets: no
session, no customer, no mission. What is shared - identifiers, times, ids, signals - stands here,
so that it is the same whatever a touchpoint was written in.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec

from listeners.adapters.bounds import Bounds, out_of_range
from listeners.errors import ItemRefused, Reason
from listeners.exchange import Answer, Delivery
from listeners.settings import ListenerSettings, SourceSettings
from schemas.inbound import INTEGER_MAX, Fault, kind_of
from schemas.records import Channel, Rating, Touchpoint

RATINGS: Final[Mapping[str, tuple[float, float]]] = {"ces": (1, 7), "nps": (0, 10), "csat": (1, 5)}
"""The range of each scale."""

CAMPAIGN_LENGTH_MAX: Final = 256
"""Characters of each part of a campaign; the address it stands in is kept whole."""

_UTM: Final = {
    "utm_campaign": "name",
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_term": "term",
    "utm_content": "content",
}
_SLUG: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TIME_MAX: Final = datetime(9000, 1, 1, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EMPTY: Final = msgspec.Raw(b"{}")
_encode: Final = msgspec.json.Encoder().encode
_encode_sorted: Final = msgspec.json.Encoder(order="sorted").encode

_TIMES: Final = frozenset(
    {"occurred_at", "received_at", "timestamp", "originalTimestamp", "original_timestamp"}
)
_LIFECYCLE: Final = {
    "Application Crashed": "crash",
    "Application Backgrounded": "background",
    "Application Foregrounded": "foreground",
}
"""What the lifecycle calls of mobile SDKs say."""


class Envelope(NamedTuple):
    """A body, cut up.

    Attributes:
        items: JSON bytes of each item.
        batch: Whether it was written as a batch, were it of one.
        key: The write key it carries, if any.
        sent_at: When it left, by the emitter's clock.
        shared: What it says of all its items, for the adapter that unpacked it.
        answer: What its sender wants to read, whatever becomes of the items.
    """

    items: Sequence[bytes]
    batch: bool
    key: str | None = None
    sent_at: datetime | None = None
    shared: str | None = None
    answer: Answer | None = None


class Limits(NamedTuple):
    """The limits that adapters keep; see `ListenerSettings`."""

    bounds: Bounds
    batch_items_max: int
    id_length_max: int
    identifiers_max: int
    signals_max: int
    future_max: timedelta
    redirects: tuple[str, ...]

    @classmethod
    def of(cls, settings: ListenerSettings) -> "Limits":
        """The part of the settings that concerns adapters."""
        names = cls._fields[1:]
        return cls(Bounds.of(settings), *(getattr(settings, name) for name in names))


class Context:
    """What an adapter knows of an item beside its bytes.

    Attributes:
        source: Whose key it came with.
        channel: The channel of all that the source sends, if its settings name one.
        received_at: When the listener had it.
        hash_key: Keys the hash of personal identifiers.
        new_id: Draws an id where nothing else identifies the item.
        limits: See `Limits`.
        call: What the path says of the item's type, where the dialect has one.
        shift: What to add to the emitter's times, its clock being wrong.
        shared: See `Envelope`.
        asked: What the source's settings say of it; None in a replay.
        keeps_hashes: Whether a personal value that is a hash already stays as it is: what a
            listener wrote once may be replayed, and no HTTP client may choose a hash.
        clamped: How many times of the future were replaced by the arrival.
        untimed: How many items had no time of their own.
        nobody: How many identifiers named nobody, by what they were; see `schemas.identifiers`.
        remembered: How identifiers were read before, where one context reads many items.
    """

    __slots__ = (
        "asked", "call", "channel", "clamped", "hash_key", "keeps_hashes", "limits",
        "new_id", "nobody", "received_at", "remembered", "shared", "shift", "source", "untimed",
    )  # fmt: skip

    def __init__(
        self,
        *,
        source: str,
        received_at: datetime,
        hash_key: bytes,
        new_id: Callable[[], str],
        limits: Limits,
        channel: Channel | None = None,
        call: str | None = None,
        shift: timedelta | None = None,
        shared: str | None = None,
        asked: SourceSettings | None = None,
        keeps_hashes: bool = False,
    ) -> None:
        self.source = source
        self.received_at = received_at
        self.hash_key = hash_key
        self.new_id = new_id
        self.limits = limits
        self.channel = channel
        self.call = call
        self.shift = shift
        self.shared = shared
        self.asked = asked
        self.keeps_hashes = keeps_hashes
        self.clamped = 0
        self.untimed = 0
        self.nobody: dict[str, int] = {}
        self.remembered: dict[tuple[tuple[str, str | int | None], ...], dict[str, str]] = {}


class Adapter(Protocol):
    """One dialect."""

    def unpack(self, text: bytes, delivery: Delivery, limits: Limits) -> Envelope:
        """Cut a body into items.

        Raises:
            Refused: It cannot be read, or has too many.
        """
        ...

    def adapt(self, item: bytes, context: Context) -> Touchpoint:
        """Make one item a touchpoint.

        Raises:
            ItemRefused: It cannot be one; says why and where.
        """
        ...

    def device_of(self, items: Sequence[bytes]) -> str | None:
        """The one device, and so the one clock, that wrote all items; None if there are more."""
        ...


def text_of(value: str | int | None, where: str, limits: Limits) -> str | None:
    """An id or a name as text; None when there is none.

    Raises:
        ItemRefused: Too long, with control characters, or an integer beyond 2^53.
    """
    if isinstance(value, str):
        if value.isprintable() and len(value) <= limits.id_length_max:
            return value or None
        _check_text(value, where, limits)
        return value
    if value is None:
        return None
    if abs(value) > INTEGER_MAX:
        raise out_of_range(where=where, expected="a string, or an integer within 2^53")
    return str(value)


def _check_text(value: str, where: str, limits: Limits) -> None:
    """Refuse control characters and excess; other characters without a glyph are text."""
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value):
        raise ItemRefused(
            reason=Reason.CONTROL_CHARACTER,
            where=where,
            expected="text without control characters",
            found="a control character",
        )
    if len(value) > limits.id_length_max:
        raise ItemRefused(
            reason=Reason.STRING_TOO_LONG,
            where=where,
            expected=f"at most {limits.id_length_max} characters",
            found=kind_of(value),
        )


def time_of(value: datetime | float, where: str) -> datetime:
    """A time as an aware one in UTC; numbers are epoch milliseconds, without a zone it is UTC.

    Raises:
        ItemRefused: No such time, or one that no clock that is set shows.
    """
    try:
        if not isinstance(value, datetime):
            at = _EPOCH + timedelta(milliseconds=value)
        elif value.tzinfo is UTC:
            at = value
        elif value.tzinfo is None:
            at = value.replace(tzinfo=UTC)
        else:
            at = value.astimezone(UTC)
    except (OverflowError, ValueError):
        at = _TIME_MAX
    if _EPOCH <= at < _TIME_MAX:
        return at
    raise ItemRefused(
        reason=Reason.TIME_INVALID,
        where=where,
        expected="a time of the years 1970 to 8999",
        found="one beyond",
    )


def settled(occurred_at: datetime, context: Context) -> datetime:
    """An emitter's time, corrected where its clock is wrong and never far in the future."""
    if context.shift is not None:
        try:
            occurred_at += context.shift
        except OverflowError:
            return context.received_at
    if occurred_at - context.received_at > context.limits.future_max:
        context.clamped += 1
        return context.received_at
    return occurred_at


def id_of(source: str, content: Sequence[Any]) -> str:
    """An id from the content, for an item that has none: a retry of it is the same touchpoint."""
    return sha256(_encode_sorted((source, *content))).hexdigest()[:32]


def signals_of(
    name: str, properties: Mapping[str, Any], given: Sequence[str], limits: Limits
) -> tuple[str, ...]:
    """The channel-neutral facts: those given, then those that the properties show.

    Raises:
        ItemRefused: A given one is not a signal's name, or there are too many.
    """
    found = list(given) if given else []
    if len(found) > limits.signals_max:
        raise ItemRefused(
            reason=Reason.TOO_MANY_VALUES,
            where="$.signals",
            expected=f"at most {limits.signals_max} signals",
            found=f"{len(found)}",
        )
    for index, signal in enumerate(found):
        if not _is_slug(signal):
            raise ItemRefused(
                reason=Reason.FIELD_INVALID,
                where=f"$.signals[{index}]",
                expected="a signal such as http_5xx: lower case, digits and _",
                found=kind_of(signal),
            )
    if properties:
        status = properties.get("status")
        if status.__class__ is not int and (status is not None or "status_code" in properties):
            status = _status(status, properties.get("status_code"))
        if status is not None and 400 <= status < 600:
            found.append("http_4xx" if status < 500 else "http_5xx")
        if properties.get("timeout") is True:
            found.append("timeout")
    if name in _LIFECYCLE:
        found.append(_LIFECYCLE[name])
    return tuple(dict.fromkeys(found)) if len(found) > 1 else tuple(found)


@lru_cache(maxsize=1024)
def _is_slug(signal: str) -> bool:
    return _SLUG.fullmatch(signal) is not None


def _status(*values: object) -> int | None:
    """The first that is an HTTP status, written as a number or in digits."""
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
            return int(value)
    return None


def refusal(fault: Fault) -> ItemRefused:
    """A fault that a model found, as the refusal of the item."""
    if fault.missing:
        reason = Reason.FIELD_MISSING
    elif fault.field in _TIMES:
        reason = Reason.TIME_INVALID
    else:
        reason = Reason.FIELD_INVALID
    return ItemRefused(reason=reason, where=fault.where, expected=fault.expected, found=fault.found)


def lacks(*, where: str, expected: str) -> ItemRefused:
    """The refusal of an item that lacks a field."""
    return ItemRefused(reason=Reason.FIELD_MISSING, where=where, expected=expected, found="nothing")


def check_rating(rating: Rating, where: str) -> Rating:
    """A rating within its scale.

    Raises:
        ItemRefused: It lies outside.
    """
    least, most = RATINGS[rating.scale]
    if not least <= rating.value <= most:
        raise ItemRefused(
            reason=Reason.FIELD_INVALID,
            where=f"{where}.value",
            expected=f"{least:g} to {most:g} on the scale {rating.scale}",
            found="a number outside",
        )
    return rating


def path_of(url: object) -> str | None:
    """The path of an address; a query may hold anything, so it stays behind."""
    if not isinstance(url, str):
        return None
    return _path(url)


@lru_cache(maxsize=4096)
def _path(url: str) -> str | None:
    try:
        return urlsplit(url).path or None
    except ValueError:
        return None


def campaign_of(told: Mapping[str, Any]) -> dict[str, str]:
    """The campaign that `utm_` names tell, by the names that Segment gave them."""
    return {
        name: value[:CAMPAIGN_LENGTH_MAX]
        for utm, name in _UTM.items()
        if isinstance(value := told.get(utm), str) and value
    }


def intent_of(value: object, limits: Limits) -> str | None:
    """An intent, where the property of that name can be one; otherwise it is a property only."""
    if isinstance(value, str) and value.isprintable() and 0 < len(value) <= limits.id_length_max:
        return value
    return None


def rating_of(value: object) -> Rating | None:
    """A rating, where the property of that name is one; otherwise it is a property only."""
    if not isinstance(value, dict):
        return None
    try:
        return check_rating(msgspec.convert(value, Rating), "$.properties.rating")
    except (msgspec.ValidationError, ItemRefused):
        return None


def sequence_of(value: object) -> int | None:
    """A number that orders a session, also written in digits; None for everything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= INTEGER_MAX:
        return value
    return None


def raw_of(properties: Mapping[str, Any]) -> msgspec.Raw:
    """Properties as a record keeps them: the bytes of one compact JSON object."""
    return msgspec.Raw(_encode(properties)) if properties else _EMPTY
