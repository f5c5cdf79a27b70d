"""Mentions: whether a touchpoint's properties can tell anything that the catalogue asks of them.

Most tell nothing, and one search over their bytes shows it: then none of them are decoded.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

_BACKSLASH: Final = 0x5C


def mention(properties: msgspec.Raw, segment: str | None, variants: tuple[str, ...]) -> bool:
    """Whether they name one of these, or may: what is written with a backslash is not looked into.

    Args:
        properties: One JSON object, as bytes.
        segment: The property that tells a segment, if any does; see `segments.segment_of`.
        variants: Those that tell a variant; see `variants.read`.
    """
    if len(properties) <= len("{}"):
        return False
    return _search(segment, variants)(properties) is not None or _BACKSLASH in bytes(properties)


@lru_cache(maxsize=8)
def _search(segment: str | None, variants: tuple[str, ...]) -> Callable[[msgspec.Raw], object]:
    names = variants if segment is None else (*variants, segment)
    ends = b"|".join(re.escape(name.rpartition(".")[2].encode()) for name in names)
    return re.compile(b'"(?:' + ends + b')"' if names else b"(?!)").search
