"""Receipts of erasure: what was erased, sealed with a key, and naming nobody.

A receipt holds keyed digests of what it is about, never the values: it can be kept and shown, and
whoever has the key can check that it is genuine and look whether anything is left.
"""

import hmac
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec

from pipeline.errors import PipelineError

DIGEST_LENGTH: Final = 32
"""Hex digits: 128 bits."""

_PURPOSE: Final = b"touchpoints erasure receipt 1"


class ReceiptInvalid(PipelineError):
    """A receipt cannot be believed. The message says why."""


class Removed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was done in one partition of a topic.

    Attributes:
        removed: Records that are gone.
        rewritten: Records of others that named the customer, and no longer do.
    """

    removed: int = 0
    rewritten: int = 0


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased, when, and how to tell that it was.

    Attributes:
        id: Of this erasure.
        erased_at: What was received by then is gone; what came later is new.
        runtime: `embedded` or `kafka`.
        identifiers: Digests of the identifiers that were only this customer's.
        shared: How many further ones were others', too, and stay theirs.
        customers: Digests of the customers' ids.
        topics: By topic and partition, what was done.
        states: By stage, how many states went or were rewritten.
        dead_letters_unread: Dead letters whose content was cut or is not text: they could be looked
            through only for what stands there literally.
        remains: What stays for how long, in words; empty where nothing does.
        signature: HMAC-SHA-256 over all the rest; empty until it is sealed.
    """

    id: str
    erased_at: datetime
    runtime: str
    identifiers: tuple[str, ...]
    shared: int
    customers: tuple[str, ...]
    topics: dict[str, dict[str, Removed]]
    states: dict[str, Removed]
    dead_letters_unread: int = 0
    remains: tuple[str, ...] = ()
    signature: str = ""


class Seal:
    """Signs receipts and digests what they name.

    Args:
        secret: The key that also hashes personal identifiers; receipts have one derived from it.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _PURPOSE, "sha256")
        self.digest = lru_cache(maxsize=100_000)(self._digest)

    def _digest(self, name: str) -> str:
        return hmac.digest(self._key, name.encode(), "sha256").hex()[:DIGEST_LENGTH]

    def digests(self, names: Iterable[str]) -> tuple[str, ...]:
        """Of several, sorted, so that their order tells nothing."""
        return tuple(sorted(map(self.digest, names)))

    def sealed(self, receipt: Receipt) -> Receipt:
        """The receipt with its signature."""
        return msgspec.structs.replace(receipt, signature=self._signature(receipt))

    def opened(self, text: bytes) -> Receipt:
        """A receipt from its JSON.

        Raises:
            ReceiptInvalid: It is none, was changed, or another key sealed it.
        """
        try:
            receipt = msgspec.json.decode(text, type=Receipt, strict=True)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            message = f"expected a receipt of `touchpoints erase`; found {error}"
            raise ReceiptInvalid(message) from error
        if not hmac.compare_digest(receipt.signature, self._signature(receipt)):
            message = (
                "expected a receipt as it was written, and sealed with the key of these settings; "
                "found another signature. It was changed, or --settings names another key."
            )
            raise ReceiptInvalid(message)
        return receipt

    def _signature(self, receipt: Receipt) -> str:
        unsigned = msgspec.structs.replace(receipt, signature="")
        content = msgspec.json.encode(unsigned, order="sorted")
        return hmac.digest(self._key, content, "sha256").hex()
