"""The columns of a record: of which kind each is, and how its values are written.

What a column holds follows from the record's own types, so that a field that is added there is
exported without a word here.
"""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import inspect

from schemas.records import Record

Scalar = Literal["text", "time", "integer", "number", "truth", "bytes", "json"]
"""`json` is text that is JSON: raw objects, and values of more than one type."""


class Listed(NamedTuple):
    """Any number of values of one kind."""

    of: "Kind"


class Mapped(NamedTuple):
    """Names with values of one kind."""

    of: "Kind"


class Nested(NamedTuple):
    """A record within the record."""

    columns: tuple["Column", ...]


Kind = Scalar | Listed | Mapped | Nested


class Column(NamedTuple):
    """One field of a record."""

    name: str
    kind: Kind


_SCALARS: Final[dict[type[inspect.Type], Scalar]] = {
    inspect.StrType: "text",
    inspect.DateTimeType: "time",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.BoolType: "truth",
    inspect.BytesType: "bytes",
    inspect.RawType: "json",
}


def columns_of(record: type[Record]) -> tuple[Column, ...]:
    """Every field of a record, in its order."""
    told = inspect.type_info(record)
    assert isinstance(told, inspect.StructType)
    return _fields(told)


def _fields(told: inspect.StructType) -> tuple[Column, ...]:
    return tuple(Column(field.name, _kind(field.type)) for field in told.fields)


def _kind(told: inspect.Type) -> Kind:
    if isinstance(told, inspect.UnionType):
        left = [one for one in told.types if not isinstance(one, inspect.NoneType)]
        return _kind(left[0]) if len(left) == 1 else "json"
    if isinstance(told, inspect.LiteralType):
        return "text"
    if isinstance(told, inspect.StructType):
        return Nested(_fields(told))
    if isinstance(told, inspect.VarTupleType | inspect.ListType):
        return Listed(_kind(told.item_type))
    if isinstance(told, inspect.TupleType):
        return Listed(_kind(told.item_types[0]))
    if isinstance(told, inspect.DictType):
        return Mapped(_kind(told.value_type))
    return _SCALARS[type(told)]


Plain = Callable[[Any], Any]


def plain(kind: Kind) -> Plain | None:
    """Makes a value, which is not None, one of lists, dicts and scalars; None where it is so.

    Of a nested record every field is there, also those that have their default.
    """
    if kind == "json":
        return json_text
    if isinstance(kind, Listed):
        of = plain(kind.of)
        return None if of is None else lambda value: [given(of, one) for one in value]
    if isinstance(kind, Mapped):
        of = plain(kind.of)
        if of is None:
            return None
        return lambda value: {name: given(of, one) for name, one in value.items()}
    if isinstance(kind, Nested):
        return _nested(kind)
    return None


def _nested(kind: Nested) -> Plain:
    parts = [(column.name, plain(column.kind)) for column in kind.columns]

    def made(value: Any) -> dict[str, Any]:
        return {name: given(of, getattr(value, name)) for name, of in parts}

    return made


def given(of: Plain | None, value: Any) -> Any:
    """A value as `plain` makes it, or None."""
    return value if value is None or of is None else of(value)


def json_text(value: Any) -> str:
    """Raw JSON as it stands; a text as itself; a number as JSON writes it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
