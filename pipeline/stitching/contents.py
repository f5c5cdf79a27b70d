"""Contents of dead letters: whether bytes that nobody could read name a customer all the same.

A refused item is kept as it was sent, with e-mails and numbers in clear. So every word of it is
looked at as it stands, and as its keyed hash would be.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote_plus

import msgspec

from schemas.identifiers import PERSONAL, normalise

_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_WORD: Final = re.compile(r"[^\s\"'<>,;{}\[\]()&=]+")


def names_in_content(content: bytes, hashed: Callable[[str], str]) -> Iterator[str]:
    """Values that may be identifiers' in bytes of any kind, without their type.

    Args:
        content: As it was sent, perhaps cut, perhaps no text.
        hashed: The keyed hash of a normalised personal value.
    """
    text = content.decode(errors="replace")
    for piece in dict.fromkeys((text, unquote_plus(text))):
        words = [_unquoted(found) for found in _QUOTED.findall(piece)]
        for word in dict.fromkeys((*words, *_WORD.findall(piece))):
            yield word
            if 3 <= len(word) <= 256:
                for normal in {normalise(kind, word) for kind in PERSONAL}:
                    yield hashed(normal)


def _unquoted(quoted: str) -> str:
    try:
        return msgspec.json.decode(quoted.encode(), type=str)
    except msgspec.MsgspecError:
        return quoted[1:-1]
