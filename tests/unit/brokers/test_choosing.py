"""Which broker the tests get, and what is said when they get none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.brokers.broker import Broker, Missing
from tests.brokers.choosing import KINDS, OWN, first

ROOT = Path(__file__).parents[3]


class Fake(Broker):
    """A broker that can be had, or cannot, or breaks."""

    description = "a fake"

    def __init__(self, kind, fault=None):
        self.kind = kind
        self.fault = fault
        self.did = []

    def start(self):
        self.did.append("start")
        if self.fault:
            raise self.fault

    def close(self):
        self.did.append("close")

    def stop(self):
        self.did.append("stop")

    kill = pause = resume = stop


def fakes(**faults):
    made = {kind: Fake(kind, fault) for kind, fault in faults.items()}
    return made, {kind: lambda port, one=one: one for kind, one in made.items()}


def test_a_named_cluster_comes_first_and_the_wheel_last():
    assert tuple(KINDS) == ("cluster", "docker", "apache-kafka", "tansu")
    assert OWN == ("docker", "apache-kafka", "tansu")


def test_the_first_kind_that_can_be_had_is_taken_and_no_other_is_started():
    made, classes = fakes(docker=Missing("no daemon"), tansu=None, cluster=None)

    chosen = first(["docker", "tansu", "cluster"], 0, classes)

    assert chosen is made["tansu"]
    assert made["docker"].did == ["start", "close"]
    assert made["tansu"].did == ["start"]
    assert made["cluster"].did == []


def test_with_none_of_them_the_reason_of_each_is_told():
    _, classes = fakes(docker=Missing("no daemon"), tansu=Missing("no wheel"))

    with pytest.raises(Missing, match="docker: no daemon; tansu: no wheel"):
        first(["docker", "tansu"], 0, classes)


def test_a_kind_that_is_there_and_breaks_is_not_passed_over():
    made, classes = fakes(docker=AssertionError("exit code 1"), tansu=None)

    with pytest.raises(AssertionError, match="exit code 1"):
        first(["docker", "tansu"], 0, classes)

    assert made["docker"].did == ["start", "close"]
    assert made["tansu"].did == []


def test_without_a_broker_its_tests_are_skipped_and_the_run_says_how_many_and_why():
    command = [sys.executable, "-m", "pytest", "-q", "tests/integration/test_brokers.py"]
    nobody = "tcp://127.0.0.1:1"

    said = subprocess.run(
        [*command, "-k", "lz4", "--broker", "docker", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env=os.environ | {"DOCKER_HOST": nobody},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stdout + said.stderr
    assert "3 skipped" in said.stdout
    assert f"kafka: no broker: docker: no Docker daemon answers at {nobody}" in said.stdout
    assert "kafka: 3 integration tests were skipped" in said.stdout
