"""Ids: derived from what they name, never random, so that a replay gives the same.

All are UUIDv5 in a namespace of this project's own.
"""

from functools import lru_cache
from hashlib import sha1
from typing import Final
from uuid import UUID

from schemas.controls import Interaction

NAMESPACE: Final = UUID("5f0e6a52-9d0c-5b55-9a3e-6d1c8f2b7a10")
"""Ours alone; changing it changes every id."""

_SALT: Final = NAMESPACE.bytes
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


DERIVED_MAX: Final = 4_096
"""Ids that are kept at hand, some 2 MB: a fold asks for the same few again and again."""


@lru_cache(maxsize=DERIVED_MAX)
def derived(name: str) -> str:
    """`str(uuid.uuid5(NAMESPACE, name))`, in a quarter of its time: every result asks for one."""
    h = sha1(_SALT + name.encode(), usedforsecurity=False).hexdigest()
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:32]}"


@lru_cache(maxsize=200_000)
def customer_of(identifier: str) -> str:
    """The customer whose strongest identifier this is, `type:value`."""
    return derived(f"customer|{identifier}")


def session_of(opener: Interaction) -> str:
    """The session that this touchpoint opened on its channel.

    The source and the device are part of it: touchpoints' ids are their emitters' to choose.
    """
    return derived(f"session|{opener.channel}|{opener.source}|{opener.device}|{opener.id}")


def journey_of(mission: str, opener: Interaction) -> str:
    """The journey that this touchpoint opened towards this mission, likewise."""
    return derived(f"journey|{mission}|{opener.source}|{opener.device}|{opener.id}")


def dead_letter_of(source: str, reason: str, content: bytes) -> str:
    """The dead letter of this content: the same content refused twice is one letter."""
    return derived(f"dead-letter|{source}|{reason}|{content.hex()}")
