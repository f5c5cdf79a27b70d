"""The compose file as processes of this machine: its broker, topics, listener and workers.

The broker's environment becomes its settings as the image's own start does it; names of services
become loopback, ports free ones. Images, networks and limits are not tried here.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Consumer

from schemas.topics import VERDICTS
from tests.brokers.apache_kafka import ApacheKafka, fetched, java_of_this_machine
from tests.brokers.broker import Missing, free_port
from tests.integration.serving import COMMAND, SEEDS, Up, eventually, fetch, touchpoints

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
STORY = SEEDS / "journeys" / "app-payment-fails-then-customer-rings.jsonl"


class ComposedKafka(ApacheKafka):
    """The broker of the compose file, set up by the same program as in its image."""

    def prepare(self) -> Sequence[str]:
        settings, given = self.directory / "config", self.directory / "given"
        for folder in (settings, given):
            folder.mkdir(exist_ok=True)
        (given / "server.properties").touch()
        (settings / "server.properties").touch()
        java = [java_of_this_machine(), *self.flags, "-cp", f"{fetched()}{os.sep}*"]
        made = subprocess.run(
            [*java, "kafka.docker.KafkaDockerWrapper", "setup", *self._folders(settings, given)],
            env={**os.environ, **self._environment()},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        return [*java, "kafka.Kafka", str(settings / "server.properties")]

    def _folders(self, settings: Path, given: Path) -> list[str]:
        return [
            *("--default-configs-dir", str(given), "--mounted-configs-dir", str(given)),
            *("--final-configs-dir", str(settings)),
        ]

    def _environment(self) -> dict[str, str]:
        controller = free_port()
        changed = {}
        for name, value in SERVICES["kafka"]["environment"].items():
            local = value.replace("://:", "://127.0.0.1:").replace("kafka:", "127.0.0.1:")
            ports = local.replace(":9092", f":{self.port}").replace(":9093", f":{controller}")
            changed[name] = ports
        changed["KAFKA_LOG_DIRS"] = str(self.directory / "data")
        return changed


class Composed(Up):
    """A service of ours, by the compose file's command."""

    def __init__(self, name: str, folder: Path, settings: Path) -> None:
        super().__init__(folder / name)
        self._command = [*COMMAND, *command_of(name, settings, folder / name)]
        self.variables = {"TOUCHPOINTS_IDENTIFIER_HASH_KEY": "a secret of some length"}


def command_of(name: str, settings: Path, data: Path) -> list[str]:
    """The command of a service, for this machine: other paths, loopback, free ports."""
    instead = {
        "/etc/touchpoints/settings.toml": str(settings),
        "/data": str(data),
        "0.0.0.0": "127.0.0.1",
        "8080": "0",
        "8081": "0",
    }
    command = []
    for word in SERVICES[name]["command"]:
        option, _, value = word.rpartition("=")
        command.append(f"{option}={instead[value]}" if option else instead.get(word, word))
    return command


@pytest.fixture
def settings(tmp_path):
    """The mounted settings, with the broker's address of this machine."""
    try:
        broker = ComposedKafka()
        broker.start()
    except Missing as error:
        pytest.skip(f"no broker: {error}")
    (mounted, *_) = SERVICES["listen"]["volumes"]
    text = (ROOT / mounted.split(":")[0]).read_text()
    path = tmp_path / "settings.toml"
    path.write_text(text.replace("kafka:9092", broker.bootstrap_servers))
    yield path
    broker.close()


def judged(servers, wanted):
    """The ids of verdicts, read until all that are wanted have one."""
    reader = Consumer(
        {"bootstrap.servers": servers, "group.id": "test", "auto.offset.reset": "earliest"}
    )
    reader.subscribe([VERDICTS])
    found = set()

    def all_there():
        record = reader.poll(1)
        if record is not None and record.error() is None:
            found.add(json.loads(record.value())["id"])
        return found >= wanted

    try:
        eventually(all_there)
    finally:
        reader.close()
    return found


def test_touchpoints_that_come_in_through_the_composed_listener_are_judged_by_the_workers(
    tmp_path, settings
):
    servers = settings.read_text().split('bootstrap_servers = "')[1].split('"')[0]
    items = [json.loads(line) for line in STORY.read_text().splitlines()]
    ids = {item["id"] for item in items}
    made = touchpoints(*command_of("topics", settings, tmp_path))

    listen, first, second = (
        Composed(name, tmp_path / folder, settings)
        for name, folder in (("listen", "door"), ("work", "first"), ("work", "second"))
    )
    for folder in ("door", "first", "second"):
        (tmp_path / folder).mkdir()
    with listen, first, second:
        both = [f"{one.operations}/readyz" for one in (first, second)]
        eventually(lambda: all(fetch(url).status == 200 for url in both))
        answers = [listen.post(item, key="shop-key").status for item in items]
        stranger = listen.post(items[0], key="another").status
        verdicts = judged(servers, ids)
        scraped = [fetch(f"{one.operations}/metrics").body for one in (listen, first, second)]

    assert made.returncode == 0, made.stderr
    assert answers == [200] * len(items)
    assert stranger == 401
    assert verdicts == ids
    assert b"touchpoints_publisher_ready 1.0" in scraped[0]
    assert all(b"touchpoints_partitions_owned{" in one for one in scraped[1:])
    assert all(b"process_start_time_seconds" in one for one in scraped)
