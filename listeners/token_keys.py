"""The public keys that a service signs its tokens with: fetched when they are needed, and kept.

They stand at an address - an OpenID configuration, which names the list of keys, or that list - or
in a file. A token that names a key that is not known makes the list be read again, though not more
often than once a minute, so that whoever invents tokens makes no traffic. Whose key is known never
waits for a reading. What a key is good for is left to `tokens`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import jwt
from aiohttp import ClientError, ClientSession, ClientTimeout

from listeners.errors import Unavailable
from listeners.settings import is_safe

FRESH: Final = timedelta(hours=24)
"""How old a list may be before it is read again. Source: Microsoft's page on those keys."""

PAUSE: Final = timedelta(minutes=1)
"""The shortest time between two readings (P)."""

PATIENCE: Final = 10.0
"""Seconds that an address may take."""

BYTES_MAX: Final = 1_048_576
"""Bytes of a list; Microsoft's has some 20,000."""


class Key(NamedTuple):
    """One key.

    Attributes:
        public: What a signature is checked with.
        endorsed: The channels it may speak for; any, where the list does not say.
    """

    public: jwt.PyJWK
    endorsed: frozenset[str]


class KeysMissing(Exception):
    """A list cannot be read; the message says why, for the log."""


class Keys:
    """The keys of one list.

    Args:
        where: Its address, or a path.
        said: Called with what is wrong, as often as a reading fails.
        read: How an address is read.
    """

    def __init__(
        self,
        where: str,
        said: Callable[[str], None],
        read: "Callable[[str], Awaitable[bytes]] | None" = None,
    ) -> None:
        self._where = where
        self._said = said
        self._read = read or fetched
        self._keys: dict[str, Key] = {}
        self._read_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._reading: asyncio.Task[None] | None = None

    async def key(self, named: str, now: datetime) -> Key | None:
        """The key of a name; None where the list has none.

        A known one is given at once, though its list be old and read anew meanwhile.

        Raises:
            Unavailable: There is no list to look at yet.
        """
        reading = self._under_way()
        if reading is None and self._lacks(named, now):
            self._asked_at = now
            reading = self._reading = asyncio.create_task(
                self._refresh(now), name=f"keys of {self._where}"
            )
        if reading is not None and named not in self._keys:
            await asyncio.shield(reading)  # Whoever goes away stops it for nobody else.
        if self._read_at is None:
            raise Unavailable(retry_after=PAUSE, reason=f"no keys from {self._where} yet")
        return self._keys.get(named)

    async def close(self) -> None:
        """End a reading that is under way."""
        reading = self._under_way()
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])

    def _under_way(self) -> asyncio.Task[None] | None:
        reading = self._reading
        return None if reading is None or reading.done() else reading

    def _lacks(self, named: str, now: datetime) -> bool:
        if self._asked_at is not None and now - self._asked_at < PAUSE:
            return False
        return named not in self._keys or self._read_at is None or now - self._read_at > FRESH

    async def _refresh(self, now: datetime) -> None:
        """Read the list anew; where that fails the old one stays."""
        try:
            self._keys = keys_in(await self._listed())
        except KeysMissing as why:
            self._said(f"{self._where}: {why}")
            return
        self._read_at = now

    async def _listed(self) -> Any:
        told = _json(await self._read(self._where))
        if isinstance(told, dict) and isinstance(told.get("jwks_uri"), str):
            told = _json(await self._read(told["jwks_uri"]))
        return told


def keys_in(told: Any) -> dict[str, Key]:
    """The RSA keys of a JWKS (RFC 7517) by their names; others are passed over.

    Raises:
        KeysMissing: It is no JWKS, or has none.
    """
    listed = told.get("keys") if isinstance(told, dict) else None
    found = {}
    for one in listed if isinstance(listed, list) else ():
        if not isinstance(one, dict) or not one.get("kid"):
            continue
        try:
            public = jwt.PyJWK.from_dict(one, algorithm="RS256")
        except (jwt.PyJWTError, ValueError, KeyError):
            continue
        endorsed = one.get("endorsements")
        channels = endorsed if isinstance(endorsed, list) else ()
        found[str(one["kid"])] = Key(public, frozenset(map(str, channels)))
    if not found:
        message = "expected a list of keys (JWKS) with an RSA key; found none"
        raise KeysMissing(message)
    return found


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        message = "expected JSON; found something else"
        raise KeysMissing(message) from error


async def fetched(where: str) -> bytes:
    """What stands at an address, or in a file.

    Raises:
        KeysMissing: Nothing does, or too much.
    """
    if not where.startswith(("https://", "http://")):
        try:
            return await asyncio.to_thread(Path(where).read_bytes)
        except OSError as error:
            raise KeysMissing(error.strerror or "cannot be read") from error
    if not is_safe(where):
        message = f"expected an address with https; found {where}"
        raise KeysMissing(message)
    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=PATIENCE)) as client,
            client.get(where, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                message = f"expected 200; found {answer.status}"
                raise KeysMissing(message)
            found = await answer.content.read(BYTES_MAX + 1)
            while not answer.content.at_eof() and len(found) <= BYTES_MAX:
                found += await answer.content.read(BYTES_MAX + 1 - len(found))
    except (ClientError, TimeoutError, OSError) as error:
        raise KeysMissing(str(error) or type(error).__name__) from error
    if len(found) > BYTES_MAX:
        message = f"expected at most {BYTES_MAX} bytes"
        raise KeysMissing(message)
    return found
