"""The compose file, without Docker: its commands are ours, its files exist, its numbers agree."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from listeners import settings as listeners_settings
from pipeline import settings as pipeline_settings
from pipeline.cli.main import parser_of
from pipeline.passwords import hashed
from tests.brokers.containers import IMAGE

ROOT = Path(__file__).parents[2]
COMPOSED = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSED["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
OURS = ("topics", "listen", "work", "console")
WATCHING = ("prometheus", "alertmanager", "grafana")
SETTINGS = ROOT / "deploy" / "config" / "minimal-kafka.toml"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def parsed(name):
    command = SERVICES[name]["command"]
    return parser_of(command).parse_args(command)


def volumes(name):
    """Source, target and mode of what is mounted."""
    return [tuple(one.split(":")) for one in SERVICES[name].get("volumes", [])]


def files_of(name):
    """The project's files that are mounted: by their place in the container."""
    return {one[1]: ROOT / one[0] for one in volumes(name) if one[0].startswith("./")}


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_ours_and_its_settings_are_mounted(name):
    arguments = parsed(name)

    assert callable(arguments.run)
    assert files_of(name)[str(arguments.settings)] == SETTINGS


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists_and_cannot_be_written_or_is_a_named_volume(name):
    for source, target, *mode in volumes(name):
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
            assert mode == ["ro"], target
        else:
            assert source in COMPOSED["volumes"], source
            assert mode == []


def test_the_console_asks_the_operations_ports_of_all_that_listen_and_work(monkeypatch):
    told = SERVICES["console"]["environment"]["TOUCHPOINTS_CONSOLE__OPERATIONS"]
    monkeypatch.setenv("TOUCHPOINTS_CONSOLE__OPERATIONS", told)

    asked = pipeline_settings.load(SETTINGS).console.operations

    ports = {name: parsed(name).console_port for name in ("listen", "work")}
    assert asked == tuple(f"http://{name}:{port}" for name, port in ports.items())


