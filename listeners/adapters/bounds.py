"""Bounds: an item's bytes become a typed value only within the limits.

Nearly every item is ordinary, and a few searches over its bytes show that: then it is decoded
once, into the struct of its dialect. Any other is walked through, so that what is refused is
refused for its own reason and place. One decoder reads everything; nothing accepted here can fail
to be encoded further down.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple, NoReturn, TypeVar

import msgspec

from listeners.adapters.brackets import FAULTS, deeper
from listeners.errors import ItemRefused, Reason
from listeners.settings import ListenerSettings
from schemas.inbound import kind_of

T = TypeVar("T")
Explain = Callable[[Any], ItemRefused | None]

_LONG_MIN, _LONG_MAX = -(2**63), 2**64 - 1
_BACKSLASH: Final = 0x5C
_NUL: Final = b"\\u0000"
_BYTES_A_KEY: Final = 5  # `"":0,` is the shortest.

_decode_any: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode

_LEVELS: Final = 7
_KEY_LENGTH: Final = 256


def _plain(levels: int) -> Any:
    """The type of an object whose keys, integers and depth are certainly within bounds.

    The decoder checks them as it goes, several times as quickly as can be done afterwards.
    """
    key: Any = Annotated[str, msgspec.Meta(max_length=_KEY_LENGTH)]
    integer: Any = Annotated[int, msgspec.Meta(ge=_LONG_MIN, le=2**63 - 1)]
    found: Any = str | integer | float | bool | None
    for _ in range(levels - 1):
        found = str | integer | float | bool | None | dict[key, found] | list[found]
    return dict[key, found]


_decode_plain: Final[Callable[[bytes], dict[str, Any]]] = msgspec.json.Decoder(
    _plain(_LEVELS)
).decode


class Bounds(NamedTuple):
    """The limits of one item; see `ListenerSettings` for what each one means."""

    item_bytes_max: int
    depth_max: int
    keys_max: int
    key_length_max: int
    string_length_max: int

    @classmethod
    def of(cls, settings: ListenerSettings) -> "Bounds":
        """The part of the settings that concerns one item's shape."""
        return cls(*(getattr(settings, name) for name in cls._fields))


def read(
    item: bytes,
    decode: Callable[[bytes], T],
    bounds: Bounds,
    exact: frozenset[str],
    explain: Explain,
) -> T:
    """Decode one item into the struct of its dialect.

    Args:
        item: JSON bytes.
        decode: The struct's decoder.
        bounds: The limits. An ordinary item's objects are left to the adapter, which calls
            `check_object` on those that it keeps.
        exact: Top-level fields whose text is kept as it is; U+0000 is taken out elsewhere.
        explain: Finds the fault in a value that the struct does not take.

    Raises:
        ItemRefused: With its reason and place.
    """
    if ordinary(item, bounds):
        try:
            return decode(item)
        except FAULTS:
            pass  # The walk finds out what is wrong.
    value = walked(item, bounds, exact)
    try:
        return decode(_encode(value))
    except FAULTS as error:
        raise explain(value) or _unexplained(error) from error


