"""What is kept of each result: its last revision, in the order in which results began."""

import random

from pipeline.exporting.keeping import WRITTEN_AT_ONCE, Keeping
from pipeline.exporting.tables import Head


def kept(*heads: tuple[str | None, int]) -> list[bytes]:
    with Keeping() as keeping:
        for name, revision in heads:
            keeping.put(Head(name, revision), "k", f"{name}/{revision}".encode())
        return list(keeping.values())


def test_the_highest_revision_is_kept_where_the_first_one_stood() -> None:
    assert kept(("a", 1), ("b", 1), ("a", 3), ("a", 2)) == [b"a/3", b"b/1"]


def test_of_one_revision_the_last_is_kept() -> None:
    with Keeping() as keeping:
        for value in (b"first", b"last"):
            keeping.put(Head("a", 1), "k", value)

        assert list(keeping.values()) == [b"last"]


def test_an_empty_value_hides_what_is_older_and_not_what_is_newer() -> None:
    with Keeping() as keeping:
        for name, revision, value in (
            ("a", 1, b"a/1"), ("a", 2, b""), ("b", 1, b""), ("b", 2, b"b/2"), (None, 0, b""),
        ):  # fmt: skip
            keeping.put(Head(name, revision), "k", value)

        assert list(keeping.values()) == [b"b/2"]


def test_what_has_no_id_is_a_row_of_its_own() -> None:
    assert kept((None, 0), (None, 0)) == [b"None/0", b"None/0"]


def test_what_was_put_by_a_deleted_key_is_gone_and_what_comes_later_is_kept() -> None:
    with Keeping() as keeping:
        keeping.put(Head("a", 1), "k", b"a")
        keeping.put(Head("b", 1), "l", b"b")
        keeping.delete("k")
        keeping.put(Head("a", 2), "k", b"again")

        assert list(keeping.values()) == [b"b", b"again"]


def test_the_same_holds_over_many_writes() -> None:
    chance = random.Random(7)
    heads = [
        (f"r-{chance.randrange(500)}", chance.randrange(9)) for _ in range(3 * WRITTEN_AT_ONCE)
    ]
    last: dict[str, int] = {}
    for name, revision in heads:
        last[name] = max(revision, last.get(name, 0))

    assert kept(*heads) == [f"{name}/{revision}".encode() for name, revision in last.items()]
