"""Signatures: whether the holder of a secret sent exactly this, and lately.

One function a scheme. Each covers the bytes as they came over the wire, compares in constant time,
and asks for the signature before it asks for the time, so that whoever guesses learns nothing.
Which source a request is of, and what was seen before, is left to `webhooks`.

Sources: Twilio's request validator; Zendesk's and Typeform's pages on verifying webhooks; the
Standard Webhooks specification for everything else.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from listeners.calls import Call
from listeners.errors import Reason, Unauthorised
from listeners.exchange import Delivery

PREFIX: Final = "whsec_"
"""What stands before the base64 of a generic scheme's secret."""

FIELDS_MAX: Final = 512
"""Form fields that are read to check a signature; a form of more is not Twilio's."""


TWILIO_ONCE: Final = frozenset(
    {"CallbackSource", "CallDuration", "DialCallSid", "RecordingSid", "SequenceNumber"}
)
"""What only a request has of which, with the same content, a call makes no second one."""

TWILIO_ENDED: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""What `CallStatus` says once a call is over."""


_CALL_SID: Final = re.compile(r"(?<!Parent)(?<!Dial)CallSid(CA[0-9A-Fa-f]{32}|CA)")
_CALL_STATUS: Final = re.compile(
    r"(?<!Dial)CallStatus(queued|initiated|ringing|in-progress|completed|busy|failed|no-answer|"
    r"canceled)"
)
"""What a request of a call is signed with, wherever names and values are cut. A `CallSid` has 34
characters; in Twilio's own examples fewer."""

_SID_LENGTH: Final = 34


class Proof(NamedTuple):
    """What a signature shows.

    Attributes:
        id: Of the delivery, the same when it is sent again; None without one. It is signed, or made
            of what is.
        call: The call that it is of, where that is all that bounds it in time.
    """

    id: str | None
    call: Call | None = None


class Scheme(NamedTuple):
    """One way to sign a request.

    Attributes:
        header: Where the signature stands.
        check: Given the request, the body, one secret, now and the window; raises `Unauthorised`.
        key: The secret as bytes; raises `ValueError` where it is not written as it should be.
    """

    header: str
    check: Callable[[Delivery, bytes, bytes, datetime, timedelta], Proof]
    key: Callable[[str], bytes]


def invalid() -> Unauthorised:
    """The refusal of a request that no active secret signed."""
    return Unauthorised(
        reason=Reason.SIGNATURE_INVALID,
        message="expected a signature by one of the source's secrets over this very request; "
        "behind a proxy the setting public_url has to be the address the sender knows",
    )


def missing() -> Unauthorised:
    """The refusal of a request that is not signed, where its source signs."""
    return Unauthorised(
        reason=Reason.SIGNATURE_MISSING,
        message="expected a signed request of a source whose settings name its secrets",
    )


def expired(window: timedelta) -> Unauthorised:
    """The refusal of a request whose signed time is not now."""
    return Unauthorised(
        reason=Reason.SIGNATURE_EXPIRED,
        message=f"expected a request signed within {window.total_seconds():g} s of now",
    )


def replayed() -> Unauthorised:
    """The refusal of an id that was used for another body."""
    return Unauthorised(
        reason=Reason.SIGNATURE_REPLAYED,
        message="expected a delivery id of its own; this one came with another body before",
    )


def _webhook(request: Delivery, body: bytes, key: bytes, now: datetime, window: timedelta) -> Proof:
    """Standard Webhooks: HMAC-SHA256 over id.timestamp.body; a rotation sends several."""
    headers = request.headers
    named, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not named or len(named) > 256 or not stamp.isascii() or not stamp.isdigit():
        raise invalid()
    signed = f"{named}.{stamp}.".encode(errors="surrogateescape") + body
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))
    given = headers.get("webhook-signature", "").split(" ")
    if not _any_equal((expected,), given):
        raise invalid()
    _check_fresh(_of_epoch(stamp), now, window)
    return Proof(named)


def _zendesk(request: Delivery, body: bytes, key: bytes, now: datetime, window: timedelta) -> Proof:
    """Base64 HMAC-SHA256 over timestamp and body. An older page has them the other way round."""
    stamp = request.headers.get("X-Zendesk-Webhook-Signature-Timestamp", "")
    time = stamp.encode(errors="surrogateescape")
    expected = tuple(
        base64.b64encode(hmac.digest(key, signed, "sha256"))
        for signed in (time + body, body + time)
    )
    if not stamp or not _any_equal(expected, [request.headers["X-Zendesk-Webhook-Signature"]]):
        raise invalid()
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        raise invalid() from None
    _check_fresh(at if at.tzinfo else at.replace(tzinfo=UTC), now, window)
    return Proof(None)


