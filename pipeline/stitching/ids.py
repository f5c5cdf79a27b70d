"""Ids: derived from what they name, never random, so that a replay gives the same.

All are UUIDv5 in a namespace of this project's own.
"""

from functools import lru_cache
from typing import Final
from uuid import UUID, uuid5

NAMESPACE: Final = UUID("5f0e6a52-9d0c-5b55-9a3e-6d1c8f2b7a10")
"""Ours alone; changing it changes every id."""


@lru_cache(maxsize=200_000)
def customer_of(identifier: str) -> str:
    """The customer whose strongest identifier this is, `type:value`."""
    return str(uuid5(NAMESPACE, f"customer|{identifier}"))


def session_of(channel: str, opener: str) -> str:
    """The session that this touchpoint opened on this channel."""
    return str(uuid5(NAMESPACE, f"session|{channel}|{opener}"))


def journey_of(mission: str, opener: str) -> str:
    """The journey that this touchpoint opened towards this mission."""
    return str(uuid5(NAMESPACE, f"journey|{mission}|{opener}"))


def dead_letter_of(source: str, reason: str, content: bytes) -> str:
    """The dead letter of this content: the same content refused twice is one letter."""
    return str(uuid5(NAMESPACE, f"dead-letter|{source}|{reason}|{content.hex()}"))
