"""Bodies: from the bytes on the wire to the bytes of JSON. Labels are never trusted.

What a body is shows in its first bytes: emitters send gzip without saying so, and JSON as text or
as a form. Inflating stops at the cap, so a bomb costs no more than the largest honest body.
"""

import zlib
from typing import Final

import cramjam

from listeners.errors import Reason, TooLarge, Unreadable
from listeners.exchange import Delivery

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZLIB_FIRST: Final = 0x78
_WHITE: Final = b" \t\r\n"
_AUTOMATIC: Final = 47  # zlib's 15 + 32: gzip or zlib, as the header says.
_RAW: Final = -15
_PIECE: Final = 4096  # zlib copies what is behind a member's end: of all of it, a bomb of time.


def opened(body: bytes, encoding: str | None, bytes_max: int) -> bytes:
    """The JSON bytes of a body, inflated where it is compressed, without white space around.

    Args:
        body: As received.
        encoding: The `Content-Encoding`, a hint for raw deflate only.
        bytes_max: The most bytes, before and after inflating.

    Raises:
        TooLarge: More than `bytes_max`.
        Unreadable: Empty, cut short, more behind its end than further members of gzip, compressed
            twice or in a way we do not know.
    """
    if len(body) > bytes_max:
        raise too_large(bytes_max)
    if body[:2] == GZIP or (body[:1] == b"\x78" and _is_zlib(body)):
        body = _inflated(body, _AUTOMATIC, bytes_max)
        if body[:2] == GZIP:
            raise Unreadable(
                reason=Reason.ENCODING_UNKNOWN,
                message="expected a body compressed once; found it compressed twice",
            )
    elif body[:4] == ZSTD:
        body = _unzstd(body, bytes_max)
    elif encoding and body[:1] not in (b"{", b"["):
        body = _by_label(body, encoding.strip().lower(), bytes_max)
    text = body.strip(_WHITE)
    if not text:
        raise Unreadable(reason=Reason.EMPTY_BODY, message="expected JSON; found an empty body")
    return text


def delivered(body: bytes, delivery: Delivery, bytes_max: int) -> bytes:
    """`opened`, for a body of which nothing but its encoding need be known."""
    return opened(body, delivery.encoding, bytes_max)


def too_large(bytes_max: int) -> TooLarge:
    """The refusal of a body beyond the cap."""
    return TooLarge(
        reason=Reason.BODY_TOO_LARGE,
        message=f"expected at most {bytes_max} bytes; found more",
    )


def _is_zlib(body: bytes) -> bool:
    """Whether the first two bytes are a zlib header: they are a multiple of 31."""
    return len(body) > 1 and (_ZLIB_FIRST * 256 + body[1]) % 31 == 0


def _by_label(body: bytes, encoding: str, bytes_max: int) -> bytes:
    if encoding == "deflate":
        return _inflated(body, _RAW, bytes_max)
    if encoding in ("gzip", "x-gzip", "identity"):  # It is not; whoever labelled it inflated it.
        return body
    raise Unreadable(
        reason=Reason.ENCODING_UNKNOWN,
        message="expected a Content-Encoding of gzip, deflate or zstd, or none",
    )


def _unzstd(body: bytes, bytes_max: int) -> bytes:
    text = bytearray(bytes_max + 1)
    try:
        size = cramjam.zstd.decompress_into(body, text)
    except cramjam.DecompressionError as error:
        if "whole buffer" in str(error):
            raise too_large(bytes_max) from error
        raise Unreadable(
            reason=Reason.NOT_INFLATABLE,
            message="expected a whole zstd stream; found one that does not inflate",
        ) from error
    if size > bytes_max:
        raise too_large(bytes_max)
    return bytes(text[:size])


def _inflated(body: bytes, window: int, bytes_max: int) -> bytes:
    """All members of a gzip body, one after the other, as RFC 1952 has it; else the one stream."""
    text, sent = bytearray(), memoryview(body)
    while True:
        try:
            sent = _member(sent, window, bytes_max, text)
        except zlib.error as error:
            raise _not_whole(found="one that does not inflate") from error
        if not sent:
            return bytes(text)
        if body[:2] != GZIP or bytes(sent[:2]) != GZIP:
            raise _not_whole(found=f"{len(sent)} more bytes behind its end")


def _member(sent: memoryview, window: int, bytes_max: int, text: bytearray) -> memoryview:
    """Inflate one member onto the end of `text`; what stands behind it is returned."""
    inflater = zlib.decompressobj(window)
    while not inflater.eof:
        if not sent:
            raise _not_whole(found="one cut short")
        piece = sent[:_PIECE]
        text += inflater.decompress(piece, bytes_max + 1 - len(text))
        if len(text) > bytes_max:
            raise too_large(bytes_max)
        sent = sent[len(piece) - len(inflater.unused_data) :]
    return sent


def _not_whole(*, found: str) -> Unreadable:
    return Unreadable(
        reason=Reason.NOT_INFLATABLE,
        message=f"expected a whole gzip or deflate stream; found {found}",
    )
