"""Durations as people write them in files: "5s", "30m", "1h30m", "7d"."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator

DURATION_MAX: Final = timedelta(days=3660)
"""The longest duration that a file may name, ten years: more is a slip, and overflows dates."""

PATTERN: Final = r"(?:([0-9]{1,8})d)?(?:([0-9]{1,8})h)?(?:([0-9]{1,8})m)?(?:([0-9]{1,8})s)?"
"""What a duration looks like; the empty text, which this matches too, is none."""

_DURATION: Final = re.compile(PATTERN)


def duration_of(text: object) -> timedelta:
    """What a duration means.

    Args:
        text: Whole numbers with a unit each - d, h, m, s - the larger unit first, no spaces.

    Raises:
        ValueError: It is something else, or longer than `DURATION_MAX`; says what was expected.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if match is None:
        shown = f'"{text}"' if isinstance(text, str) else str(text)
        msg = f'expected a duration such as "30s", "30m", "1h30m" or "7d"; found {shown}'
        raise ValueError(msg)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    found = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if found > DURATION_MAX:
        msg = f'expected a duration of at most {DURATION_MAX.days}d; found "{text}"'
        raise ValueError(msg)
    return found


def written(duration: timedelta) -> str:
    """A duration of whole seconds as `duration_of` reads it, in the largest units: "1h30m"."""
    left, parts = int(duration.total_seconds()), ""
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        parts += f"{count}{unit}" if count else ""
    return parts or "0s"


def _longer_than_nothing(text: object) -> timedelta:
    found = duration_of(text)
    if not found:
        msg = f'expected a duration longer than nothing; found "{text}"'
        raise ValueError(msg)
    return found


Duration = Annotated[timedelta, BeforeValidator(_longer_than_nothing)]
"""A field of a file: a duration longer than nothing."""

DurationOrZero = Annotated[timedelta, BeforeValidator(duration_of)]
"""A field of a file: a duration that may be "0s"."""
