"""Releases and variants: how they are read, counted and held against what broke."""

import msgspec
import pytest

from pipeline.stitching import tallies, variants
from pipeline.stitching.votes import Ballot, Shift, minute_of
from tests.builders import RULES, at, process, touchpoint

NAMES = ("release", "variant", "context.app.version")
NOON = minute_of(at("12:00"))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b'{"release":"5.2.0","duration_ms":131}', ("release=5.2.0",)),
        (b'{"release":7}', ("release=7",)),
        (b'{"context":{"app":{"version":"1.2","build":"9"}}}', ("context.app.version=1.2",)),
        (b'{"variant":"B","release":"5"}', ("release=5", "variant=B")),
        (b'{"context":"none","release":"5"}', ("release=5",)),
        (b'{"release":{"name":"5"}}', ()),
        (b'{"release":true}', ()),
        (b'{"release":"' + b"5" * 41 + b'"}', ()),
        (b'{"page":{"release":"5"}}', ()),
        (b'{"note":"the release of the variant"}', ()),
        (b"{}", ()),
    ],
)
def test_a_touchpoint_says_under_which_release_and_variant_it_happened(written, told):
    assert variants.read(msgspec.Raw(written), NAMES) == told


def test_where_no_property_is_named_none_is_read():
    assert variants.read(msgspec.Raw(b'{"release":"5"}'), ()) == ()


def paying(clock: str, release: str, *signals: str, **fields: object):
    properties = msgspec.Raw(b'{"release":"%b"}' % release.encode())
    given = {"channel": "app", "name": "pay-in-app", "device_id": clock, **fields}
    return touchpoint(clock, *signals, properties=properties, **given)


def test_totals_say_how_many_votes_were_cast_and_broke_under_each_in_ten_minutes():
    sent = process(
        [
            paying("10:00", "5.1.9"),
            paying("10:01", "5.2.0", "crash"),
            paying("10:02", "5.2.0"),
            paying("10:11", "5.2.0", "crash"),
        ]
    ).records("votes")

    last = {one.minute: one.variants for one in sent if one.mission == "pay-bill"}
    assert last[at("10:02")] == {"release=5.1.9": (1, 0), "release=5.2.0": (2, 1)}
    assert last[at("10:11")] == {"release=5.2.0": (1, 1)}


def test_a_vote_that_breaks_later_moves_and_counts_once():
    sent = process(
        [paying("10:00", "5", device_id="d"), paying("10:01", "5", "crash", device_id="d")]
    ).records("votes")

    (last,) = [one for one in sent if one.mission and one.minute == at("10:01")]
    assert last.variants == {"release=5": (1, 1)}


def test_a_million_values_leave_eight_in_a_tally():
    state = None
    for number in range(1000):
        shift = Shift("", NOON, 1, variants={f"release={number}": (1, 0)})
        ballot = Ballot(touchpoint="pay", block=NOON, at=at("12:00"), shifts=(shift,))
        state = tallies.count(state, [ballot], None, RULES).state

    assert state is not None
    assert len(state.variants[""]) == tallies.VARIANTS_MAX
    assert state.counts[""][NOON].votes == 1000


def test_what_most_of_the_broken_share_and_the_sound_do_not_is_named():
    broken = {"release=5.2.0": 19, "variant=B": 10}
    sound = {"release=5.1.9": 90, "release=5.2.0": 4, "variant=B": 50}

    assert variants.shared(broken, 20, sound, 100) == {"release": "5.2.0"}


@pytest.mark.parametrize(
    ("broken", "sound", "sound_votes"),
    [
        ({"release=5": 20}, {"release=5": 100}, 100),  # everybody has it
        ({"release=5": 12}, {}, 100),  # too few of the broken do
        ({"release=5": 20}, {}, 0),  # nothing to differ from
        ({"release=5": 25}, {"release=5": 9}, 5),  # more than there are, of both
        ({"release=5": 20}, {"release=5": 1}, 1),  # the only sound one has it, too
    ],
)
def test_what_does_not_tell_the_broken_from_the_sound_is_not_named(broken, sound, sound_votes):
    assert variants.shared(broken, 20, sound, sound_votes) == {}


@pytest.mark.parametrize(("of_five", "told"), [(4, {"release": "5"}), (3, {})])
def test_four_in_five_of_what_broke_is_enough_to_be_shared(of_five, told):
    assert variants.shared({"release=5": 10 * of_five}, 50, {}, 1_000) == told