def _typeform(
    request: Delivery, body: bytes, key: bytes, now: datetime, window: timedelta
) -> Proof:
    """`sha256=` and base64 HMAC-SHA256 over the body. No time is signed."""
    expected = b"sha256=" + base64.b64encode(hmac.digest(key, body, "sha256"))
    if not _any_equal((expected,), [request.headers["Typeform-Signature"]]):
        raise invalid()
    return Proof(None)


def _twilio(request: Delivery, body: bytes, key: bytes, now: datetime, window: timedelta) -> Proof:
    """Base64 HMAC-SHA1 over the address and, by name, each form field's name and values.

    A body that is no form is signed by its hash, `bodySHA256` in the address. No time is signed,
    and no header: a token is the id of a delivery only together with what is signed, so that
    nobody can take the id of another one.
    """
    claimed = dict(parse_qsl(request.query)).get("bodySHA256")
    pairs: list[tuple[str, str]] = []
    if claimed is not None:
        if not hmac.compare_digest(sha256(body).hexdigest().encode(), _bytes(claimed.lower())):
            raise invalid()
    else:
        pairs = _pairs(body)
    fields = joined(pairs)
    given = [request.headers["X-Twilio-Signature"]]
    expected = tuple(
        base64.b64encode(hmac.digest(key, _bytes(url + fields), "sha1"))
        for url in _with_and_without_port(request.url)
    )
    if not _any_equal(expected, given):
        raise invalid()
    _check_cut(dict(pairs), fields)
    token = request.headers.get("I-Twilio-Idempotency-Token")
    named = token and sha256(_bytes("\n".join((request.url, fields, token)))).hexdigest()
    return Proof(named, _call_of(dict(pairs)))


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise invalid() from None


def _check_cut(fields: Mapping[str, str], signed: str) -> None:
    """Refuse a form that was cut so that its call, or how that stands, is another.

    Twilio joins names and values without anything between, so that `CallSid=CA1` has the signature
    of `CallSi=dCA1`; as a form of no call, or of one that nobody knows, it would never be too old.
    """
    sids, statuses = _CALL_SID.findall(signed), _CALL_STATUS.findall(signed)
    sid = fields.get("CallSid", "")
    if sids and not (len(sid) <= _SID_LENGTH and sid.startswith(tuple(sids))):
        raise invalid()
    if statuses and fields.get("CallStatus") not in statuses:
        raise invalid()


def _call_of(fields: Mapping[str, str]) -> Call | None:
    """The call that a form is of; what is told once of it may come after its end."""
    named = fields.get("CallSid")
    if not named:
        return None
    return Call(named, TWILIO_ONCE.isdisjoint(fields), fields.get("CallStatus") in TWILIO_ENDED)


def joined(pairs: Iterable[tuple[str, str]]) -> str:
    """A form's fields as Twilio joins them: sorted names, each with its sorted, unique values."""
    values: dict[str, set[str]] = {}
    for name, value in pairs:
        values.setdefault(name, set()).add(value)
    return "".join(name + value for name in sorted(values) for value in sorted(values[name]))


def _with_and_without_port(url: str) -> Iterator[str]:
    """The address as it is, and with the default port added or taken away: senders differ."""
    yield url
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    try:
        port = urlsplit(url).port
    except ValueError:
        return
    default = {"http": 80, "https": 443}.get(scheme)
    if port is None:
        yield f"{scheme}://{host}:{default}{slash}{path}"
    elif port == default:
        yield f"{scheme}://{host.rpartition(':')[0]}{slash}{path}"


def _any_equal(expected: tuple[bytes, ...], given: list[str]) -> bool:
    """Whether one of those given is one of those expected; time tells nothing."""
    found = False
    for one in given:
        for own in expected:
            found |= hmac.compare_digest(own, _bytes(one))
    return found


def _check_fresh(at: datetime, now: datetime, window: timedelta) -> None:
    if abs(now - at) > window:
        raise expired(window)


def _of_epoch(stamp: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(stamp), UTC)
    except (OverflowError, ValueError, OSError):
        raise invalid() from None


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _decoded(secret: str) -> bytes:
    """A generic secret: base64 after `whsec_`."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < 16 or not secret.startswith(PREFIX):
        message = 'expected "whsec_" and the base64 of 16 bytes or more'
        raise ValueError(message)
    return key


def _plain(secret: str) -> bytes:
    """A vendor's secret, as its console shows it."""
    if len(secret) < 8:
        message = "expected a secret of 8 characters or more"
        raise ValueError(message)
    return secret.encode()


SCHEMES: Final[Mapping[str, Scheme]] = {
    "webhook": Scheme("webhook-signature", _webhook, _decoded),
    "twilio": Scheme("X-Twilio-Signature", _twilio, _plain),
    "typeform": Scheme("Typeform-Signature", _typeform, _plain),
    "zendesk": Scheme("X-Zendesk-Webhook-Signature", _zendesk, _plain),
}
"""Every scheme by the name that a source's settings give it."""
