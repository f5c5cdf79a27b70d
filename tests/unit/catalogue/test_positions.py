import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.catalogue.positions import Positions

SEEDS = Path(__file__).parents[3] / "seeds"

AWKWARD = r'''# comment = [ "not a key" ]
plain = "a # is no comment, [ no array, = no value, \" no end"  # "comment
'quoted key'."d\u0041" = 'literal # [ = \'
text = """
fake = 1
[fake]
""quoted"" """
ends = """with quotes""""" # and a comment
list = [
  "a # ]", # ] comment
  [1, 2,
   3],
  # comment, with = and [
  { z = 1, y = [ "}", 2 ], w.q = 1979-05-27 07:32:00 },

  'last' ]
[ table . sub ]
empty = {}
[[each]]
n = 1
  [[each.inner]]
  k = 1.5
  [[each.inner]]
  k = -inf
  [each.inner.table]
  h = true
[[each]]
n = 2
[[each.inner]]
k = []
[table]
late = 07:32:00'''


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*place, key)
            yield from places(inner, (*place, key))


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("plain",), 2),
        (("quoted key", "dA"), 3),
        (("text",), 4),
        (("ends",), 8),
        (("list", 0), 10),
        (("list", 1), 11),
        (("list", 1, 2), 12),
        (("list", 2, "y", 1), 14),
        (("list", 2, "w", "q"), 14),
        (("list", 3), 16),
        (("table", "sub", "empty"), 18),
        (("each", 0, "n"), 20),
        (("each", 0, "inner", 1, "k"), 24),
        (("each", 0, "inner", 1, "table", "h"), 26),
        (("each", 1), 27),
        (("each", 1, "n"), 28),
        (("each", 1, "inner", 0, "k"), 30),
        (("table",), 31),
        (("table", "late"), 32),
    ],
)
def test_every_place_has_its_line(place, line):
    assert Positions(AWKWARD).line_of(place) == line


def test_no_place_of_an_awkward_document_is_missed():
    positions = Positions(AWKWARD)

    missed = [place for place in places(tomllib.loads(AWKWARD)) if place not in positions]

    assert missed == []


@pytest.mark.parametrize("path", sorted(SEEDS.rglob("*.toml")), ids=str)
def test_no_place_of_a_shipped_file_is_missed(path):
    text = path.read_text(encoding="utf-8")
    positions = Positions(text)

    missed = [place for place in places(tomllib.loads(text)) if place not in positions]

    assert missed == []


def test_windows_line_ends_count_as_one():
    assert Positions("a = [\r\n  1,\r\n  2,\r\n]\r\nb = 1\r\n").line_of(("b",)) == 5


def test_an_unknown_key_falls_back_to_its_table():
    positions = Positions("a = 1\n[t]\nb = 2\n")

    assert positions.line_of(("t", "missing", 3)) == 2
    assert positions.line_of(("missing",)) == 1


def test_a_text_that_is_not_toml_keeps_what_stood_before():
    positions = Positions('a = 1\nb = 2\nc = "open\nd = 4\n')

    assert positions.line_of(("b",)) == 2
    assert ("d",) not in positions
