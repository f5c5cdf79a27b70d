"""Passwords of the console's users, as the settings keep them: scrypt (RFC 7914)."""

import hmac
import secrets
from base64 import b64decode, b64encode
from binascii import Error
from hashlib import scrypt
from typing import Final

SCRYPT: Final = {"n": 2**15, "r": 8, "p": 1}
"""Cost of a password: 32 MiB and some 80 ms. OWASP names n = 2^17 as its first choice, and this
with p = 3; a log-in here is rare, and may not starve the pipeline beside it (P)."""


def hashed(password: str) -> str:
    """A password as the settings keep it: `scrypt:n:r:p:salt:key`, both in base64."""
    salt = secrets.token_bytes(16)
    key = _key(password, salt, **SCRYPT)
    cost = ":".join(str(SCRYPT[name]) for name in ("n", "r", "p"))
    return f"scrypt:{cost}:{b64encode(salt).decode()}:{b64encode(key).decode()}"


def matches(password: str, kept: str) -> bool:
    """Whether a password is the one that is kept."""
    _, n, r, p, salt, key = kept.split(":")
    found = _key(password, b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, b64decode(key))


def problem_of(kept: str) -> str | None:
    """What is wrong with a kept password; None where nothing is."""
    try:
        kind, n, r, p, salt, key = kept.split(":")
        sound = kind == "scrypt" and int(n) >= 2**14 and int(r) >= 8 and int(p) >= 1
        sound = sound and int(n) * int(r) * 128 <= 2**28 and int(p) <= 16
        sound = sound and len(b64decode(salt, validate=True)) >= 16
        sound = sound and len(b64decode(key, validate=True)) >= 32
    except (ValueError, Error):
        sound = False
    return None if sound else "expected what `touchpoints console --hash-password` prints"


def _key(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=2**29, dklen=32)
