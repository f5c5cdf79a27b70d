"""What the dialects of vendors share: a body cut up, an item read, what it says made a touchpoint.

A vendor's item is read as a loose object, since vendors add fields at any time; what is used of it
is checked where it is used, and all the rest stays in `properties`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from listeners.adapters.adapter import (
    Context,
    Envelope,
    Limits,
    check_rating,
    id_of,
    lacks,
    raw_of,
    settled,
    signals_of,
    text_of,
    time_of,
)
from listeners.adapters.bounds import object_of
from listeners.adapters.brackets import FAULTS
from listeners.adapters.identifiers import identifiers_of
from listeners.errors import ItemRefused, Reason, TooLarge, Unreadable
from schemas.inbound import LOCATION_LENGTH_MAX, NAME_LENGTH_MAX
from schemas.records import Channel, Rating, Scale, Touchpoint

CONFIDENCE_MIN: Final = 0.3
"""A recogniser less sure is at `low_confidence`. Source: the floor of Rasa and of Dialogflow."""

AMBIGUITY_MIN: Final = 0.1
"""So is one whose two best differ by less. Source: Rasa's fallback classifier."""

_PLACES: Final = {"": "$"}

People = Sequence[tuple[str, str | int | None]]

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class Said(NamedTuple):
    """What an item says, before it is checked.

    Attributes:
        name: What happened.
        channel: The road, unless the source's settings name another one.
        people: Type and value of each identifier; none where the session is all that is known.
        properties: The rest.
        at: When; None for the arrival.
        id: The vendor's; None for one derived from `content`, else drawn.
        content: What makes the item this one, where it has a time of its own or names itself so.
        session: Conversation or call.
        rating: Scale and value.
        sequence: The vendor's number of it within the session.
    """

    name: str
    channel: Channel
    people: People
    properties: Mapping[str, Any]
    at: datetime | float | None = None
    id: str | None = None
    content: Sequence[Any] | None = None
    location: str | None = None
    session: str | None = None
    signals: Iterable[str] = ()
    intent: str | None = None
    rating: tuple[Scale, float] | None = None
    sequence: int | None = None


def touchpoint_of(said: Said, context: Context) -> Touchpoint:
    """Make what an item says a touchpoint.

    Args:
        said: Names and values as the vendor has them.
        context: Whose they are.

    Raises:
        ItemRefused: It names neither a person nor a session, or something is beyond the limits.
    """
    limits = context.limits
    name = text_of(said.name[:NAME_LENGTH_MAX], "$.name", limits)
    if name is None:
        raise lacks(where="$", expected="something that happened")
    session = text_of(said.session, "$: the session", limits)
    identifiers: dict[str, str] = {}
    if said.people:
        try:
            identifiers = identifiers_of(said.people, context, _PLACES)
        except ItemRefused as refused:
            if refused.reason != Reason.NO_IDENTIFIER or session is None:
                raise
    elif session is None:
        identifiers_of((), context, _PLACES)  # Refuses.
    signals = signals_of(name, {}, tuple(dict.fromkeys(said.signals)), limits)
    touchpoint_id = text_of(said.id, "$: the id", limits)
    claimed = None if said.at is None else time_of(said.at, "$: the time")
    if touchpoint_id is None:
        touchpoint_id = (
            context.new_id() if said.content is None else id_of(context.source, said.content)
        )
    rating = None
    if said.rating is not None:
        rating = check_rating(Rating(*said.rating), "$: the rating")
    return Touchpoint(
        id=touchpoint_id,
        source=context.source,
        channel=context.channel or said.channel,
        name=name,
        occurred_at=context.received_at if claimed is None else settled(claimed, context),
        received_at=context.received_at,
        location=said.location[:LOCATION_LENGTH_MAX] if said.location else None,
        identifiers=identifiers,
        session_hint=session,
        signals=signals,
        intent=text_of(said.intent, "$: the intent", limits),
        rating=rating,
        properties=raw_of(said.properties),
        sequence=said.sequence,
    )


def object_in(item: bytes, context: Context) -> dict[str, Any]:
    """One item's object, within all limits.

    Raises:
        ItemRefused: It is none, or beyond them.
    """
    return object_of(item, context.limits.bounds)


