"""What is kept of results, whatever their order, repeats and revisions."""

from itertools import permutations

import pytest

from pipeline.console import tidying
from pipeline.console.keeping import Arrived
from pipeline.console.lookups import Lookups, Owner
from pipeline.console.store import milliseconds, open_to_write
from pipeline.console.tidying import tidy
from schemas.codec import encode
from schemas.topics import VERDICTS
from tests.unit.console.stores import (
    NOW,
    Kept,
    ago,
    alert,
    broken,
    change,
    everything,
    outcome,
    session,
    verdict,
    votes,
)


def test_sums_are_those_of_the_last_revisions_whatever_the_order(tmp_path):
    revisions = [
        outcome(ending="abandoned", reason="silence"),
        outcome(ending="frustrated", revision=2, broke_at="pay-online"),
        outcome(ending="completed", revision=3, ended_at=ago(minutes=2)),
    ]
    alone = Kept(tmp_path / "alone").keep(revisions[-1])
    expected = alone.rows("journey_tallies")

    for number, order in enumerate(permutations(revisions)):
        kept = Kept(tmp_path / str(number)).keep(*order)
        found = [row for row in kept.rows("journey_tallies") if any(row[5:8])]
        assert found == expected


def test_a_verdict_that_is_worsened_later_moves_from_one_sum_to_another(tmp_path):
    kept = Kept(tmp_path).keep(verdict(), broken(revision=2, rule="leaked_to_call"))

    hourly = [row[4:] for row in kept.rows("verdict_tallies") if row[0] == 1]
    assert hourly == [(1, 0, 0, 0)]
    assert [row[4:] for row in kept.rows("reason_tallies") if row[0] == 1] == [
        ("leaked_to_call", 1)
    ]


def test_votes_for_a_source_are_shown_at_no_touchpoint(tmp_path):
    kept = Kept(tmp_path).keep(votes(3, 0, touchpoint="source shop"))

    assert kept.rows("minutes") == []


def test_an_outcome_that_is_taken_back_counts_no_more(tmp_path):
    kept = Kept(tmp_path).keep(outcome(ending="abandoned"), outcome(ending="open", revision=2))

    assert [row for row in kept.rows("journey_tallies") if any(row[5:8])] == []


def test_totals_of_a_minute_replace_what_was_told_of_it_before(tmp_path):
    kept = Kept(tmp_path).keep(votes(3, 1), votes(5, 2), votes(5, 2), votes(4, 0, partition=1))

    assert [row[3:5] for row in kept.rows("spans")] == [(9, 2)] * 3


def test_a_value_that_is_no_record_is_passed_over_and_counted(tmp_path):
    kept = Kept(tmp_path)
    records = [Arrived("", value, 0) for value in (b"{", encode(verdict()), b"[]")]

    kept.keeper.take(VERDICTS, records, {0: 3}, NOW)

    assert (len(kept.rows("verdicts")), kept.keeper.unreadable) == (1, 2)
    assert kept.keeper.offsets(VERDICTS) == {0: 3}


def test_what_a_batch_kept_and_how_far_it_goes_is_durable_together(tmp_path):
    Kept(tmp_path).keep(verdict()).connection.close()

    again = Kept(tmp_path)

    assert again.keeper.offsets(VERDICTS) == {0: 1}
    assert len(again.rows("verdicts")) == 1


def test_an_erased_customer_is_in_no_byte_of_the_store(tmp_path):
    kept = Kept(tmp_path).keep(
        *everything(customer="ann-who-is-erased", session_id="s-of-ann"),
        outcome("j-2", customer="ann-who-is-erased"),
        session("s-2", customer="ann-who-is-erased"),
        change("linked", "ann-who-is-erased", identifier="email:hash-of-ann"),
        change("merged", "ann-before-that", into="ann-who-is-erased"),
        verdict("v-2", customer="bob-who-stays"),
    )

    kept.keep(change("erased", "ann-who-is-erased"))
    kept.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert kept.keeper.erased
    assert b"ann-who-is-erased" not in held
    assert b"hash-of-ann" not in held
    assert b"bob-who-stays" in held


THEIRS = (
    broken(customer="bob"),
    verdict(customer="ann", revision=2),
    outcome(customer="bob", ending="abandoned"),
    outcome(customer="ann", revision=2),
    session(customer="bob"),
    session(customer="ann", revision=2),
)
"""What was Bob's became Ann's; Ann is erased."""


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_what_was_erased_comes_back_in_no_revision_whatever_is_read_first(tmp_path, order):
    expected = Kept(tmp_path / "expected").keep(*THEIRS).rows("journey_tallies")
    kept = Kept(tmp_path / "anew")

    for part in order:
        if part == 2:
            kept.keep(change("erased", "ann"), at=ago(minutes=1))
        else:
            kept.keep(*THEIRS[part::2], at=ago(minutes=3 - part))
    kept.keep(*THEIRS, at=ago(minutes=2))  # read once more, from the beginning

    assert kept.rows("verdicts") == kept.rows("journeys") == kept.rows("sessions") == []
    sums = [row for row in kept.rows("journey_tallies") if any(row[5:8])]
    assert sums == [row for row in expected if any(row[5:8])]
    assert sum(sum(row[4:]) for row in kept.rows("verdict_tallies") if row[0] == 1) == 1


