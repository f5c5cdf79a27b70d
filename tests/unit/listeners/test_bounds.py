import json
import sys

import msgspec
import pytest

from listeners.adapters import native
from listeners.adapters.bounds import Bounds, elements, members, ordinary, walked
from listeners.settings import ListenerSettings
from tests.unit.listeners.doors import page_view

BOUNDS = Bounds.of(ListenerSettings())
DECODER = msgspec.json.Decoder(native.Written)


def test_an_ordinary_item_is_the_same_whether_it_is_walked_or_not():
    item = page_view(properties={"a": [1, {"b": "c" * 40}], "d": 1.5})
    text = json.dumps(item).encode()

    assert ordinary(text, BOUNDS)
    assert DECODER.decode(msgspec.json.encode(walked(text, BOUNDS, native.EXACT))) == (
        DECODER.decode(text)
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"[]", []),
        (b"[1]", [b"1"]),
        (b'[ {"a":[1,2]} , "x,]\\"" ,NaN]', [b'{"a":[1,2]}', b'"x,]\\""', b"NaN"]),
        (b"[1,]", [b"1", b""]),
        (b"[1", None),
        (b"[1]]", None),
        (b"{}", None),
    ],
)
def test_an_array_is_cut_where_its_members_end(text, parts):
    assert elements(text) == parts


def test_an_object_is_cut_by_its_keys():
    assert members(b'{"a": NaN, "b\\u0041": [1, {"c": 2}]}') == {
        "a": b"NaN",
        "bA": b'[1, {"c": 2}]',
    }
    assert members(b'{"a" 1}') is None
    assert members(b'{"a":1') is None


def test_cutting_does_not_recurse():
    deep = b"[" * 10 * sys.getrecursionlimit() + b"]" * 10 * sys.getrecursionlimit()

    assert elements(b"[1," + deep + b"]") == [b"1", deep]
