"""Brackets: what they show of JSON that is not decoded, because it nests too deep or is broken.

Nothing is decoded here but a member's key; what the pieces hold is left to `bounds`.
"""

import re
from typing import Final

import msgspec

_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]', re.DOTALL)
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")

FAULTS: Final = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError)
"""All that decoding outside input can raise."""

_decode_any: Final = msgspec.json.Decoder().decode


def deeper(item: bytes, depth_max: int) -> bool:
    """Whether brackets nest deeper than allowed; decodes nothing, so that depth costs nothing."""
    depth = 0
    for byte in _STRING.sub(b"", item).translate(None, _NOT_BRACKETS):
        if byte in b"[{":
            depth += 1
            if depth > depth_max:
                return True
        else:
            depth -= 1
    return False


def elements(text: bytes) -> list[bytes] | None:
    """The members of an array that as a whole does not decode, so that one spoils no other.

    Returns:
        The bytes of each; None when these are not the brackets of an array.
    """
    spans = _spans(text, b"[", b"]")
    return None if spans is None else [text[start:end].strip() for start, end in spans]


def members(text: bytes) -> dict[str, bytes] | None:
    """The members of an object that as a whole does not decode, by their keys.

    Returns:
        The bytes of each value; None when these are not the brackets of an object.
    """
    spans = _spans(text, b"{", b"}")
    if spans is None:
        return None
    found = {}
    for start, end in spans:
        member = text[start:end].strip()
        key = _STRING.match(member)
        if key is None:
            return None
        rest = member[key.end() :].lstrip()
        if rest[:1] != b":":
            return None
        try:
            found[str(_decode_any(key[0]))] = rest[1:].strip()
        except FAULTS:
            return None
    return found


def _spans(text: bytes, opening: bytes, closing: bytes) -> list[tuple[int, int]] | None:
    if text[:1] != opening or text[-1:] != closing:
        return None
    spans, depth, start = [], 0, 1
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in (b"{", b"["):
            depth += 1
        elif mark in (b"}", b"]"):
            depth -= 1
            if depth == 0 and token.end() != len(text):
                return None
        elif mark == b"," and depth == 1:
            spans.append((start, token.start()))
            start = token.end()
    if depth != 0:
        return None
    if spans or text[1:-1].strip():
        spans.append((start, len(text) - 1))
    return spans
