"""What emitters write: the native touchpoint, and the calls of Segment's SDKs.

These models explain a refusal in words and are what the OpenAPI document is built from. The
listeners decode ordinary items without them, into structs of the same shape; a test holds the two
against each other.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from schemas.identifiers import VALUE_LENGTH_MAX
from schemas.records import Channel, Scale

NAME_LENGTH_MAX: Final = 256
LOCATION_LENGTH_MAX: Final = 2_048
INTEGER_MAX: Final = 2**53
"""The greatest integer that every emitter and reader agrees on."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING: Final[Any] = object()
_PLAIN: Final = re.compile(r"[A-Za-z0-9_\-]{1,20}")
_NAMED: Final = frozenset({"channel", "scale", "type"})
_AWARE: Final = Annotated[datetime, msgspec.Meta(tz=True)]


def _visible(value: str) -> str:
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value):
        message = "control character"
        raise ValueError(message)
    return value


def _moment(aware: bool) -> Any:
    """A validator for a time: RFC 3339, or epoch milliseconds."""

    def check(value: object) -> object:
        try:
            if isinstance(value, str):
                form: Any = _AWARE if aware else datetime
                msgspec.convert(value, form).astimezone(UTC)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                _EPOCH + timedelta(milliseconds=value)
            elif value is not None:
                message = "not a time"
                raise ValueError(message)
        except (msgspec.ValidationError, OverflowError) as error:
            message = "not a time"
            raise ValueError(message) from error
        return value

    return BeforeValidator(check)


_TIME_SCHEMA: Final = WithJsonSchema(
    {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}, {"type": "null"}]}
)
Time = Annotated[Any, _moment(aware=True), _TIME_SCHEMA]
LooseTime = Annotated[Any, _moment(aware=False), _TIME_SCHEMA]
Integer = Annotated[int, Field(ge=-INTEGER_MAX, le=INTEGER_MAX)]
Text = Annotated[str, Field(max_length=VALUE_LENGTH_MAX), AfterValidator(_visible)]
Name = Annotated[str, Field(max_length=NAME_LENGTH_MAX), AfterValidator(_visible)]
IdentifierType = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.\-]{0,63}$")]
Id = Text | Integer | None


class InboundModel(BaseModel):
    """What someone outside writes: exact types, unknown fields ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=None)


class InboundRating(InboundModel):
    """A customer's own answer."""

    scale: Scale = Field(description="one of ces, nps, csat")
    value: float = Field(description="CES 1 to 7 (7 very easy), NPS 0 to 10, CSAT 1 to 5")


class NativeTouchpoint(InboundModel):
    """One touchpoint as an emitter writes it: `POST /v1/touchpoints`.

    Only `channel`, `name` and one identifier are required; `channel` not where the source's
    settings name it.
    """

    channel: Channel | None = Field(
        default=None, description="one of web, app, chatbot, ivr, agent, survey"
    )
    name: Annotated[Name, Field(min_length=1)] = Field(
        description=f"what happened: text of 1 to {NAME_LENGTH_MAX} characters"
    )
    identifiers: dict[IdentifierType, Id] = Field(
        default_factory=dict,
        description="an object of identifiers: a type such as anonymous_id or user_id, and a "
        "string or whole number",
    )
    id: Id = Field(
        default=None,
        description="the touchpoint's own id: a string of at most 256 characters or a whole "
        "number; sent again, it is the same touchpoint",
    )
    occurred_at: Time = Field(
        default=None,
        description="a time: RFC 3339 with a zone, or epoch milliseconds",
    )
    location: Annotated[str, Field(max_length=LOCATION_LENGTH_MAX)] | None = Field(
        default=None, description="page path, screen, intent or menu node: text"
    )
    session_hint: Id = Field(
        default=None, description="the emitter's session, conversation or call id"
    )
    signals: list[str] | None = Field(
        default=None, description="an array of signals such as rage_click or http_5xx"
    )
    intent: Text | None = Field(default=None, description="what the customer wants: text")
    rating: InboundRating | None = Field(
        default=None, description="a scale (ces, nps, csat) and a number"
    )
    properties: dict[str, Any] | None = Field(default=None, description="an object")
    sequence: Annotated[int, Field(ge=0, le=INTEGER_MAX)] | None = Field(
        default=None,
        description="a whole number of at least 0 that counts up within the session_hint: "
        "the order of what happened in it, whatever the clock says",
    )


