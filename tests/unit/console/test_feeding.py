"""The thread that fills the store: what it says of itself, and that no damage stops it for good."""

import sqlite3
import time
from contextlib import contextmanager

import pytest

from pipeline.console import feeding as module
from pipeline.console.feeding import Feeder
from pipeline.console.feeds import Part
from pipeline.console.keeping import Arrived
from pipeline.console.rendering import Renderer
from pipeline.console.store import StoreFailed, open_to_read, open_to_write, remove, store_path
from pipeline.errors import PipelineError
from schemas.codec import encode
from schemas.topics import VERDICTS
from tests.builders import RULES
from tests.unit.console.stores import CAUGHT_UP, NOW, Kept, ago, verdict


class Log:
    """Topics of verdicts alone, as a feed reads them; each feed of it from where it was left."""

    def __init__(self, *records):
        self.records = list(records)
        self.problem = None

    def open(self, offsets):
        if self.problem:
            raise _error(self.problem)
        return Reading(self, offsets.get(VERDICTS, {}).get(0, 0))


class Reading:
    def __init__(self, log, following):
        self._log, self._next = log, following

    def poll(self, _):
        if self._log.problem:
            raise _error(self._log.problem)
        for record in self._log.records[self._next :]:
            self._next += 1
            yield Part(VERDICTS, [Arrived("", encode(record), 0)], {0: self._next})

    def behind(self):
        return len(self._log.records) - self._next

    def restarted(self):
        return self._next > len(self._log.records)

    def close(self):
        pass


def _error(problem):
    return problem if isinstance(problem, Exception) else PipelineError(problem)


@contextmanager
def feeding(directory, log):
    feeder = Feeder(directory, log.open, lambda: NOW)
    feeder.start()
    try:
        yield feeder
    finally:
        feeder.stop()


def soon(condition):
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def ids(directory):
    connection = open_to_read(directory)
    try:
        return [id_ for (id_,) in connection.execute("SELECT id FROM verdicts ORDER BY id")]
    finally:
        connection.close()


def test_it_reads_on_where_it_was_and_says_that_it_is_at_the_end(tmp_path):
    log = Log(verdict("v-1"))
    with feeding(tmp_path, log) as feeder:
        soon(lambda: feeder.fed.caught_up)
    log.records.append(verdict("v-2"))
    with feeding(tmp_path, log) as feeder:
        soon(lambda: ids(tmp_path) == ["v-1", "v-2"])

    assert feeder.fed.failure == ""


def test_topics_that_cannot_be_read_are_said_until_they_can(tmp_path):
    log = Log(verdict("v-1"))
    log.problem = "the brokers are away"
    with feeding(tmp_path, log) as feeder:
        soon(lambda: feeder.fed.failure == "the brokers are away")
        log.problem = None
        soon(lambda: feeder.fed.caught_up)

        assert (feeder.fed.failure, ids(tmp_path)) == ("", ["v-1"])


def test_a_file_that_is_no_store_is_made_anew_of_what_the_topics_hold(tmp_path):
    store_path(tmp_path).write_bytes(b"this is no database, whatever its name says" * 100)

    with feeding(tmp_path, Log(verdict("v-1"))) as feeder:
        soon(lambda: feeder.fed.caught_up)

        assert ids(tmp_path) == ["v-1"]


def test_a_store_that_is_damaged_while_it_is_used_is_made_anew(tmp_path):
    log = Log(*(verdict(f"v-{n:04}") for n in range(600)))
    with feeding(tmp_path, log) as feeder:
        soon(lambda: feeder.fed.caught_up)
    whole = store_path(tmp_path).read_bytes()
    sound = 4096 * 50  # the tables are found; their rows are not what they were
    store_path(tmp_path).write_bytes(whole[:sound] + b"\xff" * (len(whole) - sound))
    open_to_write(tmp_path).close()

    log.records.append(verdict("v-new"))
    with feeding(tmp_path, log) as feeder:
        soon(lambda: feeder.fed.caught_up and not feeder.fed.failure)
        soon(lambda: len(ids(tmp_path)) == 601)


def test_a_folder_that_takes_no_file_is_an_error_with_its_place(tmp_path):
    (tmp_path / "console.db").mkdir()

    with pytest.raises(StoreFailed, match=r"console.db: expected the console's store"):
        Feeder(tmp_path, Log().open, lambda: NOW)


def test_a_damaged_store_that_cannot_be_made_anew_yet_is_once_it_can(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RETRY", 0.01)
    log = Log(verdict("v-1"))
    full, full_disk = 3, StoreFailed("the disk is full")

    def opened(directory):
        nonlocal full
        if full:
            full -= 1
            raise full_disk
        return open_to_write(directory)

    with feeding(tmp_path, log) as feeder:
        soon(lambda: feeder.fed.caught_up)
        monkeypatch.setattr(module, "open_to_write", opened)
        broken = sqlite3.DatabaseError("malformed")
        broken.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        log.problem = broken
        soon(lambda: feeder.fed.failure == "the disk is full")
        log.problem = None
        soon(lambda: feeder.fed.caught_up and not feeder.fed.failure)

        assert (full, ids(tmp_path)) == (0, ["v-1"])


async def test_pages_are_of_the_store_that_was_made_anew_of_a_damaged_one(tmp_path):
    renderer = Renderer(tmp_path, RULES, lambda: CAUGHT_UP, lambda: NOW)
    try:
        damaged = Kept(tmp_path).keep(verdict(occurred_at=ago(minutes=9)))
        assert (await renderer.standing()).as_of == ago(minutes=9)
        await renderer.look()
        damaged.connection.close()
        remove(tmp_path)

        Kept(tmp_path).keep(verdict(occurred_at=ago(minutes=1)))

        assert await renderer.look()
        assert (await renderer.standing()).as_of == ago(minutes=1)
    finally:
        renderer.close()


async def test_pages_of_a_store_that_is_not_there_say_so_and_break_nothing(tmp_path):
    kept = Kept(tmp_path)
    kept.connection.close()
    store_path(tmp_path).unlink()

    for path in ("/", "/missions", "/touchpoints/pay-online", "/pipeline", "/journeys/ann"):
        page = await kept.page(path)
        assert "There are no results to read yet" in page.text, path
        assert "Nothing is broken" not in page.text
