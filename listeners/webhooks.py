"""Webhooks: whose signed request this is, and whether it came before.

A sender that holds a secret need not send a key: the source is the one whose secret fits. Two
secrets may be active at once, so that a rotation has no gap. What a signature covers stands in
`signatures`.
"""

import hmac
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from listeners.calls import Call, Calls
from listeners.errors import Unauthorised
from listeners.exchange import Delivery
from listeners.settings import ListenerSettings, SourceSettings
from listeners.signatures import SCHEMES, expired, invalid, replayed


class Signed(NamedTuple):
    """A request whose signature fits.

    Attributes:
        source: Whose secret it is.
        id: The sender's id of the delivery; None where the scheme has none.
        digest: Of the body, to know a repeat from another body under the same id.
        call: The call that it is of, where that is all that bounds it in time.
    """

    source: SourceSettings
    id: str | None
    digest: bytes
    call: Call | None = None


class Webhooks:
    """The sources that sign, and the deliveries that were made durable.

    What is remembered is this process's own and bounded. Beyond it a repeat is absorbed by the ids
    of its touchpoints, which are derived from what was signed.
    """

    def __init__(self, settings: ListenerSettings) -> None:
        self._window: timedelta = settings.signature_window
        self._ids_max = settings.delivery_ids_max
        self._keys = {
            name: [
                (source, SCHEMES[name].key(secret.get_secret_value()))
                for source in settings.sources
                if source.signed == name
                for secret in source.secrets
            ]
            for name in SCHEMES
        }
        self._delivered: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._calls = Calls(settings.delivery_ids_max, settings.signature_window)

    def verified(
        self, body: bytes, request: Delivery, schemes: Sequence[str], now: datetime
    ) -> Signed | None:
        """Whose request it is, by its signature.

        Args:
            body: As it came over the wire.
            request: Its address and headers.
            schemes: Those that its route takes, the vendor's own first.
            now: By the listener's clock.

        Returns:
            None where it is not signed in any of these ways.

        Raises:
            Unauthorised: It is, and no secret fits, or it is not of now.
        """
        for name in schemes:
            if SCHEMES[name].header in request.headers:
                return self._verified(name, body, request, now)
        return None

    def _verified(self, name: str, body: bytes, request: Delivery, now: datetime) -> Signed:
        found: Signed | None = None
        stale = False
        for source, key in self._keys[name]:  # All of them, so that time tells nothing.
            try:
                proof = SCHEMES[name].check(request, body, key, now, self._window)
            except Unauthorised as refused:
                stale = stale or refused.reason == expired(self._window).reason
                continue
            found = Signed(source, proof.id, sha256(body).digest(), proof.call)
        if found is not None:
            return found
        raise expired(self._window) if stale else invalid()

    def came_before(self, signed: Signed, now: datetime) -> bool:
        """Whether this very delivery was made durable before.

        Raises:
            Unauthorised: Its id was, with another body; or it did not, and its call is over.
        """
        before = None
        if signed.id is not None:
            before = self._delivered.get((signed.source.name, signed.id))
        if before is None:
            if signed.call is not None:
                self._calls.check(signed.source.name, signed.call, now)
            return False
        if not hmac.compare_digest(before, signed.digest):
            raise replayed()
        return True

    def remember(self, signed: Signed, now: datetime) -> None:
        """The delivery is durable: the same again is nothing new."""
        if signed.call is not None:
            self._calls.remember(signed.source.name, signed.call, now)
        if signed.id is None:
            return
        self._delivered[signed.source.name, signed.id] = signed.digest
        if len(self._delivered) > self._ids_max:
            self._delivered.popitem(last=False)
