"""One glob covers another exactly where every text of the other is a text of the one."""

import re
from fnmatch import translate
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.catalogue.globs import covers

TEXTS = ["".join(text) for n in range(6) for text in product("abc", repeat=n)]
GLOBS = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]"]), min_size=0, max_size=3).map(
    "".join
)


def matched(glob: str) -> set[str]:
    pattern = re.compile(translate(glob))
    return {text for text in TEXTS if pattern.match(text)}


@given(GLOBS, GLOBS)
def test_it_agrees_with_trying_every_short_text(wide, narrow):
    assert covers(wide, narrow) == (matched(narrow) <= matched(wide))


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("/stores*", "/stores/*/hours", True),
        ("/stores/*", "/stores", False),
        ("*phone*", "phone*", True),
        ("phone*", "*phone", False),
        ("[a-z]*", "[c-f]?", True),
        ("[c-f]*", "[a-z]?", False),
        ("a[", "a[", True),  # a bracket that nothing closes is itself
        ("*", "", True),
        ("", "*", False),
        ("Order Completed", "order completed", False),
    ],
)
def test_globs_as_inventories_have_them_are_compared(wide, narrow, expected):
    assert covers(wide, narrow) == expected


def test_what_is_too_much_work_claims_nothing():
    assert covers("*", "[\u0000-\uffff]x") is False
    assert covers("*a" + "?" * 40, "*a" + "?" * 41 + "b") is False
