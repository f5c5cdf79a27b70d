"""Tables as files: what looks like a formula is none, and nothing else is changed."""

import csv
import io
import json

import pytest

from pipeline.console.downloads import as_csv, as_json
from pipeline.console.pieces import Cell, Column, Table
from tests.unit.console.stores import NOW


def table(*values):
    columns = (Column("a", "A"), Column("b", "B", number=True))
    return Table("t", "a table", columns, [(Cell(value), Cell(1)) for value in values])


def read(text):
    return [row[0] for row in csv.reader(io.StringIO(text))][1:]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=1", "  =1", "\N{FULLWIDTH EQUALS SIGN}1"],
)
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text):
    assert read(as_csv(table(text))) == [f"'{text}"]


@pytest.mark.parametrize("text", ["a=1", "paying, my bill", 'he said "no"', "two\nlines", "“x”"])
def test_other_text_comes_back_as_it_was(text):
    assert read(as_csv(table(text))) == [text]


def test_numbers_stay_numbers_also_below_nought():
    assert read(as_csv(table(-3, 2.5, True, None, NOW))) == [
        "-3", "2.5", "true", "", "2026-11-22T12:00:00Z",
    ]  # fmt: skip


def test_json_has_every_value_as_it_is():
    found = json.loads(as_json(table("=1+1", None, -3)))

    assert found == [{"a": "=1+1", "b": 1}, {"a": None, "b": 1}, {"a": -3, "b": 1}]
