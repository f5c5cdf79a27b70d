"""The commands on Kafka as users have them: topics, listen, work, tail, each a process."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.brokers import Brokers
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh
from tests.integration.serving import COMMAND, ROOT, SEEDS, Listen, environment, fetch, touchpoints

LONG = 60.0
"""Seconds for a group to form and a result to come; generous, since machines may be busy."""


def item(number: int, **fields: object) -> dict[str, object]:
    return {
        "id": f"t-{number}",
        "channel": "web",
        "name": "home",
        "identifiers": {"anonymous_id": "a-1"},
        **fields,
    }


@pytest.fixture
def brokers(kafka: Broker) -> Brokers:
    return fresh(kafka, partitions=2)


class Work:
    """`touchpoints work` in a process; a context manager that ends it with SIGTERM."""

    def __init__(self, brokers: Brokers, folder: Path, *arguments: object) -> None:
        self.settings = folder / "work.toml"
        self.settings.write_text(
            f'[kafka]\nbootstrap_servers = "{brokers.bootstrap_servers}"\n'
            f'application = "{brokers.application}"\n[pipeline]\nsession_timeout = "10s"\n'
        )
        self.said = folder / "work.log"
        self._command = [*COMMAND, "work", "--settings", str(self.settings)]
        self._command += ["--catalogue", str(SEEDS), *map(str, arguments)]

    def __enter__(self) -> "Work":
        with self.said.open("w") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=environment(), stdout=log, stderr=subprocess.STDOUT
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(30)

    def ended(self) -> tuple[int, str]:
        return self._process.wait(LONG), self.said.read_text()

    @property
    def operations(self) -> str:
        """The operations port's address, once it has said it."""
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            if found := re.search(r"operations on (\S+)", self.said.read_text()):
                return found[1]
            time.sleep(0.05)
        raise AssertionError(self.said.read_text())


@pytest.fixture
def chain(brokers: Brokers, tmp_path: Path) -> Iterator[tuple[Listen, Work]]:
    with (
        Work(brokers, tmp_path) as work,
        Listen(tmp_path / "spool", brokers.bootstrap_servers) as listen,
    ):
        yield listen, work


def tailed(brokers: Brokers, topic: str, count: int) -> list[str]:
    said = touchpoints(
        *("tail", topic, "--bootstrap-servers", brokers.bootstrap_servers),
        *("--from-start", "--count", count, "--timeout", LONG),
    )
    assert said.returncode == 0, said.stderr
    return said.stdout.splitlines()


def test_what_is_posted_to_a_listener_ends_as_a_verdict_on_the_topic(
    chain: tuple[Listen, Work], brokers: Brokers
) -> None:
    listen, work = chain

    answers = [listen.post(item(number)) for number in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 200]
    verdicts = tailed(brokers, "verdicts", 3)
    assert sorted(re.findall(r'"id":"(t-\d)"', "".join(verdicts))) == ["t-0", "t-1", "t-2"]
    assert fetch(f"{work.operations}/readyz").status == 200
    assert b"touchpoints_processed_total" in fetch(f"{work.operations}/metrics").body


def test_a_worker_that_is_stopped_leaves_the_group_at_once(
    brokers: Brokers, tmp_path: Path
) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    with Listen(tmp_path / "spool", brokers.bootstrap_servers) as listen:
        with Work(brokers, tmp_path / "first") as first:
            listen.post(item(1))
            tailed(brokers, "verdicts", 1)
            assert first.stop() == 0
        with Work(brokers, tmp_path / "second"):
            listen.post(item(2))

            verdicts = tailed(brokers, "verdicts", 2)

    assert len({re.search(r'"session_id":"([^"]+)"', one)[1] for one in verdicts}) == 1  # type: ignore[index]


def test_a_worker_says_which_topics_are_missing_and_how_to_make_them(
    kafka: Broker, tmp_path: Path
) -> None:
    brokers = fresh(kafka).model_copy(update={"application": "test-nowhere"})
    with Work(brokers, tmp_path) as work:
        code, said = work.ended()

    assert code == 1
    assert "test-nowhere-stitch-changelog: expected a topic" in said
    assert "touchpoints topics create" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--bootstrap-servers", "127.0.0.1:1"], 1, "expected Kafka's brokers to answer"),
        (["--bootstrap-servers", "localhost"], 2, 'expected HOST:PORT such as "kafka-1:9092"'),
        ([], 2, "expected Kafka's address; found none"),
        (["--bootstrap-servers", "127.0.0.1:1", "--catalogue", "nowhere"], 1, "nowhere"),
    ],
)
def test_a_mistake_ends_in_one_clear_message(arguments: list[str], code: int, message: str) -> None:
    said = touchpoints("work", *arguments)

    assert said.returncode == code
    assert message in said.stderr
    assert "Traceback" not in said.stderr


def test_a_topic_that_is_not_there_is_told_by_tail(kafka: Broker) -> None:
    from tests.brokers.topics import empty

    empty(kafka)

    said = touchpoints("tail", "votes", "--bootstrap-servers", kafka.bootstrap_servers)

    assert said.returncode == 1
    assert "votes: expected a topic; found none of that name" in said.stderr
