"""Segments: which part of the customers one belongs to, by a property that the emitter sends."""

from typing import Any, Final

import msgspec

SEGMENT_LENGTH_MAX: Final = 64
"""Characters of a segment; a longer one is cut, since reports group by it (P)."""

_decode: Final = msgspec.json.Decoder().decode


def segment_of(properties: msgspec.Raw, name: str) -> str | None:
    """The segment that a touchpoint's properties tell; None where they tell none.

    Args:
        properties: One JSON object, as bytes.
        name: The property's name; `context.traits.plan` is one that stands deeper.

    Text and numbers count, as they are written; anything else tells nothing.
    """
    if len(properties) <= len("{}"):
        return None
    raw = bytes(properties)
    if name.rpartition(".")[2].encode() not in raw and b"\\" not in raw:
        return None  # most touchpoints tell nothing: not worth decoding
    told: Any = _decode(raw)
    for part in name.split("."):
        told = told.get(part) if isinstance(told, dict) else None
    if isinstance(told, bool) or not isinstance(told, str | int | float):
        return None
    return str(told).strip()[:SEGMENT_LENGTH_MAX] or None
