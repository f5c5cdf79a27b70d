"""The topics that Kafka should have, and what differs from them. No broker is asked."""

import pytest

from pipeline.runtimes.kafka.topics import (
    Found,
    changelogs,
    differences,
    missing,
    planned,
)
from pipeline.topology import STAGES
from schemas.brokers import Brokers
from schemas.topics import LINKS, SESSIONS, TOPICS, TOUCHPOINTS, VERDICTS, Cleanup

WEEK = "604800000"
DAY = "86400000"


def brokers(**settings):
    return Brokers(bootstrap_servers="kafka-1:9092", **settings)


def as_planned(**settings):
    """The topics of a cluster on which nothing differs."""
    return {
        plan.name: Found(
            partitions=plan.partitions,
            replication=plan.replication or 1,
            settings=dict(plan.settings),
        )
        for plan in planned(brokers(**settings)).values()
    }


def spoiled(name, partitions=None, replication=None, **settings):
    """The same with one topic made otherwise; a setting's underscores are dots."""
    found = as_planned()
    changed = {key.replace("_", "."): value for key, value in settings.items()}
    found[name] = Found(
        partitions=partitions or found[name].partitions,
        replication=replication or found[name].replication,
        settings=dict(found[name].settings) | changed,
    )
    return found


def told(found, **settings):
    wanted = brokers(**settings)
    return differences(planned(wanted).values(), found, wanted.application)


def lines(found, **settings):
    return [str(one) for one in told(found, **settings)]


def test_every_topic_of_the_catalogue_is_planned_and_a_changelog_for_each_stage():
    names = list(planned(brokers(application="shop")))

    assert names == [*TOPICS, *(f"shop-{stage.name}-changelog" for stage in STAGES)]


def test_a_changelog_is_named_after_its_stage_and_never_forgets_by_age():
    log = planned(brokers())[changelogs("touchpoints")["stitch"]]

    assert log.name == "touchpoints-stitch-changelog"
    assert log.settings["cleanup.policy"] == "compact"
    assert "retention.ms" not in log.settings


def test_what_is_compacted_tells_of_deleted_keys_for_a_week_at_least():
    plans = planned(brokers())

    for name, topic in TOPICS.items():
        kept = plans[name].settings.get("delete.retention.ms")
        assert kept == (None if topic.cleanup is Cleanup.DELETE else WEEK)
    assert plans[changelogs("touchpoints")["identify"]].settings["delete.retention.ms"] == WEEK


def test_a_topic_keeps_what_the_catalogue_says_and_takes_the_largest_item():
    plans = planned(brokers())

    assert plans[VERDICTS].settings["retention.ms"] == WEEK
    assert all(int(plan.settings["max.message.bytes"]) > 1_048_576 for plan in plans.values())


def test_one_number_of_partitions_holds_for_all():
    assert {plan.partitions for plan in planned(brokers(partitions=32)).values()} == {32}
    assert {plan.partitions for plan in planned(brokers()).values()} == {8}


@pytest.mark.parametrize(("copies", "in_sync"), [(None, None), (1, None), (2, None), (3, "2")])
def test_with_three_copies_two_have_to_have_a_record(copies, in_sync):
    plan = planned(brokers(replication=copies))[TOUCHPOINTS]

    assert plan.replication == copies
    assert plan.settings.get("min.insync.replicas") == in_sync


def test_of_topics_as_planned_nothing_is_told():
    assert told(as_planned()) == []
    assert told(as_planned(partitions=3, replication=3), partitions=3, replication=3) == []


def test_a_missing_topic_stops_a_worker():
    found = as_planned()
    del found[VERDICTS]

    (one,) = told(found)

    assert str(one) == "verdicts: expected a topic of 8 partitions; found none"
    assert one.stops


def test_topics_that_a_stage_reads_together_have_to_be_cut_alike():
    (one,) = told(spoiled(LINKS, partitions=4))

    assert str(one) == (
        "links: partitions: expected 8, as touchpoints has, since identify uses both together; "
        "found 4"
    )
    assert one.stops


def test_a_changelog_has_to_be_cut_as_its_stages_input():
    (one,) = told(spoiled(changelogs("touchpoints")["stitch"], partitions=4))

    assert "as customer-touchpoints has, since stitch uses both together" in str(one)
    assert one.stops


def test_another_number_for_all_is_told_and_stops_nothing():
    found = as_planned(partitions=4)

    differing = told(found)

    assert {str(one).partition(": ")[2] for one in differing} == {"partitions: expected 8; found 4"}
    assert len(differing) == len(found)
    assert not any(one.stops for one in differing)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            spoiled(VERDICTS, retention_ms=DAY),
            "verdicts: retention.ms: expected 604800000 (7d); found 86400000 (1d)",
        ),
        (
            spoiled(VERDICTS, retention_ms="-1"),
            "verdicts: retention.ms: expected 604800000 (7d); found -1 (for ever)",
        ),
        (
            spoiled(SESSIONS, cleanup_policy="delete"),
            "sessions: cleanup.policy: expected compact,delete; found delete",
        ),
        (
            spoiled(LINKS, delete_retention_ms=DAY),
            "links: delete.retention.ms: expected at least 604800000 (7d); found 86400000 (1d)",
        ),
        (
            spoiled(TOUCHPOINTS, max_message_bytes="1048588"),
            "touchpoints: max.message.bytes: expected at least 2097152; found 1048588",
        ),
    ],
)
def test_a_setting_that_differs_is_told_in_kafkas_words(found, line):
    assert lines(found) == [line]
    assert not any(one.stops for one in told(found))


@pytest.mark.parametrize("name", [LINKS, changelogs("touchpoints")["stitch"]])
def test_forgetting_by_age_what_has_to_last_stops_a_worker(name):
    (one,) = told(spoiled(name, cleanup_policy="compact,delete"))

    assert one.what == "cleanup.policy"
    assert one.stops


@pytest.mark.parametrize(
    "found",
    [
        spoiled(SESSIONS, cleanup_policy="delete,compact"),
        spoiled(LINKS, delete_retention_ms="1209600000"),
        spoiled(TOUCHPOINTS, max_message_bytes="10485760"),
        spoiled(VERDICTS, replication=3),
    ],
)
def test_more_than_enough_is_enough(found):
    assert told(found) == []


def test_too_few_copies_are_told_where_a_number_was_asked_for():
    assert "touchpoints: replication: expected 3; found 1" in lines(as_planned(), replication=3)


def test_settings_that_the_brokers_do_not_tell_are_not_taken_for_fine():
    found = as_planned() | {VERDICTS: Found(partitions=8, replication=1)}

    (one,) = told(found)

    assert "expected the brokers to tell them" in str(one)
    assert not one.stops


def test_only_what_is_not_there_is_made():
    found = as_planned()
    del found[VERDICTS], found[SESSIONS]

    made = missing(planned(brokers()), found, "touchpoints")

    assert [plan.name for plan in made] == [SESSIONS, VERDICTS]


def test_what_is_made_later_is_cut_as_what_is_there():
    found = as_planned(partitions=3)
    del found[LINKS], found[changelogs("touchpoints")["stitch"]], found[VERDICTS]

    made = missing(planned(brokers()), found, "touchpoints")

    assert {plan.name: plan.partitions for plan in made} == {
        LINKS: 3,
        VERDICTS: 8,  # no stage reads it, so any number will do
        "touchpoints-stitch-changelog": 3,
    }
