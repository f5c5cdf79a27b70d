"""What is certainly within bounds is decoded at once; what is not, is looked at and not refused."""

import json

import pytest

from listeners.adapters.bounds import Bounds, object_of
from listeners.errors import ItemRefused
from listeners.settings import ListenerSettings

BOUNDS = Bounds.of(ListenerSettings())


def nested(levels):
    value = {"at": "the bottom"}
    for _ in range(levels - 1):
        value = {"in": [1, value["in"]]} if "in" in value and levels % 2 else {"in": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        {"a": 2**63 - 1, "b": -(2**63), "c": [1.5, None, True, "x"]},
        {"a": 2**63, "b": 2**64 - 1},
        {"k" * 256: 1, "in": {"k" * 256: [{"k" * 256: 2}]}},
        *(nested(levels) for levels in (6, 7, 8, 9, 31, 32)),
        {},
    ],
    ids=lambda value: f"{len(json.dumps(value))}-bytes",
)
def test_what_is_within_bounds_is_what_was_written(value):
    assert object_of(json.dumps(value).encode(), BOUNDS) == value


@pytest.mark.parametrize(
    ("text", "reason", "where"),
    [
        ('{"a": {"b": [18446744073709551616]}}', "number_out_of_range", "$.a.b[0]"),
        ('{"a": -9223372036854775809}', "number_out_of_range", "$.a"),
        ('{"a": {"%s": 1}}' % ("k" * 257), "key_too_long", "$.a"),
        (json.dumps(nested(33)), "too_deep", "$"),
        ('{"a": 1e400}', "number_out_of_range", "$"),
        ('{"a": 1', "not_json", "$"),
        ("[1]", "field_invalid", "$"),
    ],
    ids=["above", "below", "long", "deep", "huge", "cut", "array"],
)
def test_what_is_not_is_refused_for_its_own_reason_and_place(text, reason, where):
    with pytest.raises(ItemRefused) as refused:
        object_of(text.encode(), BOUNDS)

    assert refused.value.reason == reason
    assert refused.value.where.startswith(where)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"key_length_max": 8}, '{"a": {"nine char": 1}}'),
        ({"depth_max": 4}, json.dumps(nested(5))),
    ],
    ids=["keys", "depth"],
)
def test_tighter_settings_hold(settings, text):
    with pytest.raises(ItemRefused):
        object_of(text.encode(), Bounds.of(ListenerSettings(**settings)))
