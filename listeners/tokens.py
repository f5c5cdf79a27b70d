"""Bearer tokens: whether Microsoft's Bot Connector sent a request, by the token that it shows.

A token is signed by its maker and says for whom it is and until when. It does not cover the body:
of that only the address of the service is in it, so TLS has to keep the rest. One that is no longer
good tells nothing, whatever it says. What was sent twice is absorbed by the activities' own ids.

Sources: Microsoft's page on authenticating requests from the Bot Connector service to a bot, and
the check of its own library, which compares the claim `serviceurl` and the key's endorsements.
"""

from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
import msgspec

from listeners.adapters.brackets import FAULTS
from listeners.errors import Reason, Unauthorised, Unavailable
from listeners.exchange import Delivery
from listeners.settings import ListenerSettings, SourceSettings
from listeners.signatures import expired, invalid
from listeners.token_keys import Key, Keys
from listeners.webhooks import Signed

SCHEME: Final = "botframework"
"""What a source's `signed` says."""

_ALGORITHMS: Final = ["RS256"]
_UNCHECKED: Final = {  # Times are compared with the listener's own clock, below.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "require": ["exp", "iss", "aud"],
}


class _Header(msgspec.Struct):
    """What a token says of its own signature (RFC 7515); `alg` is what makes it one."""

    alg: str
    kid: str = ""


class _Activity(msgspec.Struct):
    """What a token may be compared with."""

    serviceUrl: Any = None
    channelId: Any = None


_decode: Final = msgspec.json.Decoder(_Activity).decode
_decode_header: Final = msgspec.json.Decoder(_Header).decode


class Tokens:
    """The sources whose requests show a token.

    Args:
        settings: The sources, and how far a clock may be off.
        said: Called with what is wrong where keys cannot be read.
    """

    def __init__(self, settings: ListenerSettings, said: Callable[[str], None]) -> None:
        self._sources = [source for source in settings.sources if source.signed == SCHEME]
        self._keys = {source.token_keys: Keys(source.token_keys, said) for source in self._sources}
        self._window = settings.signature_window

    def __bool__(self) -> bool:
        """Whether there is any such source."""
        return bool(self._sources)

    async def verified(self, body: bytes, request: Delivery, now: datetime) -> Signed | None:
        """Whose request it is, by its token.

        Returns:
            None where it shows none: what it bears may be a write key.

        Raises:
            Unauthorised: It shows one, which is not good for this request, or not now.
            Unavailable: It is good for no source whose keys can be read, and those of another
                cannot.
        """
        shown = token_in(request.headers)
        if shown is None:
            return None
        token, named = shown
        activity = _activity(body)
        unread: Unavailable | None = None
        for source in self._sources:
            try:
                key = await self._keys[source.token_keys].key(named, now)
            except Unavailable as error:
                unread = error
                continue
            claims = None if key is None else _claims(token, key, source)
            if key is None or claims is None or not _fits(claims, key, activity):
                continue
            _check_times(claims, now, self._window)
            return Signed(source, None, b"")
        raise unread or invalid()

    async def close(self) -> None:
        """Read no more keys."""
        for keys in self._keys.values():
            await keys.close()


def token_in(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The token in `Authorization`, and the name of its key; None where that holds none.

    A write key may have three parts too: a token is what begins with a token's header.
    """
    scheme, _, rest = headers.get("Authorization", "").partition(" ")
    rest = rest.strip()
    if scheme.lower() != "bearer" or rest.count(".") != 2:
        return None
    first = rest.partition(".")[0]
    try:
        header = _decode_header(urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except FAULTS:
        return None
    return rest, header.kid


def check_alone(items: Sequence[bytes], body: bytes) -> None:
    """Refuse what is more than the activity that a token was compared with.

    A body is cut up after the token was looked at; a wrapper that names the right service and
    channel would let in activities of any other.

    Raises:
        Unauthorised: The body holds several activities, or wraps one.
    """
    if [item.strip() for item in items] != [body.strip()]:
        raise Unauthorised(
            reason=Reason.SIGNATURE_INVALID,
            message="expected the one activity that the token is for; found a batch",
        )


def _claims(token: str, key: Key, source: SourceSettings) -> dict[str, Any] | None:
    """What a token says, where this key signed it, its maker is right and it is for this source."""
    try:
        return jwt.decode(
            token,
            key.public,
            algorithms=_ALGORITHMS,
            audience=source.app_ids,
            issuer=source.token_issuer,
            options=_UNCHECKED,  # type: ignore[arg-type]
        )
    except (jwt.PyJWTError, *FAULTS):
        return None


def _activity(body: bytes) -> _Activity:
    """The one activity of a request; the Connector sends no more at once."""
    try:
        return _decode(body)
    except FAULTS:
        raise invalid() from None


def _fits(claims: Mapping[str, Any], key: Key, activity: _Activity) -> bool:
    """Whether it is about the service that the activity names, by a key that may speak for it."""
    service = claims.get("serviceurl") or claims.get("serviceUrl")
    if not isinstance(service, str) or service != activity.serviceUrl:
        return False
    channel = activity.channelId
    return not key.endorsed or (isinstance(channel, str) and channel in key.endorsed)


def _check_times(claims: Mapping[str, Any], now: datetime, window: timedelta) -> None:
    """Refuse a token that is over, or not yet good, by more than clocks differ."""
    try:
        until = datetime.fromtimestamp(int(claims["exp"]), UTC)
        since = datetime.fromtimestamp(int(claims.get("nbf") or 0), UTC)
        good = since - window <= now <= until + window
    except (ValueError, TypeError, OverflowError, OSError):
        raise invalid() from None
    if not good:
        raise expired(window)