def object_of(item: bytes, bounds: Bounds, exact: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Decode one item that is a loose object, and check all of it.

    Args:
        item: JSON bytes.
        bounds: The limits.
        exact: As in `read`.

    Raises:
        ItemRefused: With its reason and place.
    """
    if ordinary(item, bounds):
        try:
            if bounds.depth_max >= _LEVELS and bounds.key_length_max >= _KEY_LENGTH:
                return _decode_plain(item)
        except FAULTS:
            pass  # Not as plain as nearly all are; then it is looked at more closely.
        try:
            value = _decode_any(item)
        except FAULTS:
            value = None  # The walk finds out what is wrong.
        if isinstance(value, dict):
            check_object(value, bounds, "$", depth=1)
            return value
    return walked(item, bounds, exact)


def ordinary(item: bytes, bounds: Bounds) -> bool:
    """Whether what an item's length, its bytes and `check_object` show is all there is to show."""
    size = len(item)
    return (
        size <= bounds.string_length_max
        and size <= bounds.item_bytes_max
        and (size <= bounds.keys_max * _BYTES_A_KEY or item.count(b":") <= bounds.keys_max)
        and (_BACKSLASH not in item or _NUL not in item)
        and (item.isascii() or _is_utf8(item))
    )


def check_object(value: dict[str, Any], bounds: Bounds, where: str, depth: int = 2) -> None:
    """Check the keys, integers and depth of an ordinary item's object.

    Args:
        value: As decoded; its strings and the number of its keys are known to be within bounds.
        bounds: The limits.
        where: Its place, as a JSON path.
        depth: Its level of nesting; the item itself is level 1.

    Raises:
        ItemRefused: A key is too long, an integer has more than 64 bits, or it nests too deep.
    """
    if not _fits(value, bounds.key_length_max, bounds.depth_max - depth):
        _Walk(bounds).value(value, where, depth, strip=False)  # Knows the place, and raises.


def _fits(value: dict[str, Any], key_length_max: int, levels: int) -> bool:
    if levels < 0:
        return False
    for key, member in value.items():
        if len(key) > key_length_max:
            return False
        kind = member.__class__
        if kind is str or kind is float:
            continue
        if kind is int:
            if not _LONG_MIN <= member <= _LONG_MAX:
                return False
        elif kind is dict:
            if not _fits(member, key_length_max, levels - 1):
                return False
        elif kind is list and not _all_fit(member, key_length_max, levels - 1):
            return False
    return True


def _all_fit(value: list[Any], key_length_max: int, levels: int) -> bool:
    """The same for an array; two functions, since this is asked of every object that comes in."""
    if levels < 0:
        return False
    for member in value:
        kind = member.__class__
        if kind is str or kind is float:
            continue
        if kind is int:
            if not _LONG_MIN <= member <= _LONG_MAX:
                return False
        elif kind is dict:
            if not _fits(member, key_length_max, levels - 1):
                return False
        elif kind is list and not _all_fit(member, key_length_max, levels - 1):
            return False
    return True


def walked(item: bytes, bounds: Bounds, exact: frozenset[str]) -> dict[str, Any]:
    """Any item as a value within all limits, U+0000 taken out where text is not exact.

    Raises:
        ItemRefused: With its reason and place.
    """
    if len(item) > bounds.item_bytes_max:
        raise ItemRefused(
            reason=Reason.ITEM_TOO_LARGE,
            where="$",
            expected=f"at most {bounds.item_bytes_max} bytes",
            found=f"{len(item)} bytes",
        )
    if not _is_utf8(item):
        raise ItemRefused(reason=Reason.NOT_UTF8, where="$", expected="UTF-8", found="other bytes")
    if deeper(item, bounds.depth_max):
        raise _too_deep(where="$", bounds=bounds)
    try:
        value = _decode_any(item)
    except FAULTS as error:
        _refuse_unreadable(error)
    if not isinstance(value, dict):
        raise ItemRefused(
            reason=Reason.FIELD_INVALID, where="$", expected="an object", found=kind_of(value)
        )
    walk = _Walk(bounds)
    return {
        walk.key(key, "$"): walk.value(member, f"$.{_shown(key)}", 2, strip=key not in exact)
        for key, member in value.items()
    }


class _Walk:
    """One pass over a value: checks every limit and takes out U+0000."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._keys = 0

    def value(self, value: Any, where: str, depth: int, *, strip: bool) -> Any:
        if depth > self._bounds.depth_max and isinstance(value, dict | list):
            raise _too_deep(where=where, bounds=self._bounds)
        match value:
            case str():
                if len(value) > self._bounds.string_length_max:
                    raise ItemRefused(
                        reason=Reason.STRING_TOO_LONG,
                        where=where,
                        expected=f"at most {self._bounds.string_length_max} characters",
                        found=f"{len(value)}",
                    )
                return value.replace("\0", "") if strip else value
            case bool():
                return value
            case int():
                if not _LONG_MIN <= value <= _LONG_MAX:
                    raise out_of_range(where=where, expected="an integer of at most 64 bits")
                return value
            case dict():
                return {
                    self.key(key, where): self.value(
                        member, f"{where}.{_shown(key)}", depth + 1, strip=strip
                    )
                    for key, member in value.items()
                }
            case list():
                return [
                    self.value(member, f"{where}[{index}]", depth + 1, strip=strip)
                    for index, member in enumerate(value)
                ]
            case _:
                return value

    def key(self, key: str, where: str) -> str:
        self._keys += 1
        if self._keys > self._bounds.keys_max:
            raise ItemRefused(
                reason=Reason.TOO_MANY_KEYS,
                where=where,
                expected=f"at most {self._bounds.keys_max} keys",
                found="more",
            )
        if len(key) > self._bounds.key_length_max:
            raise _key_too_long(where, self._bounds)
        return key.replace("\0", "")


def out_of_range(*, where: str, expected: str) -> ItemRefused:
    """The refusal of a number beyond its range."""
    return ItemRefused(
        reason=Reason.NUMBER_OUT_OF_RANGE, where=where, expected=expected, found="one beyond"
    )


def _too_deep(*, where: str, bounds: Bounds) -> ItemRefused:
    return ItemRefused(
        reason=Reason.TOO_DEEP,
        where=where,
        expected=f"at most {bounds.depth_max} levels of nesting",
        found="more",
    )


def _key_too_long(where: str, bounds: Bounds) -> ItemRefused:
    return ItemRefused(
        reason=Reason.KEY_TOO_LONG,
        where=where,
        expected=f"keys of at most {bounds.key_length_max} characters",
        found="a longer one",
    )


def _refuse_unreadable(error: Exception) -> NoReturn:
    if "out of range" in str(error):
        raise out_of_range(
            where="$", expected="numbers that a double or 64 bits can hold"
        ) from error
    raise ItemRefused(
        reason=Reason.NOT_JSON, where="$", expected="JSON (RFC 8259)", found=said(error)
    ) from error


def said(error: Exception) -> str:
    """What the decoder said of malformed JSON: a position, never a value."""
    text = str(error)
    return text if text.startswith(("JSON is malformed", "Input data")) else "malformed JSON"


def _unexplained(error: Exception) -> ItemRefused:
    """The decoder's own words, for a fault that the model does not see; they name types only."""
    text, _, where = str(error).partition(" - at ")
    return ItemRefused(
        reason=Reason.FIELD_INVALID,
        where=where.strip("`") or "$",
        expected="what the schema says",
        found=text.rpartition("got ")[2].strip("`") or "something else",
    )


def _is_utf8(item: bytes) -> bool:
    try:
        item.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shown(key: str) -> str:
    """A key as part of a place: cut short, and without what a log must not see."""
    return key if len(key) <= 40 and key.isidentifier() else "…"
