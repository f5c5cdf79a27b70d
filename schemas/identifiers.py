"""Identifiers: their types, classes and strength, how a value is normalised, and what names nobody.

Listeners need this before they hash a personal value, the identify stage before it links one;
so it stands with the nouns. Everything here is a pure function.

Sources: the classes are `docs/identity.md`'s; the block list joins Segment's (`^[0-]*$`, -1, null,
anonymous, void, abc123), Adobe's (null, anonymous, invalid, empty) and PostHog's (the long list and
the quoted forms); the rest is ours.
"""

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from string import ascii_letters, digits
from typing import Final


class IdentifierClass(StrEnum):
    """What an identifier may do, strongest first."""

    UNIQUE = "unique"
    STRONG = "strong"
    DEVICE = "device"
    WEAK = "weak"


CLASSES: Final[dict[str, IdentifierClass]] = {
    "user_id": IdentifierClass.UNIQUE,
    "account_id": IdentifierClass.UNIQUE,
    "crm_id": IdentifierClass.UNIQUE,
    "email": IdentifierClass.STRONG,
    "phone": IdentifierClass.STRONG,
    "device_id": IdentifierClass.DEVICE,
    "network_user_id": IdentifierClass.DEVICE,
    "anonymous_id": IdentifierClass.DEVICE,
    "caller_number": IdentifierClass.WEAK,
    "ip": IdentifierClass.WEAK,
}
"""The known types, strongest first: the order is the rank by which a survivor is chosen. A type
that does not stand here is weak: it is kept and links nothing."""

PREVIOUS_ID: Final = "previous_id"
"""Not an identifier but a directive: the value of an alias call that names the same person."""

UNLINKED_FROM: Final = "unlinked_from"
"""Likewise: an operator's word that the identifier shown beside it is not this one's, given as
`type:value`. No emitter may say so."""

DIRECTIVES: Final = frozenset({PREVIOUS_ID, UNLINKED_FROM})
"""What stands among identifiers and is none."""

PERSONAL: Final = frozenset({"email", "phone", "caller_number", "ip"})
"""Types whose values are hashed with a key before they reach a topic."""

VALUE_LENGTH_MAX: Final = 256
"""Characters of an identifier's value; a longer one is refused at the door."""

_QUOTES: Final = "\"'`\u201c\u201d\u2018\u2019"
_PHONE_NOISE: Final = re.compile(r"[\s().\-/]")

BLOCKED: Final = frozenset(
    {
        "null", "none", "nil", "undefined", "unknown", "invalid", "void", "n/a", "na", "-", "?",
        "anonymous", "guest", "visitor", "default", "test", "abc123", "not_authenticated", "id",
        "distinctid", "distinct_id", "email", "user_id", "true", "false", "restricted",
        "unavailable", "private", "withheld", "+266696687", "-1",
    }
)  # fmt: skip
"""Whole values, compared without regard to case, that identify nobody. +266696687 spells
ANONYMOUS on a telephone's keys."""

BLOCKED_EXACTLY: Final = frozenset({"[object Object]", "NaN", "None", "0"})
"""Whole values, compared exactly, that identify nobody."""

_ORDINARY: Final = frozenset(ascii_letters + digits) - {"0"}
_ZEROS: Final = re.compile(r"[0-]*")
_NO_WORD: Final = re.compile(r"[\W_]*")
_ONE_CHARACTER: Final = re.compile(r"(\D)\1{2,}|(\d)\2{5,}")


def normalise(identifier_type: str, value: str) -> str:
    """The value as it is compared: NFC, trimmed, without quotes; e-mails case-folded, phones E.164.

    Anything but e-mails and phones stays case-sensitive. A phone number without a country code
    keeps its digits as they are: guessing the country would join strangers.
    """
    text = value if value.isascii() else unicodedata.normalize("NFC", value)
    text = text.strip().strip(_QUOTES).strip()
    if _blocked(text, _NO_OTHERS) is not None:
        return text  # as it stands: folded or stripped, it might pass for somebody
    if identifier_type == "email":
        return text.casefold()
    if identifier_type in ("phone", "caller_number"):
        bare = _PHONE_NOISE.sub("", text)
        return "+" + bare[2:] if bare.startswith("00") else bare
    return text


NAMES_NOBODY: Final = ("empty", "zeros", "placeholder", "repeated_character")
"""What `blocked` may answer."""

_NO_OTHERS: Final[frozenset[str]] = frozenset()
_LONGEST_WORD: Final = max(map(len, BLOCKED | BLOCKED_EXACTLY))


def blocked(value: str, extra: frozenset[str] = frozenset()) -> str | None:
    """Why a normalised value identifies nobody, or None when it may.

    Args:
        value: Normalised.
        extra: Further values to block, case-folded: the catalogue's own list.

    Returns:
        One of `NAMES_NOBODY`; a closed list, fit for a label.
    """
    if len(value) > _LONGEST_WORD and (not extra or value.casefold() not in extra):
        start = set(value[:8])
        if len(start) > 3 and not start.isdisjoint(_ORDINARY):
            return None  # neither one of the words nor a run of few characters
    return _blocked(value, extra)


@lru_cache(maxsize=100_000)
def _blocked(value: str, extra: frozenset[str]) -> str | None:
    if not value or _NO_WORD.fullmatch(value):
        return "empty"
    if _ZEROS.fullmatch(value):
        return "zeros"
    folded = value.casefold()
    if value in BLOCKED_EXACTLY or folded in BLOCKED or folded in extra:
        return "placeholder"
    if _ONE_CHARACTER.fullmatch(folded):
        return "repeated_character"
    return None


_WEAKEST_DEVICE: Final = next(name for name in reversed(CLASSES) if CLASSES[name] != "weak")
"""The lowest that links, which is of class device; a record that has it is keyed by it."""


def primary(
    identifiers: dict[str, str],
    source: str,
    session_hint: str | None,
    touchpoint_id: str,
    classes: dict[str, IdentifierClass] = CLASSES,
) -> str:
    """The identifier that a touchpoint is keyed by, as `type:value`.

    The weakest that links: so all records of a device meet in one place, and the login among them.
    A record without a device is kept together by its session; one without either by what it has.

    Args:
        identifiers: Type to value, normalised.
        source: Scopes the session's id.
        session_hint: The emitter's session, conversation or call id.
        touchpoint_id: Names whoever left no trace at all.
        classes: Type to class, strongest first.
    """
    if _WEAKEST_DEVICE in identifiers and classes is CLASSES:  # Nearly always, so it is quick.
        return f"{_WEAKEST_DEVICE}:{identifiers[_WEAKEST_DEVICE]}"
    linking = [name for name in classes if name in identifiers and classes[name] != "weak"]
    if linking and classes[linking[-1]] == "device":
        return f"{linking[-1]}:{identifiers[linking[-1]]}"
    if session_hint:
        return f"@session:{source}/{session_hint}"
    if linking:
        return f"{linking[-1]}:{identifiers[linking[-1]]}"
    for name in sorted(identifiers):
        if name not in DIRECTIVES:
            return f"{name}:{identifiers[name]}"
    return f"@event:{source}/{touchpoint_id}"
