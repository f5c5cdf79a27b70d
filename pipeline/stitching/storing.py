"""Storing: what is kept of a watched touchpoint as bytes, and back.

Two hours of minutes are most of it, and nearly all of them say no more than how many votes one
partition saw: so they are stored as columns of small numbers, in a quarter of the bytes.
"""

from array import array
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import msgspec

from pipeline.stitching.minutes import Minute, Part
from pipeline.stitching.watched import Watched


def pack(state: Watched) -> bytes:
    """A state as bytes. It is changed meanwhile, and as it was afterwards."""
    minutes = [(series, series.minutes) for series in state.series.values()]
    try:
        for series, kept in minutes:
            series.minutes, series.packed = [], packed_minutes(kept)
        return _encoder.encode(state)
    finally:
        for series, kept in minutes:
            series.minutes, series.packed = kept, b""


def unpack(packed: bytes) -> Watched:
    """The state that was packed."""
    state = _decode_watched(packed)
    for series in state.series.values():
        if series.packed:
            series.minutes, series.packed = unpacked_minutes(series.packed), b""
    return state


class Columns(msgspec.Struct, array_like=True, gc=False):
    """Minutes as they are stored: what is the same of nearly all of them stands side by side.

    Attributes:
        first: The first minute of those side by side.
        gaps: From the minute before, of each partition's sound votes.
        votes: How many.
        partitions: Whose; 0 is nobody's any more, 1 the first partition's.
        rest: Minutes that say more.
    """

    first: int
    gaps: bytes
    votes: bytes
    partitions: bytes
    rest: list[Minute]


def packed_minutes(minutes: Sequence[Minute]) -> bytes:
    """Minutes in few bytes. Those of sound votes take three for each partition."""
    gaps: list[int] = []
    votes: list[int] = []
    partitions: list[int] = []
    rest: list[Minute] = []
    first = last = -1
    for one in minutes:
        parts = one.parts
        if one.broken or one.customers or not _is_sound(parts):
            rest.append(one)
            continue
        if first < 0:
            first = last = one.at
        if isinstance(parts, dict):
            for partition, part in parts.items():
                gaps.append(one.at - last)
                votes.append(part.votes)
                partitions.append(partition + 1)
                last = one.at
        else:
            gaps.append(one.at - last)
            votes.append(one.votes)
            partitions.append(0 if parts is None else parts + 1)
            last = one.at
    return _encoder.encode(Columns(first, _column(gaps), _column(votes), _column(partitions), rest))


def _is_sound(parts: dict[int, Part] | int | None) -> bool:
    """Whether partitions said no more than how many votes there were."""
    if not isinstance(parts, dict):
        return True
    return not any(p.broken or p.customers or p.reasons or p.samples for p in parts.values())


def unpacked_minutes(packed: bytes) -> list[Minute]:
    """The minutes that were packed."""
    columns = _decode_columns(packed)
    minutes: list[Minute] = []
    at, last = columns.first, Minute(-1, 0, 0, 0)
    for gap, votes, partition in zip(
        _values(columns.gaps), _values(columns.votes), _values(columns.partitions), strict=True
    ):
        at += gap
        if gap or not minutes:
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
    largest = max(values, default=0)
    code = next(code for code, limit in _CODES if largest < limit)
    return code.encode() + array(code, values).tobytes()


def _values(column: bytes) -> Sequence[int]:
    return array(chr(column[0]), column[1:])


_CODES: Final = (("B", 2**8), ("H", 2**16), ("I", 2**32), ("Q", 2**64))
_at: Final = attrgetter("at")
_encoder: Final = msgspec.msgpack.Encoder()
_decode_columns: Final = msgspec.msgpack.Decoder(Columns).decode
_decode_watched: Final = msgspec.msgpack.Decoder(Watched).decode