def listed(items: Iterable[Any], limits: Limits, **envelope: Any) -> Envelope:
    """Items of one body, as they are encoded for the adapter and for a dead letter.

    Raises:
        TooLarge: Too many.
    """
    encoded = [one if isinstance(one, bytes) else _encode(one) for one in items]
    if len(encoded) > limits.batch_items_max:
        raise TooLarge(
            reason=Reason.BATCH_TOO_LARGE,
            message=f"expected at most {limits.batch_items_max} items; found {len(encoded)}",
        )
    return Envelope(encoded, batch=envelope.pop("batch", True), **envelope)


def value_in(text: bytes) -> Any:
    """A body that is one JSON value.

    Raises:
        Unreadable: It is not.
    """
    try:
        return _decode(text)
    except FAULTS as error:
        raise Unreadable(
            reason=Reason.NOT_JSON, message="expected JSON; found something else"
        ) from error


def form_in(text: bytes, limits: Limits) -> dict[str, Any]:
    """A form's fields: text, or a list where a name is repeated.

    Raises:
        Unreadable: It is not UTF-8, or has too many fields.
    """
    try:
        pairs = parse_qsl(
            text.decode(), keep_blank_values=True, max_num_fields=limits.bounds.keys_max
        )
    except ValueError as error:
        raise Unreadable(
            reason=Reason.FIELD_INVALID,
            message=f"expected a form in UTF-8 of at most {limits.bounds.keys_max} fields",
        ) from error
    return folded(pairs)


def folded(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Names and values as an object: text, or a list where a name is repeated."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


def device_of(items: Sequence[bytes]) -> str | None:
    """Servers write what vendors send: its clock is known by its address."""
    return None


def text(value: object) -> str | None:
    """Text or a whole number as text; None for everything else and for nothing."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def number(value: object) -> float | None:
    """A number, also written in digits; None for everything else."""
    if value is None or isinstance(value, bool):
        return None
    try:
        found = float(value)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        return None
    return found if found == found and abs(found) != float("inf") else None


def seconds(value: object) -> float | int | None:
    """A duration in seconds, a whole one without a fraction."""
    if type(value) is int:
        return value
    found = number(value)
    return int(found) if found is not None and found.is_integer() else found


def mapping(value: object) -> Mapping[str, Any]:
    """An object; an empty one for everything else."""
    return value if isinstance(value, dict) else {}


def moment(value: object) -> datetime | None:
    """An RFC 3339 time, UTC where no zone is said; None for what is none, and for placeholders.

    Amazon writes 1970 where it has no time.
    """
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return at if at.year > 1970 else None


def unsure(scores: Sequence[float]) -> bool:
    """Whether a recogniser was not sure.

    Args:
        scores: Of what it may have heard, the best first.
    """
    if not scores:
        return False
    return scores[0] < CONFIDENCE_MIN or (len(scores) > 1 and scores[0] - scores[1] < AMBIGUITY_MIN)


def without_text(
    written: Mapping[str, Any], names: Iterable[str], context: Context
) -> dict[str, Any]:
    """The fields without what the customer typed or said, unless the source keeps it.

    Of each such text its length is kept, as `<name>_length`.
    """
    if context.asked is not None and context.asked.keeps_text:
        return dict(written)
    found = dict(written)
    for name in names:
        if name in found:
            value = found.pop(name)
            if isinstance(value, str) and value:
                found[f"{name}_length"] = len(value)
    return found


def customer_id(value: object, context: Context) -> People:
    """A chat's id of its customer: the company's own user id where the source says so."""
    kind = "user_id" if context.asked is not None and context.asked.user_ids else "anonymous_id"
    return [(kind, text(value))]


def caller(value: object, context: Context, *, attested: bool = False) -> People:
    """A caller's number: who it is only where the network or the source's settings vouch for it."""
    trusted = attested or (context.asked is not None and context.asked.trusts_caller_ids)
    return [("phone" if trusted else "caller_number", text(value))]


def is_handoff(name: str | None, context: Context) -> bool:
    """Whether the source's settings call this a hand-off to a person."""
    return name is not None and context.asked is not None and name in context.asked.handoffs
