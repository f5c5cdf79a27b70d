"""Retention and compaction: what goes, what stays, and never too much at once."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from pipeline.runtimes.embedded.housekeeping import (
    CHUNKS_PER_STEP,
    COMPACTION_LAG,
    COMPACTION_PAUSE,
    Housekeeping,
)
from pipeline.runtimes.embedded.reader import LogReader
from pipeline.telemetry import PipelineTelemetry
from schemas.topics import LINKS, SESSIONS, TOPICS, TOUCHPOINTS, VERDICTS
from tests.unit.runtimes.counting import NOON
from tests.unit.runtimes.embedded.test_log import Writing

ALL = 10**9
WEEK = TOPICS[VERDICTS].retention


class House(Writing):
    def __init__(self, directory):
        super().__init__(directory)
        self.telemetry = PipelineTelemetry(CollectorRegistry())
        self.housekeeping = Housekeeping(self.connection, self.log.ids, self.telemetry)
        self.reader = LogReader(directory)

    def tidy(self, now, processed=ALL):
        """Until a compaction that began has ended, too."""
        for _ in range(10):
            while self.housekeeping.step(now, processed):
                pass

    def values(self, topic):
        return [record.value for record in self.reader.read(topic, 0, ALL)]


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    yield house
    house.reader.close()
    house.connection.close()


def test_records_go_when_their_retention_has_passed_and_not_before(house):
    house.commit((VERDICTS, "a", b"old"))
    house.commit((VERDICTS, "a", b"young"), now=NOON + timedelta(days=1))

    house.tidy(NOON + WEEK)
    at_the_limit = house.values(VERDICTS)
    house.tidy(NOON + WEEK + timedelta(seconds=1))

    assert at_the_limit == [b"old", b"young"]
    assert house.values(VERDICTS) == [b"young"]


def test_a_touchpoint_not_yet_processed_stays_however_old_it_is(house):
    house.commit((TOUCHPOINTS, "a", b"0"))
    house.commit((TOUCHPOINTS, "a", b"1"))

    house.tidy(NOON + 2 * WEEK, processed=1)

    assert house.values(TOUCHPOINTS) == [b"1"]


def test_one_step_takes_a_bounded_number_of_chunks_and_says_that_there_is_more(house):
    for number in range(CHUNKS_PER_STEP + 5):
        house.commit((VERDICTS, "a", b"%d" % number))

    more = house.housekeeping.step(NOON + 2 * WEEK, ALL)

    assert more
    assert len(house.values(VERDICTS)) == 5


def test_compaction_keeps_the_last_record_of_every_key_at_its_offset(house):
    house.commit((LINKS, "a", b"a1"), (LINKS, "b", b"b1"))
    house.commit((LINKS, "a", b"a2"), (LINKS, "c", b"c1"))
    house.commit((LINKS, "a", b"a3"))

    house.tidy(NOON + COMPACTION_LAG + timedelta(seconds=1))

    records = house.reader.read(LINKS, 0, ALL)
    assert [(one.offset, one.value) for one in records] == [(1, b"b1"), (3, b"c1"), (4, b"a3")]


def test_compaction_leaves_alone_what_a_follower_may_not_have_seen(house):
    house.commit((LINKS, "a", b"a1"))
    house.commit((LINKS, "b", b"b1"))
    house.commit((LINKS, "a", b"a2"), now=NOON + timedelta(seconds=2))
    house.commit((LINKS, "a", b"a3"), now=NOON + timedelta(seconds=3))

    house.tidy(NOON + COMPACTION_LAG + timedelta(seconds=1))

    assert house.values(LINKS) == [b"a1", b"b1", b"a2", b"a3"]


def test_a_topic_that_is_compacted_and_deleted_loses_what_is_too_old_as_well(house):
    house.commit((SESSIONS, "a", b"a1"))
    house.commit((SESSIONS, "b", b"b1"), now=NOON + timedelta(days=1))

    house.tidy(NOON + TOPICS[SESSIONS].retention + timedelta(seconds=1))

    assert house.values(SESSIONS) == [b"b1"]


def test_links_never_grow_too_old(house):
    house.commit((LINKS, "a", b"a1"))

    house.tidy(NOON + timedelta(days=10_000))

    assert house.values(LINKS) == [b"a1"]


def test_compaction_goes_through_many_steps_and_later_ones_go_on_from_there(house):
    for number in range(3 * CHUNKS_PER_STEP):
        house.commit((LINKS, f"k{number % 7}", b"%d" % number))
    later = NOON + COMPACTION_LAG + timedelta(hours=1)
    house.tidy(later)
    first = house.values(LINKS)
    for number in range(3 * CHUNKS_PER_STEP):
        house.commit((LINKS, f"k{number % 5}", b"x%d" % number), now=later)

    house.tidy(later + COMPACTION_LAG + COMPACTION_PAUSE)

    end = 3 * CHUNKS_PER_STEP
    assert first == [b"%d" % number for number in range(end - 7, end)]
    assert len(house.values(LINKS)) == 7
