"""A cluster that is already running, named by `KAFKA_BOOTSTRAP_SERVERS`. It is not ours to hurt."""

import os

import pytest

from tests.brokers.broker import Broker, Missing, answers

VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"

DISPOSABLE = "KAFKA_TOPICS_DISPOSABLE"
"""Set to 1 where the tests may delete the catalogue's topics, with all that is in them."""


class Cluster(Broker):
    """Brokers that somebody else started, and will stop."""

    kind = "cluster"

    def __init__(self, port: int = 0) -> None:
        self.bootstrap_servers = os.environ.get(VARIABLE, "")
        self.description = f"the cluster at {self.bootstrap_servers}, of {VARIABLE}"

    def start(self) -> None:
        """Nothing is started. Whoever names a cluster wants that one: no other is tried."""
        if not self.bootstrap_servers:
            message = f"{VARIABLE} is not set"
            raise Missing(message)
        if not answers(self.bootstrap_servers, 20.0, lambda: True):
            message = f"expected brokers at {self.bootstrap_servers} ({VARIABLE}); found silence"
            raise AssertionError(message)

    def _refuse(self) -> None:
        pytest.skip(f"cluster: {self.description} is not ours to stop")

    stop = kill = pause = resume = _refuse

    def close(self) -> None:
        """Leave it as it is."""
