"""`touchpoints console` on Kafka: the same pages of the results that a worker publishes there."""

import json
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
def work(brokers: Brokers, tmp_path: Path) -> Iterator[Work]:
    with Work(brokers, tmp_path) as work:
        yield work


@pytest.fixture
def listen(brokers: Brokers, work: Work, tmp_path: Path) -> Iterator[Listen]:
    with Listen(tmp_path / "spool", brokers.bootstrap_servers) as listen:
        yield listen


def console(folder: Path, settings: str = "work.toml") -> tuple["subprocess.Popen[str]", str]:
    process = subprocess.Popen(
        [
            *COMMAND, "console", "--settings", str(folder / settings),
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


def test_the_pipelines_page_shows_listeners_lag_refusals_and_ledger_of_all_processes(
    listen: Listen, work: Work, tmp_path: Path
) -> None:
    asked = [listen.operations, work.operations]
    settings = work.settings.read_text() + f"[console]\noperations = {json.dumps(asked)}\n"
    (tmp_path / "console.toml").write_text(settings)
    listen.post([item(1, channel="app", name="pay-in-app"), item(2, channel="web", name="home")])
    listen.post({"channel": "fax", "name": "home", "identifiers": {"user_id": "u-1"}})

    process, url = console(tmp_path, "console.toml")
    try:

        def table(name: str) -> list[dict[str, object]]:
            answer = fetch(f"{url}/pipeline?table={name}&format=json")
            return answer.json if answer.status == 200 else []  # type: ignore[no-any-return]

        eventually(
            lambda: any(one["results"] == one["accepted"] == 2 for one in table("ledger")), LONG
        )
        doors = {one["channel"]: one["accepted"] for one in table("doors")}
        rejected = {one["reason"]: one["refused"] for one in table("rejected")}
        roles = {one["address"]: one["role"] for one in table("processes")}
        read = {"touchpoints", "customer-touchpoints"}  # told every few seconds
        eventually(lambda: read <= {one["topic"] for one in table("lags")}, LONG)
        missing = [one["unaccounted"] for one in table("ledger")]
        work.stop()
        eventually(lambda: b"Not all of the pipeline works" in fetch(url + "/pipeline").body, LONG)
        health = fetch(url + "/healthz")
    finally:
        stop(process)

    assert doors == {"app": 1, "web": 1}
    assert rejected == {"field_invalid": 1}
    assert roles == {listen.operations: "listens", work.operations: "works"}
    assert missing == [0]
    assert health.status == 503
