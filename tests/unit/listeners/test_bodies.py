import gzip
import tracemalloc
import zlib
from time import process_time

import pytest

from listeners.bodies import opened
from listeners.errors import Reason, TooLarge, Unreadable


def test_a_bomb_costs_no_more_than_the_cap():
    bomb = gzip.compress(b"0" * 50_000_000)

    tracemalloc.start()
    with pytest.raises(TooLarge):
        opened(bomb, "gzip", 100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2_000_000


def test_white_space_around_is_not_part_of_the_body():
    assert opened(b" \r\n[1]\n", None, 100) == b"[1]"


def test_every_member_of_a_gzip_body_is_read():
    members = [gzip.compress(b'{"a":1}\n'), gzip.compress(b""), gzip.compress(b'{"b":2}\n')]

    assert opened(b"".join(members), "gzip", 1000) == b'{"a":1}\n{"b":2}'


def test_a_bomb_over_several_members_costs_no_more_than_the_cap():
    bomb = gzip.compress(b"0" * 60_000) + gzip.compress(b"0" * 50_000_000)

    tracemalloc.start()
    with pytest.raises(TooLarge):
        opened(bomb, "gzip", 100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2_000_000


def test_many_members_do_not_cost_time_by_the_square_of_their_number():
    def seconds(members: int) -> float:
        body = gzip.compress(b"") * members + gzip.compress(b"[1]")
        began = process_time()
        assert opened(body, "gzip", 8_000_000) == b"[1]"
        return process_time() - began

    few, many = min(seconds(25_000) for _ in range(3)), seconds(200_000)

    assert many < 24 * few  # 8 times as many; by the square it would be 64 times as long.


def test_members_that_are_small_each_are_too_large_together():
    assert len(opened(gzip.compress(b"0" * 50) * 2, "gzip", 100)) == 100
    with pytest.raises(TooLarge):
        opened(gzip.compress(b"0" * 51) * 2, "gzip", 100)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (gzip.compress(b"[1]") + b"[2]", "3 more bytes"),
        (gzip.compress(b"[1]") + b"\0\0", "2 more bytes"),
        (gzip.compress(b"[1]") + zlib.compress(b"[2]"), "more bytes"),
        (zlib.compress(b"[1]") + gzip.compress(b"[2]"), "more bytes"),
        (gzip.compress(b"[1]") + gzip.compress(b"[2]")[:-4], "cut short"),
        (gzip.compress(b"[1]") + gzip.compress(b"[2]")[:3], "cut short"),
        (gzip.compress(b"[1]") + b"\x1f\x8bnot gzip", "does not inflate"),
    ],
    ids=["text", "zeros", "zlib behind", "gzip behind zlib", "cut", "cut in the header", "broken"],
)
def test_what_stands_behind_a_compressed_body_is_refused_and_not_dropped(body, found):
    with pytest.raises(Unreadable, match=found) as caught:
        opened(body, "gzip", 1000)

    assert caught.value.reason == Reason.NOT_INFLATABLE
