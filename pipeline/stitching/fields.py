"""Fields: what a form refused and what a bot learnt, by the names that emitters give in properties.

Three errors in one field are a form that does not let somebody through; one error in each of three
fields is a customer who reads on. And a bot that asks on has got further only if it learnt
something that it did not know yet.
"""

from typing import Any, Final
from zlib import crc32

import msgspec

from pipeline.stitching.signals import SLOT_FILLED, VALIDATION_ERROR

Fields = tuple[tuple[str, int], ...]
"""Names, each with a number: of a field how often it was refused by then, as far as the emitter
counts; of `SLOTS`, what tells these values from others."""

FIELDS_MAX: Final = 20
"""Fields that count of one touchpoint; of a form with more errors at once the first (P)."""

FIELD_LENGTH_MAX: Final = 80
"""Characters of a name; the browser's emitter sends no more."""

TIMES_MAX: Final = 1_000
"""How often a field is believed to have been refused (P)."""

UNNAMED: Final = ""
"""The field of a touchpoint that names none: all such errors of a place count together."""

SLOTS: Final = "slots"

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def fields_in(signals: tuple[str, ...], properties: msgspec.Raw) -> Fields:
    """What a touchpoint with these signals names.

    Args:
        signals: With `validation_error` the fields refused: `field`, a name, or `fields`, names in
            a list, or names with how often each was refused on this page so far. With
            `slot_filled` the slots: `filled`, names with values.
        properties: One JSON object, as bytes.

    Returns:
        Nothing where nothing is named.
    """
    if VALIDATION_ERROR not in signals and SLOT_FILLED not in signals:
        return ()
    told: Any = _decode(bytes(properties))
    if VALIDATION_ERROR in signals:
        return _refused(told)
    filled = told.get("filled")
    return ((SLOTS, crc32(_encode(filled))),) if filled and isinstance(filled, dict) else ()


def _refused(told: Any) -> Fields:
    found, field = told.get("fields"), told.get("field")
    if isinstance(found, dict):
        named = [(name, _times(count)) for name, count in found.items()]
    elif isinstance(found, list):
        named = [(name, 1) for name in found if isinstance(name, str)]
    else:
        named = [(field, 1)] if isinstance(field, str) else []
    fields: dict[str, int] = {}
    for name, times in named[:FIELDS_MAX]:
        if name.strip():
            fields.setdefault(name.strip()[:FIELD_LENGTH_MAX], times)
    return tuple(fields.items())


def _times(told: object) -> int:
    if isinstance(told, bool) or not isinstance(told, int | float):
        return 1
    return int(min(max(told, 1), TIMES_MAX))