class SegmentCall(InboundModel):
    """One call of a Segment or RudderStack SDK: `POST /v1/{track,page,screen,…}`."""

    model_config = ConfigDict(
        strict=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )

    type: Literal["track", "page", "screen", "identify", "alias", "group", "merge"] | None = Field(
        default=None,
        description="one of track, page, screen, identify, alias, group, merge",
    )
    message_id: Id = Field(default=None, description="the call's own id: a string")
    anonymous_id: Id = Field(default=None, description="a string, a whole number or null")
    user_id: Id = Field(default=None, description="a string, a whole number or null")
    previous_id: Id = Field(default=None, description="a string, a whole number or null")
    group_id: Id = Field(default=None, description="a string, a whole number or null")
    event: Name | None = Field(
        default=None, description=f"text of 1 to {NAME_LENGTH_MAX} characters"
    )
    name: Name | None = Field(
        default=None, description=f"text of at most {NAME_LENGTH_MAX} characters"
    )
    category: str | None = Field(default=None, description="text")
    channel: str | None = Field(default=None, description="text")
    timestamp: LooseTime = Field(default=None, description="a time: RFC 3339")
    original_timestamp: LooseTime = Field(default=None, description="a time: RFC 3339")
    properties: dict[str, Any] | None = Field(default=None, description="an object")
    traits: dict[str, Any] | None = Field(default=None, description="an object")
    context: dict[str, Any] | None = Field(default=None, description="an object")
    integrations: dict[str, Any] | None = Field(default=None, description="an object")
    metadata: dict[str, Any] | None = Field(
        default=None, alias="_metadata", description="an object"
    )


class SegmentBatch(InboundModel):
    """Many calls at once: `POST /v1/batch`."""

    model_config = ConfigDict(
        strict=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )

    batch: list[SegmentCall]
    sent_at: LooseTime = Field(default=None, description="a time: RFC 3339")
    write_key: str | None = None


class Fault(NamedTuple):
    """What is wrong with a value.

    Attributes:
        field: The top-level field it is in.
        missing: Whether it should be there and is not.
        where: Its place, as a JSON path.
        expected: In words.
        found: In words; the value itself only where it is a short word of a closed list's field.
    """

    field: str
    missing: bool
    where: str
    expected: str
    found: str


def fault_in(model: type[InboundModel], value: dict[str, Any]) -> Fault | None:
    """The first thing wrong with a value, or None when it is what the model says."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=True)[0]
        return _fault(model, value, first["loc"], missing=first["type"] == "missing")
    return None


def _fault(
    model: type[InboundModel], value: Any, place: tuple[int | str, ...], *, missing: bool
) -> Fault:
    where, present, last = "$", value, ""
    for step in place:  # A place also names the member of a union that was tried: that is no key.
        found = _NOTHING
        if isinstance(present, dict):
            found = present.get(step, _NOTHING)
        elif isinstance(present, list) and isinstance(step, int):
            found = present[step]
        if found is _NOTHING and not (missing and step == place[-1]):
            break
        present, last = found, str(step)
        where += f"[{step}]" if isinstance(step, int) else f".{_named(step)}"
    return Fault(
        field=str(place[0]),
        missing=missing,
        where=where,
        expected=_expected(model, str(place[0]), last),
        found="nothing" if missing else kind_of(present, quote=last in _NAMED),
    )


def _expected(model: type[InboundModel], field: str, last: str) -> str:
    if field == "rating" and last in InboundRating.model_fields:
        return InboundRating.model_fields[last].description or last
    for name, one in model.model_fields.items():
        if field in (name, one.alias):
            return one.description or name
    return field


def _named(key: str) -> str:
    """A key as part of a place: cut short, and never what a log must not see."""
    return key if len(key) <= 40 and key.isidentifier() else "…"


def kind_of(value: object, *, quote: bool = False) -> str:
    """What a value is, in words that do not repeat it, unless it is a short word to be quoted."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case str():
            if quote and _PLAIN.fullmatch(value):
                return f'"{value}"'
            return f"a string of {len(value)} characters" if value else "an empty string"
        case dict():
            return f"an object of {len(value)} keys"
        case list() | tuple():
            return f"an array of {len(value)} items"
        case _:
            return "something else"
