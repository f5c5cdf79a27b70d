"""Credentials: whose write key this is, and the keyed hash of personal identifiers.

Write keys are known by their SHA-256 only and compared in constant time. A key stands in the
`Authorization` header (Basic user name or Bearer), in `X-Write-Key` or its like, in the query or in
the body; finding it there is the work of `routes.py` and the adapters.
"""

import base64
import hmac
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Final

from listeners.errors import Reason, Unauthorised
from listeners.settings import ListenerSettings, SourceSettings

SOURCE_DEFAULT: Final = "default"
"""The source of whoever gives no key to an open listener."""

KEY_HEADERS: Final = ("X-Write-Key", "X-Api-Key", "X-Amz-Firehose-Access-Key")
"""Where a key may stand beside `Authorization`; the last two are what Amazon's services send."""

QUERY_NAMES: Final = ("writeKey", "api_key", "token", "access_token")
"""Where a key may stand in the query."""

HASH_LENGTH: Final = 32
"""Hex digits of a personal identifier's hash: 128 bits, so that no two people meet."""

FINGERPRINT_LENGTH: Final = 8
"""Hex digits that tell two keys apart: too few to be sure of a key that somebody guessed."""

_FINGERPRINTED: Final = b"\0which key"
"""No identifier has a NUL, so that this is nobody's hash."""

_SOURCE_LENGTH_MAX: Final = 64
_NAMES_MAX: Final = 1_000
_LOCAL: Final = ("http://localhost", "http://127.0.0.1", "http://[::1]")


def hashed(key: str) -> str:
    """A write key as the settings keep it: `sha256:` and 64 hex digits."""
    return "sha256:" + sha256(key.encode()).hexdigest()


def hash_identifier(value: str, key: bytes) -> str:
    """A personal identifier as it crosses a topic: HMAC-SHA-256, its first 32 hex digits.

    Args:
        value: Normalised, so that one person's spellings become one hash.
        key: From the settings.
    """
    hashing = _keyed(key).copy()
    hashing.update(value.encode())
    return hashing.hexdigest()[:HASH_LENGTH]


@lru_cache(maxsize=8)
def fingerprint(key: bytes) -> str:
    """Which key it is, for whoever has it too: an HMAC of a fixed text, its first 8 hex digits."""
    return hmac.new(key, _FINGERPRINTED, "sha256").hexdigest()[:FINGERPRINT_LENGTH]


@lru_cache(maxsize=8)
def _keyed(key: bytes) -> hmac.HMAC:
    """The hash before it has seen a value: a copy of it is quicker than another one."""
    return hmac.new(key, digestmod="sha256")


def key_of(headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    """The write key of a request's headers, else of its query; None when neither has one.

    An `Authorization` that cannot be read counts as a key that nobody has.
    """
    authorization = headers.get("Authorization")
    if authorization:
        scheme, _, rest = authorization.partition(" ")
        scheme, rest = scheme.lower(), rest.strip()
        if scheme == "bearer" and rest:
            return rest
        if scheme == "basic":
            try:
                text = base64.b64decode(rest, validate=True).decode()
            except ValueError:  # No base64, other than ASCII, or no UTF-8 inside.
                return authorization
            if key := text.partition(":")[0]:
                return key
    for header in KEY_HEADERS:
        if named := headers.get(header):
            return named
    if query:
        for name in QUERY_NAMES:
            if asked := query.get(name):
                return asked
    return None


class Credentials:
    """The sources and their keys.

    Attributes:
        open: Whether any key is taken, being the source's name.
    """

    def __init__(self, settings: ListenerSettings) -> None:
        self.open = settings.open
        self._opened: dict[str | None, SourceSettings] = {}
        self._sources = [
            (bytes.fromhex(key.removeprefix("sha256:")), source)
            for source in settings.sources
            for key in source.keys
        ]
        self._origins = frozenset(
            origin for source in settings.sources for origin in source.origins
        )

    def source_of(self, key: str | None, origin: str | None = None) -> SourceSettings:
        """Whose key this is.

        Args:
            key: As the emitter gave it.
            origin: The page it comes from, where a browser says so.

        Raises:
            Unauthorised: No key, one that nobody has, or a page that may not use it.
        """
        if self.open:
            return self._named(key)
        if not key:
            raise Unauthorised(
                reason=Reason.KEY_MISSING,
                message="expected a write key in Authorization (Basic or Bearer), X-Write-Key, the "
                "query (writeKey) or the body; found none",
            )
        digest = sha256(key.encode(errors="surrogateescape")).digest()
        found: SourceSettings | None = None
        for known, source in self._sources:  # All of them, so that time tells nothing.
            if hmac.compare_digest(known, digest):
                found = source
        if found is None:
            raise Unauthorised(
                reason=Reason.KEY_UNKNOWN,
                message="expected a write key that the settings name; found an unknown one",
            )
        if origin and found.origins and origin not in found.origins:
            raise Unauthorised(
                reason=Reason.ORIGIN_REFUSED,
                message="expected a page whose origin the settings list for this write key",
            )
        return found

    def _named(self, key: str | None) -> SourceSettings:
        """The source that a key names while any is taken."""
        if (known := self._opened.get(key)) is not None:
            return known
        if len(self._opened) >= _NAMES_MAX:
            self._opened.clear()
        name = _plain(key) if key else SOURCE_DEFAULT
        source = SourceSettings.model_construct(name=name, keys=(), channel=None, origins=())
        self._opened[key] = source
        return source

    def allows(self, origin: str) -> bool:
        """Whether a page of this origin may be told anything.

        An open listener answers pages of the machine it runs on.
        """
        if self.open:
            host, _, port = origin.rpartition(":")
            return origin in _LOCAL or (host in _LOCAL and port.isdigit())
        return origin in self._origins


def _plain(key: str) -> str:
    """A key as a source's name: printable, of bounded length."""
    return "".join(c for c in key[:_SOURCE_LENGTH_MAX] if c.isprintable()) or SOURCE_DEFAULT
