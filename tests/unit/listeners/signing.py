"""Requests signed as vendors sign them, written anew from their documents."""

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from multidict import CIMultiDict

from listeners.dialects import DIALECTS
from listeners.exchange import Delivery
from tests.unit.listeners.doors import NOON, Door

BASE = "https://in.example.com"
WEBHOOK_SECRETS = [
    "whsec_" + base64.b64encode(f"{name} secret of thirty bytes or so".encode()).decode()
    for name in ("old", "new", "other")
]
TWILIO_TOKEN = "0123456789abcdef0123456789abcdef"


def hmac_of(algorithm: str, key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, algorithm).digest()).decode()


def webhook_headers(
    body: bytes, *secrets: str, named: str = "msg-1", at: float | None = None
) -> dict[str, str]:
    """The generic scheme's three headers."""
    stamp = str(int(NOON.timestamp() if at is None else at))
    signatures = [
        "v1,"
        + hmac_of(
            "sha256",
            base64.b64decode(secret.removeprefix("whsec_")),
            f"{named}.{stamp}.".encode() + body,
        )
        for secret in secrets or WEBHOOK_SECRETS[:1]
    ]
    return {
        "webhook-id": named,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(signatures),
    }


def twilio_signature(url: str, pairs: list[tuple[str, str]], token: str = TWILIO_TOKEN) -> str:
    text = url
    for name in sorted({name for name, _ in pairs}):
        for value in sorted({value for key, value in pairs if key == name}):
            text += name + value
    return hmac_of("sha1", token.encode(), text.encode())


def zendesk_headers(body: bytes, secret: str, at: str) -> dict[str, str]:
    return {
        "X-Zendesk-Webhook-Signature-Timestamp": at,
        "X-Zendesk-Webhook-Signature": hmac_of("sha256", secret.encode(), at.encode() + body),
    }


def typeform_headers(body: bytes, secret: str) -> dict[str, str]:
    return {"Typeform-Signature": "sha256=" + hmac_of("sha256", secret.encode(), body)}


def request(dialect: str, headers: dict[str, str], url: str = f"{BASE}/x", **more: Any) -> Delivery:
    """A delivery as a vendor makes it."""
    return Delivery(
        dialect,
        DIALECTS[dialect].routes[0].call,
        headers=CIMultiDict(headers),
        query=url.partition("?")[2],
        url=url,
        **more,
    )


def form(pairs: list[tuple[str, str]]) -> bytes:
    return urlencode(pairs).encode()


def sha256_hex(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def minutes(count: float) -> float:
    return (NOON + timedelta(minutes=count)).timestamp()


def signing_door(signed: str, *secrets: str, **source: Any) -> Door:
    """A listener with one source that signs, and another that has a key only."""
    return Door(
        public_url=BASE,
        sources=[
            {"name": "server", "signed": signed, "secrets": list(secrets), **source},
            {"name": "keyed", "keys": ["sha256:" + sha256_hex(b"keyed-key")]},
        ],
    )
