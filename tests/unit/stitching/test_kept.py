"""What is kept of a customer, as bytes and back; and what a touchpoint's properties are asked."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from pipeline.stitching.kept import CustomerState, pack, unpack
from pipeline.stitching.mentions import mention
from pipeline.stitching.segments import segment_of
from schemas.controls import Interaction
from schemas.records import Reason

AT = datetime(2026, 1, 5, tzinfo=UTC)

FULL = Interaction(
    id="t-1",
    at=AT,
    channel="web",
    name="page",
    location="/bill",
    intent="pay-bill",
    hint="s-1",
    source="shop",
    signals=("slow",),
    rating=("ces", 5.0),
    device="device_id:d-1",
    path=(("device_id:d-1", 2),),
    revision=3,
    stamps={"session": 4},
    touchpoint="see-bill",
    session=0,
    journey=1,
    verdict="broken",
    reasons=(Reason(rule="slow", value=1),),
    progress=True,
    segment="gold",
    variants=("release=5",),
    fields=(("iban", 1),),
    sequence=7,
    clock=AT - timedelta(seconds=5),
    dealt=AT + timedelta(seconds=5),
)
"""An interaction of which no two fields say the same, nor any what it says by default."""

PLAIN = Interaction(
    id="t-2",
    at=AT,
    channel="app",
    name="open-app",
    location=None,
    intent=None,
    hint=None,
    source="default",
    signals=(),
    rating=None,
    device="device_id:d-2",
    path=(("device_id:d-2", 0),),
)


def test_every_field_of_an_interaction_has_a_value_of_its_own_here():
    fields = msgspec.structs.fields(Interaction)

    same = [one.name for one in fields if getattr(FULL, one.name) == one.default]

    assert same == []


@pytest.mark.parametrize("tail", [[FULL], [PLAIN], [PLAIN, FULL, PLAIN]])
def test_what_is_kept_comes_back_field_by_field(tail):
    state = CustomerState("c-1", tail=[msgspec.structs.replace(one) for one in tail])

    again = unpack(pack(state))

    assert again.tail == tail
    assert state.tail == tail, "packing leaves the state as it was"


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        (b"{}", False),
        (b'{"duration_ms":160}', False),
        (b'{"note":"plan"}', True),  # a value looks like a name, and is looked into
        (b'{"traits":{"plan":"gold"}}', True),
        (b'{"release":"5.2"}', True),
        (b'{"pl\\u0061n":"gold"}', True),
    ],
)
def test_properties_are_looked_into_where_they_may_name_what_is_asked(properties, told):
    assert mention(msgspec.Raw(properties), "traits.plan", ("context.release",)) is told


def test_a_name_that_is_written_with_escapes_still_tells_its_segment():
    properties = msgspec.Raw(b'{"pl\\u0061n":"gold"}')

    assert mention(properties, "plan", ())
    assert segment_of(properties, "plan") == "gold"


def test_nothing_is_looked_into_where_the_catalogue_asks_for_nothing():
    assert not mention(msgspec.Raw(b'{"plan":"gold"}'), None, ())
