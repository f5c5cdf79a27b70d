import gzip
import tracemalloc

import pytest

from listeners.bodies import opened
from listeners.errors import TooLarge


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
