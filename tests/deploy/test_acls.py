"""The ACLs of the document are those that the stages need: nothing forgotten, nothing to spare."""

from pipeline.runtimes.kafka.topics import planned
from pipeline.topology import STAGES
from schemas.brokers import Brokers
from schemas.topics import DEAD_LETTERS, TOPICS, TOUCHPOINTS
from tests.deploy.acls import acls


def topics_of(account, operation, *, prefixed=False):
    return {
        acl.name
        for acl in acls()
        if (acl.principal, acl.operation, acl.resource, acl.prefixed)
        == (f"User:touchpoints-{account}", operation, "topic", prefixed)
    }


def test_a_worker_may_read_what_its_stages_read_and_write_what_they_write():
    read = {topic for stage in STAGES for topic in stage.reads}
    written = {topic for stage in STAGES for topic in stage.writes}

    assert topics_of("worker", "Read") == read
    assert topics_of("worker", "Write") == written


def test_a_worker_may_look_at_every_topic_at_its_start():
    assert topics_of("worker", "Describe") == set(TOPICS)
    assert topics_of("worker", "DescribeConfigs") == set(TOPICS)


def test_the_prefix_of_a_workers_own_topics_is_that_of_no_other():
    (prefix,) = topics_of("worker", "Write", prefixed=True)
    changelogs = set(planned(Brokers(bootstrap_servers="kafka-1:9092"))) - set(TOPICS)

    assert all(name.startswith(prefix) for name in changelogs)
    assert not any(name.startswith(prefix) for name in TOPICS)


def test_a_listener_may_write_what_it_publishes_and_read_nothing():
    assert topics_of("listener", "Write") == {TOUCHPOINTS, DEAD_LETTERS}
    assert topics_of("listener", "Read") == set()


def test_an_operator_may_make_every_topic_that_is_planned():
    assert topics_of("operator", "Create") == set(
        planned(Brokers(bootstrap_servers="kafka-1:9092"))
    )


def test_a_reader_gets_results_and_nothing_that_emitters_sent():
    assert not topics_of("reader", "Read") & {TOUCHPOINTS, "customer-touchpoints", DEAD_LETTERS}
    assert {acl.operation for acl in acls() if acl.principal == "User:touchpoints-reader"} == {
        "Read"
    }
