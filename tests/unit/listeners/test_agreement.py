"""The decoder's structs and the models that explain refusals say the same of every item."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listeners.errors import Reason
from schemas.inbound import NativeTouchpoint, SegmentCall, fault_in
from tests.unit.listeners.doors import Door, page_view, track

SHARED = Door()

# Refusals that are not of the shape: a model has nothing to say of them.
BEYOND_THE_SHAPE = {
    Reason.NO_IDENTIFIER,
    Reason.CALL_UNKNOWN,
    Reason.FIELD_MISSING,
    Reason.TIME_INVALID,
    Reason.TOO_MANY_VALUES,
}

SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**55), 2**55)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "web", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00", "x" * 257])
    | st.text(max_size=5)
)
ANY = (
    SCALAR | st.lists(SCALAR, max_size=2) | st.dictionaries(st.text(max_size=3), SCALAR, max_size=2)
)
ID = st.none() | st.text(max_size=4) | st.integers(-(2**54), 2**54) | ANY
RATING = st.fixed_dictionaries({"scale": st.sampled_from(["ces", "x"]), "value": SCALAR})
PEOPLE = st.dictionaries(st.sampled_from(["user_id", "loyalty", "a b"]), ID)
NATIVE = {
    **dict.fromkeys(("channel", "name", "occurred_at", "location", "intent", "properties"), ANY),
    **dict.fromkeys(("id", "session_hint"), ID),
    "identifiers": PEOPLE | ANY,
    "signals": ANY | st.lists(st.text(max_size=4), max_size=3),
    "rating": ANY | RATING,
}
CALL = {
    **dict.fromkeys(("messageId", "anonymousId", "userId", "previousId", "groupId"), ID),
    **dict.fromkeys(("type", "event", "name", "category", "channel", "timestamp"), ANY),
    **dict.fromkeys(("originalTimestamp", "properties", "traits", "context"), ANY),
    "integrations": ANY,
    "_metadata": ANY,
}


@st.composite
def nearly_good(draw, good, fields):
    """A good item with one or two of its fields replaced by anything."""
    names = draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=2))
    return {**good, **{name: draw(fields[name]) for name in names}}


@pytest.mark.parametrize(
    ("dialect", "model", "items"),
    [
        ("native", NativeTouchpoint, nearly_good(page_view(), NATIVE)),
        ("segment", SegmentCall, nearly_good(track(), CALL)),
    ],
    ids=["native", "segment"],
)
def test_the_decoder_and_the_model_agree(dialect, model, items):
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(items)
    def agree(item):
        receipt = asyncio.run(SHARED.raw(json.dumps(item).encode(), dialect))
        fault = fault_in(model, item)
        if receipt.fault is None:
            assert fault is None
        elif fault is None:
            assert (
                receipt.fault.reason in BEYOND_THE_SHAPE
                or "signals[" in receipt.fault.where
                or (receipt.fault.where.endswith("rating.value"))
            )

    agree()