def test_every_volume_is_used_by_one_service_only():
    used = [one[0] for name in SERVICES for one in volumes(name) if not one[0].startswith("./")]

    assert sorted(used) == sorted(COMPOSED["volumes"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_to_a_version(name):
    image = SERVICES[name]["image"]

    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", image), image


def test_the_images_that_are_known_elsewhere_are_the_same_there():
    assert SERVICES["kafka"]["image"] == IMAGE
    assert {SERVICES[name]["image"] for name in OURS} == {f"touchpoints:{VERSION}"}
    assert f"-t touchpoints:{VERSION}" in DOCKERFILE
    assert re.search(r"^ARG PYTHON=\d+\.\d+\.\d+$", DOCKERFILE, re.M)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_its_limits(name):
    service = SERVICES[name]

    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    assert service["pids_limit"] <= 500
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service.get("read_only", False) == (name != "kafka")
    assert "privileged" not in service
    assert service["networks"] == [
        one for one in service["networks"] if one in COMPOSED["networks"]
    ]


def test_they_start_in_order():
    waits = {
        (name, other): how["condition"]
        for name, service in SERVICES.items()
        for other, how in service.get("depends_on", {}).items()
    }

    assert waits == {
        ("topics", "kafka"): "service_healthy",
        ("listen", "topics"): "service_completed_successfully",
        ("work", "topics"): "service_completed_successfully",
        ("console", "topics"): "service_completed_successfully",
        ("prometheus", "alertmanager"): "service_healthy",
        ("grafana", "prometheus"): "service_healthy",
    }


def test_the_console_lets_nobody_in_who_was_not_named(monkeypatch):
    users = '[{"name": "ann", "role": "operator", "password": "%s"}]'
    users %= hashed("a password of ann's")
    monkeypatch.setenv("TOUCHPOINTS_CONSOLE__USERS", users)

    assert set(SERVICES["console"]["environment"]) >= {"TOUCHPOINTS_CONSOLE__USERS"}
    assert "?" in SERVICES["console"]["environment"]["TOUCHPOINTS_CONSOLE__USERS"]
    assert [user.name for user in pipeline_settings.load(SETTINGS).console.users] == ["ann"]
    assert SERVICES["console"]["ports"] == ["127.0.0.1:8081:8081"]


def test_two_workers_are_started_again_when_they_fail():
    assert SERVICES["work"]["deploy"]["replicas"] == 2
    assert SERVICES["work"]["restart"] == "on-failure"
    assert volumes("work") == volumes("topics"), "replicas cannot share a folder"


def test_what_runs_on_has_a_health_check_on_a_port_that_it_has():
    (own,) = re.findall(r"127\.0\.0\.1:(\d+)/healthz", DOCKERFILE)
    kafka = SERVICES["kafka"]

    assert [parsed(name).console_port for name in ("listen", "work", "console")] == [int(own)] * 3
    assert SERVICES["topics"]["healthcheck"] == {"disable": True}
    assert kafka["healthcheck"]["test"][-1].endswith("/127.0.0.1/9092")
    assert ":9092" in kafka["environment"]["KAFKA_LISTENERS"]
    for name in WATCHING:
        (published,) = SERVICES[name]["ports"]
        port = published.rpartition(":")[2]
        assert f"http://127.0.0.1:{port}/" in SERVICES[name]["healthcheck"]["test"][-1]


def test_prometheus_finds_listeners_and_workers_alertmanager_and_grafana_find_each_other():
    prometheus = yaml.safe_load(
        files_of("prometheus")["/etc/prometheus/prometheus.yml"].read_text()
    )
    found = {
        (name, discovery["port"])
        for job in prometheus["scrape_configs"]
        for discovery in job.get("dns_sd_configs", ())
        for name in discovery["names"]
    }
    (told,) = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    grafana = files_of("grafana")["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((grafana / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    (provider,) = yaml.safe_load((grafana / "dashboards" / "touchpoints.yml").read_text())[
        "providers"
    ]

    assert found == {(name, parsed(name).console_port) for name in ("listen", "work")}
    for name in ("listen", "work"):
        assert parsed(name).console_host == "0.0.0.0"
        assert set(SERVICES[name]["networks"]) & set(SERVICES["prometheus"]["networks"])
    assert told == "alertmanager:" + SERVICES["alertmanager"]["ports"][0].rpartition(":")[2]
    assert (
        source["url"]
        == "http://prometheus:" + SERVICES["prometheus"]["ports"][0].rpartition(":")[2]
    )
    assert (files_of("grafana")[provider["options"]["path"]] / "operations.json").exists()


def test_only_this_machine_reaches_what_is_published_and_kafka_is_not():
    published = {
        name: one for name, service in SERVICES.items() for one in service.get("ports", [])
    }

    assert all(one.startswith("127.0.0.1:") for one in published.values()), published
    assert set(published) == {"listen", "console", *WATCHING}
    assert COMPOSED["networks"]["brokers"] == {"internal": True}


def test_the_settings_name_a_source_so_that_the_listener_may_be_reached(monkeypatch):
    variables = SERVICES["listen"]["environment"]
    for name in variables:
        monkeypatch.setenv(name, "a secret of some length")
    listener = listeners_settings.load(SETTINGS)
    worker = pipeline_settings.load(SETTINGS)

    assert parsed("listen").host == "0.0.0.0"
    assert listeners_settings.check_address(listener, parsed("listen").host) is None
    assert all(":?" in value for value in variables.values()), "a secret has no default"
    assert listener.kafka == worker.kafka
    (door,) = re.findall(
        r"PLAINTEXT://(.+)", SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    )
    assert worker.kafka.bootstrap_servers == door


def test_the_minimal_settings_differ_in_kafka_only():
    minimal = tomllib.loads((SETTINGS.parent / "minimal.toml").read_text())
    on_kafka = tomllib.loads(SETTINGS.read_text())

    assert list(on_kafka.pop("kafka")) == ["bootstrap_servers"]
    assert on_kafka == minimal
