"""Storing: what is kept of a watched touchpoint as bytes, and back.

Two hours of minutes are most of it, and nearly all of them say no more than how many votes one
partition saw: so they are stored as columns of small numbers, in a quarter of the bytes. Where
something breaks in most minutes, or many partitions speak, that is still much, and much alike: then
it is compressed, too.
"""

import zlib
from array import array
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import msgspec

from pipeline.stitching.minutes import Minute, Part
from pipeline.stitching.watched import Watched

COMPRESSED_FROM: Final = 2_500
"""Bytes of a state (P): most are fewer, and not worth the time."""


def pack(state: Watched) -> bytes:
    """A state as bytes. It is changed meanwhile, and as it was afterwards."""
    minutes = [(series, series.minutes) for series in state.series.values()]
    try:
        for series, kept in minutes:
            series.minutes, series.packed = [], packed_minutes(kept)
        packed = _encoder.encode(state)
    finally:
        for series, kept in minutes:
            series.minutes, series.packed = kept, b""
    return packed if len(packed) < COMPRESSED_FROM else zlib.compress(packed, 1)


def unpack(packed: bytes) -> Watched:
    """The state that was packed."""
    if packed.startswith(_ZLIB):
        packed = zlib.decompress(packed)
    state = _decode_watched(packed)
    for series in state.series.values():
        if series.packed:
            series.minutes, series.packed = unpacked_minutes(series.packed), b""
    return state


class Columns(msgspec.Struct, array_like=True, gc=False):
    """Minutes as they are stored: what is the same of nearly all of them stands side by side.

    Attributes:
        first: Minutes are counted from here.
        at: When a partition saw sound votes.
        votes: How many.
        partitions: Whose; 0 is nobody's any more, 1 the first partition's.
        rest: Minutes that say more.
    """

    first: int
    at: bytes
    votes: bytes
    partitions: bytes
    rest: list[Minute]


def packed_minutes(minutes: Sequence[Minute]) -> bytes:
    """Minutes in few bytes. Those of sound votes take three for each partition."""
    first = minutes[0].at if minutes else 0
    # Nearly all; this is done with every commit.
    plain = [one for one in minutes if not (one.broken or one.customers or type(one.parts) is dict)]
    at = [one.at - first for one in plain]
    votes = [one.votes for one in plain]
    partitions = [0 if one.parts is None else one.parts + 1 for one in plain]  # type: ignore[operator]
    rest: list[Minute] = []
    if len(plain) < len(minutes):
        for one in minutes:
            if isinstance(one.parts, dict) and _is_sound(one.parts):
                at += [one.at - first] * len(one.parts)
                votes += [part.votes for part in one.parts.values()]
                partitions += [number + 1 for number in one.parts]
            elif one.broken or one.customers or isinstance(one.parts, dict):
                rest.append(one)
    columns = Columns(first, _column(at), _column(votes), _column(partitions), rest)
    return _encoder.encode(columns)


def _is_sound(parts: dict[int, Part]) -> bool:
    """Whether partitions said no more than how many votes there were."""
    return not any(p.broken or p.customers or p.reasons or p.samples for p in parts.values())


def unpacked_minutes(packed: bytes) -> list[Minute]:
    """The minutes that were packed."""
    columns = _decode_columns(packed)
    minutes: list[Minute] = []
    last = Minute(-1, 0, 0, 0)
    for after, votes, partition in zip(
        _values(columns.at), _values(columns.votes), _values(columns.partitions), strict=True
    ):
        at = columns.first + after
        if at != last.at:
            last = Minute(at, votes, 0, 0, partition - 1 if partition else None)
            minutes.append(last)
            continue
        if isinstance(last.parts, int):
            last.parts = {last.parts: Part(last.votes, 0, 0)}
        assert isinstance(last.parts, dict)
        last.parts[partition - 1] = Part(votes, 0, 0)
        last.votes += votes
    minutes += columns.rest
    minutes.sort(key=_at)
    return minutes


def _column(values: list[int]) -> bytes:
    """Whole numbers, each in as few bytes as the largest takes, behind what says how many."""
    for code in "BHI":
        try:
            return code.encode() + array(code, values).tobytes()
        except OverflowError:
            pass
    return b"Q" + array("Q", values).tobytes()


def _values(column: bytes) -> Sequence[int]:
    return array(chr(column[0]), column[1:])


_ZLIB: Final = b"\x78"
"""What zlib writes first, and never what msgpack writes of a struct."""

_at: Final = attrgetter("at")
_encoder: Final = msgspec.msgpack.Encoder()
_decode_columns: Final = msgspec.msgpack.Decoder(Columns).decode
_decode_watched: Final = msgspec.msgpack.Decoder(Watched).decode
