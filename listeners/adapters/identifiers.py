"""Identifiers as dialects write them, made what crosses a topic."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from listeners.adapters.adapter import Context, text_of
from listeners.credentials import HASH_LENGTH, hash_identifier
from listeners.errors import ItemRefused, Reason
from schemas.identifiers import CLASSES, PERSONAL, PREVIOUS_ID, UNLINKED_FROM, blocked, normalise
from schemas.inbound import kind_of

REMEMBERED_MAX: Final = 50_000
"""Sets of identifiers whose reading a context keeps; then it starts afresh."""

_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}")
_HASH: Final = re.compile(rf"[0-9a-f]{{{HASH_LENGTH}}}")
_QUOTES_AND_SPACE: Final = "\"'`\u201c\u201d\u2018\u2019 \t"


def identifiers_of(
    written: Iterable[tuple[str, str | int | None]], context: Context, places: Mapping[str, str]
) -> dict[str, str]:
    """Identifiers as they cross a topic: normalised, the personal ones hashed.

    Null and empty values are unknown and left out, as are personal ones that name nobody. What
    names nobody among the others stays, for the identify stage knows the catalogue's own list, too,
    and leaves it out. Both are counted, by what they are.

    Args:
        written: Type and value.
        context: Whose they are.
        places: The JSON path of a type in this dialect; that of `""` where it is not listed.

    Raises:
        ItemRefused: None is left, there are too many, or one cannot be an identifier.
    """
    found: dict[str, str] = {}
    longest = context.limits.id_length_max
    for kind, value in written:
        if kind not in CLASSES and not _is_type(kind):
            raise ItemRefused(
                reason=Reason.FIELD_INVALID,
                where=places[""],
                expected="a type of identifier such as user_id: letters, digits and _ . -",
                found=kind_of(kind),
            )
        if kind == UNLINKED_FROM and not context.keeps_hashes:
            raise ItemRefused(
                reason=Reason.FIELD_INVALID,
                where=_place(kind, places),
                expected="identifiers; to part them is an operator's: `touchpoints unlink`",
                found=kind,
            )
        if value.__class__ is not str or not value.isprintable() or len(value) > longest:
            value = text_of(value, _place(kind, places), context.limits)
        if not value:
            continue
        text: str = value
        if kind in PERSONAL:
            if context.keeps_hashes and _HASH.fullmatch(text):
                found[kind] = text
                continue
            text = normalise(kind, text)
            if (why := blocked(text)) is None:
                found[kind] = hash_identifier(text, context.hash_key)
            else:
                context.nobody[why] = context.nobody.get(why, 0) + 1
            continue
        if not text.isascii() or text[0] in _QUOTES_AND_SPACE or text[-1] in _QUOTES_AND_SPACE:
            text = normalise(kind, text)
        if text:
            found[kind] = text
            if (why := blocked(text)) is not None:
                context.nobody[why] = context.nobody.get(why, 0) + 1
    if not found or (len(found) == 1 and PREVIOUS_ID in found):
        raise ItemRefused(
            reason=Reason.NO_IDENTIFIER,
            where=places[""],
            expected="at least one identifier that names somebody",
            found="none",
        )
    if len(found) > context.limits.identifiers_max:
        raise ItemRefused(
            reason=Reason.TOO_MANY_VALUES,
            where=places[""],
            expected=f"at most {context.limits.identifiers_max} identifiers",
            found=f"{len(found)}",
        )
    return found


def identifiers_again(
    written: dict[str, str | int | None], context: Context, places: Mapping[str, str]
) -> dict[str, str]:
    """The same, where one context reads many items: a customer shows the same ones again.

    What names nobody is counted once. Nobody may change what comes back: it is given again.
    """
    seen = tuple(written.items())
    known = context.remembered.get(seen)
    if known is None:
        if len(context.remembered) >= REMEMBERED_MAX:
            context.remembered.clear()
        known = context.remembered[seen] = identifiers_of(seen, context, places)
    return known


def _place(kind: str, places: Mapping[str, str]) -> str:
    return places.get(kind) or f"{places['']}.{kind if _is_type(kind) else '…'}"


@lru_cache(maxsize=1024)
def _is_type(kind: str) -> bool:
    return _TYPE.fullmatch(kind) is not None
