"""How the file is opened: what a 200 rests on."""

from pipeline.runtimes.embedded.database import database_path, open_reader, open_writer
from schemas.topics import TOPICS


def setting(connection, name):
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_every_commit_is_fsynced_and_readers_do_not_block_it(tmp_path):
    connection = open_writer(tmp_path, ())

    assert setting(connection, "synchronous") == 2  # FULL: an fsync for every commit
    assert setting(connection, "journal_mode") == "wal"
    connection.close()


def test_opening_again_changes_nothing(tmp_path):
    open_writer(tmp_path, ("stitch",)).close()
    before = database_path(tmp_path).read_bytes()

    open_writer(tmp_path, ("stitch",)).close()

    assert database_path(tmp_path).read_bytes() == before


def test_a_stage_that_a_new_version_brings_gets_its_table(tmp_path):
    open_writer(tmp_path, ("identify",)).close()

    connection = open_writer(tmp_path, ("identify", "stitch"))

    assert connection.execute("SELECT count(*) FROM state_stitch").fetchone() == (0,)
    connection.close()


def test_every_topic_of_the_catalogue_has_its_number(tmp_path):
    open_writer(tmp_path, ()).close()

    connection = open_reader(tmp_path)

    assert {name for (name,) in connection.execute("SELECT name FROM topics")} == set(TOPICS)
    connection.close()
