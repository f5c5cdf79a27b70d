"""`touchpoints console` on Kafka: the same pages of the results that a worker publishes there."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.brokers import Brokers
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh
from tests.integration.serving import COMMAND, ROOT, SEEDS, Listen, environment, eventually, fetch
from tests.integration.test_kafka import LONG, Work, item

pytestmark = pytest.mark.integration


@pytest.fixture
def brokers(kafka: Broker) -> Brokers:
    return fresh(kafka, partitions=2)


@pytest.fixture
def listen(brokers: Brokers, tmp_path: Path) -> Iterator[Listen]:
    with (
        Work(brokers, tmp_path),
        Listen(tmp_path / "spool", brokers.bootstrap_servers) as listen,
    ):
        yield listen


def console(folder: Path) -> tuple["subprocess.Popen[str]", str]:
    process = subprocess.Popen(
        [
            *COMMAND, "console", "--settings", str(folder / "work.toml"),
            "--catalogue", str(SEEDS), "--data", str(folder / "console"), "--console-port", "0",
        ],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    found = re.search(r"console on (\S+),", process.stdout.readline())
    assert found is not None
    return process, found[1]


def stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.wait(60)
    assert process.stdout is not None
    process.stdout.close()


def test_the_same_pages_show_what_a_worker_publishes_and_go_on_after_a_restart(
    listen: Listen, tmp_path: Path
) -> None:
    listen.post(item(1, channel="app", name="pay-in-app", signals=["http_5xx"]))

    process, url = console(tmp_path)
    try:
        eventually(lambda: b"Paying my bill in the app" in fetch(url + "/touchpoints").body, LONG)
        why = fetch(url + "/touchpoints/pay-in-app").body
        health = fetch(url + "/healthz")
    finally:
        stop(process)
    listen.post(item(2, channel="app", name="pay-in-app"))
    process, url = console(tmp_path)
    try:
        table = "/touchpoints?table=touchpoints&format=csv"
        eventually(lambda: b"pay-in-app,app,2," in fetch(url + table).body, LONG)
    finally:
        stop(process)

    assert b"The server reported an error" in why
    assert health.status == 200
