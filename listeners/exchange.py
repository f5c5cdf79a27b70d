"""What goes into a listener and what comes out, whoever carries it."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from listeners.errors import ItemRefused
from schemas.codec import encode

NO_HEADERS: Final[Mapping[str, str]] = {}


class Delivery(NamedTuple):
    """What is known of a body beside its bytes.

    Attributes:
        dialect: A key of `dialects.DIALECTS`.
        call: What the path says of the items' type, where the dialect has one.
        key: The write key, where the headers or the query have one.
        origin: The page it comes from, where a browser says so.
        encoding: The `Content-Encoding`; a hint.
        peer: The address it came from; tells one server's clock from another's.
        headers: The request's, by names in any case.
        query: The request's, as sent.
        url: The whole address as its sender knows it, where a signature covers that.
    """

    dialect: str = "native"
    call: str | None = None
    key: str | None = None
    origin: str | None = None
    encoding: str | None = None
    peer: str = ""
    headers: Mapping[str, str] = NO_HEADERS
    query: str = ""
    url: str = ""


class Receipt(NamedTuple):
    """What the emitter learns.

    Attributes:
        accepted: How many items are durable.
        rejected: How many were refused; each is a dead letter.
        items: One JSON object each, in the order of the body.
        batch: Whether the body was a batch; the fate of a lone item is that of its request.
        fault: The first refusal.
        answer: What this very request wants to read instead of the receipt.
    """

    accepted: int
    rejected: int
    items: Sequence[bytes]
    batch: bool
    fault: ItemRefused | None = None
    answer: "Answer | None" = None

    @property
    def refused(self) -> bool:
        """Whether the request was one item, and that was refused."""
        return not self.batch and self.fault is not None

    def body(self) -> bytes:
        """The receipt as JSON, as the emitter reads it."""
        if self.fault is not None and not self.batch:
            head = b'{"success":false,"status":0,"code":%b,"message":%b,' % (
                encode(self.fault.reason),
                encode(str(self.fault)),
            )
        else:
            head = b'{"success":true,"status":1,'
        counts = b'"accepted":%d,"rejected":%d,' % (self.accepted, self.rejected)
        return b'%b%b"receipts":[%b]}' % (head, counts, b",".join(self.items))


class Answer(NamedTuple):
    """What is said to the emitter of a receipt, by HTTP's words.

    Attributes:
        body: The bytes.
        content_type: What they are.
        headers: More of them, such as `Cache-Control`.
    """

    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = NO_HEADERS


def receipted(receipt: Receipt) -> Answer:
    """The receipt itself, as nearly every dialect is answered."""
    return Answer(receipt.body())
