"""Bytes to record and back: the only place that knows how records are written on a topic."""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from schemas.controls import (
    Control,
    Erase,
    Fault,
    Handover,
    Presence,
    Reached,
    Recall,
    Reroute,
    Usual,
)
from schemas.errors import ContractViolation
from schemas.records import Record, Touchpoint
from schemas.topics import TOPICS

R = TypeVar("R", bound=Record)

_ENCODER: Final = msgspec.json.Encoder()
_DECODERS: Final[dict[type[Record], msgspec.json.Decoder[Record]]] = {
    topic.record: msgspec.json.Decoder(topic.record) for topic in TOPICS.values()
}

encode = _ENCODER.encode
"""A record, or any part of one, as JSON bytes in UTF-8. Times end in `Z`."""

_CONTROL: Final = b'{"control":'
"""What a control record begins with, since its tag goes first; no touchpoint has such a field."""

_decode_control: Final[Callable[[bytes], Control]] = msgspec.json.Decoder(
    Erase | Fault | Handover | Presence | Reached | Recall | Reroute | Usual
).decode
_decode_touchpoint = msgspec.json.Decoder(Touchpoint).decode


def decode(value: bytes, record: type[R]) -> R:
    """Read a record that one of our own stages or listeners wrote.

    Raises:
        ContractViolation: The bytes are not such a record; says where and what was expected.
    """
    try:
        return _DECODERS[record].decode(value)  # type: ignore[return-value]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise ContractViolation(
            where=record.__name__, expected=f"a {record.__name__}", found=str(error)
        ) from error


def decode_control(value: bytes) -> Control | None:
    """Read a control record; None where the bytes are another record's. Raises as `decode` does."""
    if not value.startswith(_CONTROL):
        return None
    try:
        return _decode_control(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise ContractViolation(
            where="Control", expected="a control record", found=str(error)
        ) from error


def decode_either(value: bytes, record: type[Record]) -> Record:
    """Read a record of a topic on which stages also tell each other. Raises as `decode` does."""
    told = decode_control(value)
    return decode(value, record) if told is None else told


def decode_touchpoint(value: bytes) -> Touchpoint:
    """Read a touchpoint; the hot path of every stage. Raises as `decode` does."""
    try:
        return _decode_touchpoint(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise ContractViolation(
            where="Touchpoint", expected="a Touchpoint", found=str(error)
        ) from error
