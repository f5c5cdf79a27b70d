"""Storing: what is kept of a watched touchpoint is the same after it was packed, in few bytes."""

from copy import deepcopy
from random import Random

import msgspec
import pytest

from pipeline.stitching.baseline import Baseline, Cell
from pipeline.stitching.evidence import Standing
from pipeline.stitching.minutes import Minute, Part, add_up
from pipeline.stitching.storing import pack, packed_minutes, unpack, unpacked_minutes
from pipeline.stitching.watched import Series, Watched

LARGE = (9, 255, 256, 70_000, 2**33)


def part(chance: Random, *, sound: bool) -> Part:
    votes = chance.randint(0, chance.choice(LARGE))
    if sound:
        return Part(votes, 0, 0)
    return Part(
        votes, chance.randint(0, 3), 0, {"crash": 1} if chance.random() < 0.5 else {}, ("t",)
    )


def minutes(seed: int) -> list[Minute]:
    """Of all kinds, some time apart."""
    chance = Random(seed)
    found, at = [], 29_000_000
    for _ in range(chance.randint(0, 40)):
        at += chance.choice((1, 1, 1, 2, 300, 70_000))
        kind = chance.choice(("nobody's", "one's", "sound", "broken"))
        if kind in ("nobody's", "one's"):
            partition = chance.choice((0, 1, 299)) if kind == "one's" else None
            found.append(Minute(at, chance.randint(0, chance.choice(LARGE)), 0, 0, partition))
            continue
        of = chance.sample(range(300), k=chance.randint(2, 4))
        parts = {one: part(chance, sound=kind == "sound") for one in of}
        votes, broken = (sum(getattr(p, n) for p in parts.values()) for n in ("votes", "broken"))
        found.append(Minute(at, votes, broken, 0, parts))
    return found


@pytest.mark.parametrize("seed", range(50))
def test_a_state_is_the_same_after_it_was_packed_and_the_one_that_was_packed_is_too(seed):
    kept = minutes(seed)
    series = Series([Standing(0)], Standing(0), Baseline(Cell(0)), kept)
    state = Watched("pay-online", series={"": series, "pay-bill": deepcopy(series)})
    before = msgspec.msgpack.encode(state)

    assert unpacked_minutes(packed_minutes(kept)) == kept
    assert unpack(pack(state)) == state
    assert msgspec.msgpack.encode(state) == before


def test_a_state_that_was_stored_minute_by_minute_is_read():
    series = Series([Standing(0)], Standing(0), Baseline(Cell(0)), minutes(1))
    state = Watched("pay-online", series={"": series})

    assert unpack(msgspec.msgpack.encode(state)) == state


def test_three_hours_of_sound_votes_of_four_partitions_take_two_kilobytes():
    chance = Random(1)
    kept = [
        Minute(
            29_000_000 + at, sum(votes), 0, 0, {n: Part(one, 0, 0) for n, one in enumerate(votes)}
        )
        for at in range(180)
        for votes in ([chance.randint(0, 5) for _ in range(4)],)
    ]

    assert len(packed_minutes(kept)) < 2_300
    assert len(packed_minutes([Minute(one.at, one.votes, 0, 0, 0) for one in kept])) < 600


def test_a_touchpoint_that_breaks_in_every_minute_on_four_partitions_takes_four_kilobytes():
    chance = Random(2)
    busy = [Minute(29_000_000 + at, 0, 0, 0, {}) for at in range(165)]
    for one in busy:
        one.parts = {
            number: Part(chance.randint(8, 16), *[chance.randint(1, 4)] * 2, {"http_5xx": 2})
            for number in range(4)
        }
        add_up(one)
    state = Watched("pay-online")
    state.series[""] = Series([Standing(0)], Standing(0), Baseline(Cell(0)), busy)

    assert len(pack(state)) < 4_096 < len(msgspec.msgpack.encode(state))
    assert unpack(pack(state)) == state
