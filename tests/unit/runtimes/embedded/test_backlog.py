"""The touchpoints that wait: in order, each once, in bounded memory."""

import pytest

from pipeline.runtimes.embedded.backlog import HELD_RECORDS_MAX, Backlog
from schemas.topics import TOUCHPOINTS
from tests.unit.runtimes.embedded.test_log import Writing


@pytest.fixture
def writing(tmp_path):
    writing = Writing(tmp_path)
    yield writing
    writing.connection.close()


def backlog_on(writing, processed=0):
    return Backlog(writing.connection, writing.log.ids[TOUCHPOINTS], processed)


def append(writing, first, count):
    writing.commit(*[(TOUCHPOINTS, "a", b"%d" % (first + one)) for one in range(count)])


def offsets(items):
    return [item[0] for item in items]


def test_what_is_held_needs_no_reading(writing):
    backlog = backlog_on(writing)
    backlog.hold((0, b"0", 0))
    backlog.hold((1, b"1", 0))

    assert offsets(backlog.first(10)) == [0, 1]


def test_what_stands_in_the_log_comes_before_what_was_just_appended(writing):
    append(writing, 0, 5)
    backlog = backlog_on(writing, processed=2)
    backlog.hold((5, b"5", 0))
    append(writing, 5, 1)

    assert offsets(backlog.first(10)) == [2, 3, 4, 5]


def test_memory_is_bounded_and_what_does_not_fit_is_read_again_in_order(writing):
    count = HELD_RECORDS_MAX + 500
    backlog = backlog_on(writing)
    for number in range(count):
        backlog.hold((number, b"%d" % number, 0))
    append(writing, 0, count)

    held = offsets(backlog.first(count))
    backlog.forget(len(held))

    assert len(held) == HELD_RECORDS_MAX
    assert held + offsets(backlog.first(count)) == list(range(count))


def test_what_was_not_committed_is_taken_again_after_a_rewind(writing):
    append(writing, 0, 5)
    backlog = backlog_on(writing)
    backlog.forget(len(backlog.first(3)))

    backlog.rewind(1)

    assert offsets(backlog.first(10)) == [1, 2, 3, 4]