def test_what_was_erased_comes_back_in_no_revision_where_one_batch_has_all(tmp_path):
    kept = Kept(tmp_path).keep(change("erased", "ann"), at=ago(minutes=1))
    records = [Arrived("", encode(one), milliseconds(ago(minutes=2))) for one in THEIRS[:2]]

    kept.keeper.take(VERDICTS, records, {0: 2}, NOW)

    assert kept.rows("verdicts") == []


def test_what_a_customer_does_after_being_erased_is_kept_under_the_same_ids_too(tmp_path):
    kept = Kept(tmp_path).keep(*THEIRS, at=ago(minutes=3))
    kept.keep(change("erased", "ann"), at=ago(minutes=2))

    kept.keep(verdict(customer="ann"), at=ago(minutes=1))

    assert [row[1:4] for row in kept.rows("verdicts")] == [("v-1", "shop", "ann")]


def test_what_became_anothers_before_the_erasure_stays_theirs(tmp_path):
    kept = Kept(tmp_path).keep(*THEIRS[:2], at=ago(minutes=3))
    kept.keep(change("erased", "ann"), at=ago(minutes=1))

    kept.keep(verdict(customer="eve", revision=3), *THEIRS[:2], at=ago(minutes=2))

    assert [row[1:4] for row in kept.rows("verdicts")] == [("v-1", "shop", "eve")]


def test_what_a_topic_deleted_by_its_key_is_gone(tmp_path):
    kept = Kept(tmp_path).keep(outcome(), session())

    kept.keeper.take("journey-outcomes", [Arrived("j-1", None, 0)], {0: 2}, NOW)
    kept.keeper.take("sessions", [Arrived("s-1", None, 0)], {0: 2}, NOW)

    assert kept.rows("journeys") == kept.rows("sessions") == []


def test_a_customer_is_found_by_any_identifier_through_all_merges(tmp_path):
    kept = Kept(tmp_path).keep(
        change("linked", "first", identifier="user_id:u-1"),
        change("merged", "first", into="second"),
        change("merged", "second", into="ann"),
        verdict(),
        session(),
        outcome(),
    )
    lookups = Lookups(kept.connection)

    typed = ("user_id:u-1", "first", "ann", "v-1", "s-1", "j-1")
    assert {one: lookups.customer_of(one) for one in typed} == dict.fromkeys(typed, "ann")
    assert lookups.customer_of("user_id:nobody") is None


def test_an_identifier_that_went_from_hand_to_hand_tells_all_whose_it_was(tmp_path):
    tablet = {"identifier": "anonymous_id:tablet"}
    kept = Kept(tmp_path).keep(
        verdict(customer="ann"),
        verdict("v-2", customer="bob"),
        change("linked", "bob", at=ago(hours=1), **tablet),
        change("linked", "ann-before", at=ago(hours=3), **tablet),
        change("merged", "ann-before", into="ann"),
        change("linked", "ann", at=ago(hours=2), **tablet),
        change("linked", "never-seen", at=ago(hours=4), **tablet),
    )
    lookups = Lookups(kept.connection)

    owners = lookups.owners_of("anonymous_id:tablet")

    assert owners == [Owner("ann", ago(hours=3)), Owner("bob", ago(hours=1))]
    assert lookups.customer_of("anonymous_id:tablet") == "bob"

    kept.keep(change("unlinked", "bob", **tablet))
    assert lookups.customer_of("anonymous_id:tablet") == "ann"


def test_customers_that_were_merged_in_a_circle_end_the_search(tmp_path):
    kept = Kept(tmp_path).keep(change("merged", "a", into="b"), change("merged", "b", into="a"))

    assert Lookups(kept.connection).survivor_of("a") == "b"


def test_only_so_many_rows_and_so_much_time_are_kept(tmp_path, monkeypatch):
    monkeypatch.setitem(tidying.ROWS_MAX, "verdicts", 3)
    kept = Kept(tmp_path).keep(
        votes(1, 1, minute=ago(days=3)),
        outcome("j-0", ended_at=ago(days=40)),
        *(verdict(f"v-{n}") for n in range(5)),
    )

    tidy(kept.connection)

    assert [row[1] for row in kept.rows("verdicts")] == ["v-2", "v-3", "v-4"]
    assert kept.rows("minutes") == kept.rows("journey_tallies") == []
    assert [row[0] for row in kept.rows("spans")] == [60, 240]


def test_ways_that_nobody_shares_are_added_up_once_their_day_is_over(tmp_path):
    ways = [("a",), ("b",), ("c",), ("c",)]
    kept = Kept(tmp_path).keep(
        *(outcome(f"j-{n}", microjourney=way, ended_at=ago(days=3)) for n, way in enumerate(ways)),
        verdict(),
    )

    tidy(kept.connection)
    tidy(kept.connection)

    daily = {row[4]: row[5] for row in kept.rows("journey_tallies") if row[:2] == (24, "path")}
    assert daily == {"": 2, "c": 2}


def test_a_store_of_another_version_is_made_anew(tmp_path):
    Kept(tmp_path).keep(verdict()).connection.execute("PRAGMA user_version = 99")

    assert open_to_write(tmp_path).execute("SELECT count(*) FROM verdicts").fetchone() == (0,)


def test_the_last_version_of_an_alert_is_the_truth_and_all_are_kept(tmp_path):
    newer = alert("resolved", version=2, resolved_at=ago(minutes=1))
    kept = Kept(tmp_path).keep(newer, alert())

    lookups = Lookups(kept.connection)
    assert [one.state for one in lookups.incidents(0)] == ["resolved"]
    assert [one.version for one in lookups.incident("a-1")] == [1, 2]
