"""Batches of SDKs: an object around a list of items, cut up so that one item spoils no other."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from listeners.adapters.adapter import Limits, time_of
from listeners.adapters.bounds import said
from listeners.adapters.brackets import FAULTS, elements, members
from listeners.errors import ItemRefused, Reason, TooLarge, Unreadable

_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_any: Final = msgspec.json.Decoder().decode


class Cut(NamedTuple):
    """A body, cut up.

    Attributes:
        items: JSON bytes of each item.
        listed: Whether they stood in a list; else the body is the one item.
        rest: What the body says beside the list, by its names on the wire.
    """

    items: list[bytes]
    listed: bool
    rest: Mapping[str, Any]


def cutter(body: type[msgspec.Struct], field: str) -> Callable[[bytes, Limits], Cut]:
    """A function that cuts bodies of one shape.

    Args:
        body: The shape: its list as `list[msgspec.Raw] | None`, the rest as `Any` with None as
            default, since what is wrong there must not refuse the items.
        field: The name of the list.

    The function takes JSON bytes - the object, the list alone, or one item - and the limits. It
    raises `Unreadable` for what is no such JSON and `TooLarge` for too many items, or for one that
    is not in a list and too long.
    """
    decode = msgspec.json.Decoder(body).decode
    names = [(one.name, one.encode_name) for one in msgspec.structs.fields(body)]
    rest = [(name, written) for name, written in names if written != field]
    own = next(name for name, written in names if written == field)

    def cut(text: bytes, limits: Limits) -> Cut:
        if text[:1] == b"[":
            return _within(Cut(_elements(text), listed=True, rest={}), limits)
        if text[:1] != b"{":
            raise Unreadable(
                reason=Reason.NOT_JSON, message="expected a JSON object; found something else"
            )
        try:
            value = decode(text)
        except FAULTS as error:  # One item may be to blame; then the others are still good.
            return _within(_salvaged(text, error), limits)
        listed = getattr(value, own)
        told = {written: getattr(value, name) for name, written in rest}
        if listed is None:
            return _within(Cut([text], listed=False, rest=told), limits)
        return _within(Cut([bytes(item) for item in listed], listed=True, rest=told), limits)

    def _salvaged(text: bytes, error: Exception) -> Cut:
        found = members(text)
        if found is None:
            raise Unreadable(
                reason=Reason.NOT_JSON, message=f"expected JSON; found {said(error)}"
            ) from error
        told = {written: _lenient(found.get(written)) for _, written in rest}
        if (listed := found.get(field)) is None:
            return Cut([text], listed=False, rest=told)
        return Cut(_elements(listed), listed=True, rest=told)

    return cut


def _within(cut: Cut, limits: Limits) -> Cut:
    if not cut.listed and len(cut.items[0]) > limits.bounds.item_bytes_max:
        raise TooLarge(
            reason=Reason.ITEM_TOO_LARGE,
            message=f"expected an item of at most {limits.bounds.item_bytes_max} bytes",
        )
    if len(cut.items) > limits.batch_items_max:
        raise TooLarge(
            reason=Reason.BATCH_TOO_LARGE,
            message=f"expected at most {limits.batch_items_max} items; found {len(cut.items)}",
        )
    return cut


def _elements(text: bytes) -> list[bytes]:
    try:
        return [bytes(item) for item in _decode_list(text)]
    except FAULTS:  # One item may be to blame; then the others are still good.
        found = elements(text)
    if found is None:
        raise Unreadable(
            reason=Reason.NOT_JSON, message="expected an array of items; found something else"
        )
    return found


def _lenient(text: bytes | None) -> Any:
    try:
        return None if text is None else _decode_any(text)
    except FAULTS:
        return None


def device_in(items: Sequence[bytes], told: Callable[[bytes], object]) -> str | None:
    """The one device that wrote all items; None when there are several, or one names none.

    Args:
        items: JSON bytes of each item.
        told: What an item says of its device; may raise what decoding raises.
    """
    found = set()
    for item in items:
        try:
            device = told(item)
        except FAULTS:
            return None
        if not isinstance(device, str):
            return None
        found.add(device)
    return found.pop() if len(found) == 1 else None


def moment_in(value: object) -> datetime | None:
    """A time of sending; None where there is none that can be read: no item is refused for it."""
    if not isinstance(value, str):
        return None
    try:
        return time_of(msgspec.convert(value, datetime), "$")
    except (msgspec.ValidationError, ItemRefused):
        return None


def key_in(*values: object) -> str | None:
    """The first that can be a write key."""
    for value in values:
        if isinstance(value, str) and value:
            return value
    return None
