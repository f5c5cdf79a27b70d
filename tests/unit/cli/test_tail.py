"""`touchpoints tail`: what it prints, and when it ends."""

import json
import threading
import time
from datetime import UTC, datetime

import pytest

from pipeline.cli import tail
from pipeline.cli.main import main
from pipeline.runtimes.embedded.database import open_writer
from pipeline.runtimes.embedded.log import Log

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
def log(tmp_path):
    """A folder with a log of its own; gives a function that appends to a topic."""
    connection = open_writer(tmp_path, ["identify"])
    written = Log(connection)

    def append(topic, *values):
        connection.execute("BEGIN IMMEDIATE")
        for value in values:
            written.append(topic, "key", value)
        written.write(AT)
        connection.execute("COMMIT")
        written.commit()

    yield append
    connection.close()


def lines(capfdbinary):
    return capfdbinary.readouterr().out.splitlines()


def test_what_is_there_already_is_printed_from_the_start_in_order(log, tmp_path, capfdbinary):
    log("sessions", *(b'{"n":%d}' % n for n in range(1_200)))

    code = main(["tail", "sessions", "--data", str(tmp_path), "--from-start", "--timeout", "0.2"])

    assert code == 0
    assert [json.loads(line)["n"] for line in lines(capfdbinary)] == list(range(1_200))


def test_it_ends_at_the_count_and_prints_no_more(log, tmp_path, capfdbinary):
    log("sessions", b'{"n":0}', b'{"n":1}', b'{"n":2}')

    code = main(["tail", "sessions", "--data", str(tmp_path), "--from-start", "--count", "2"])

    assert code == 0
    assert lines(capfdbinary) == [b'{"n":0}', b'{"n":1}']


def test_without_from_start_only_what_is_still_to_come_is_printed(log, tmp_path, capfdbinary):
    log("verdicts", b'{"n":0}')
    arguments = ["tail", "verdicts", "--data", str(tmp_path), "--count", "1", "--timeout", "20"]
    codes = []
    following = threading.Thread(target=lambda: codes.append(main(arguments)))

    following.start()
    while not codes:  # it may not have looked for the end of the topic yet
        time.sleep(0.1)
        log("verdicts", b'{"n":1}')
    following.join()

    assert codes == [0]
    assert lines(capfdbinary) == [b'{"n":1}']


def test_the_timeout_ends_it_also_where_nothing_comes(log, tmp_path, capfdbinary):
    assert main(["tail", "links", "--data", str(tmp_path), "--timeout", "0.1"]) == 0
    assert lines(capfdbinary) == []


def test_a_folder_without_data_is_said_in_one_line(tmp_path, capsys):
    code = main(["tail", "sessions", "--data", str(tmp_path / "nowhere")])

    said = capsys.readouterr()
    assert code == 1
    assert said.out == ""
    assert "nowhere" in said.err
    assert "touchpoints up" in said.err
    assert not (tmp_path / "nowhere").exists()


def test_a_mistaken_topic_gets_a_suggestion(capsys):
    with pytest.raises(SystemExit) as misused:
        main(["tail", "sesions"])

    assert misused.value.code == 2
    assert 'Did you mean "sessions"?' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--count", "0"), ("--count", "some"), ("--timeout", "-1")]
)
def test_an_option_that_makes_no_sense_is_misuse(option, value, capsys):
    with pytest.raises(SystemExit) as misused:
        main(["tail", "sessions", option, value])

    assert misused.value.code == 2
    assert f"found '{value}'" in capsys.readouterr().err


def test_values_leave_at_once_each_on_its_line():
    class Stream:
        def __init__(self):
            self.calls = []

        def write(self, data):
            self.calls.append(data)

        def flush(self):
            self.calls.append("flush")

    stream = Stream()

    tail.write([b"{}", b"[]"], stream)

    assert stream.calls == [b"{}\n[]\n", "flush"]
