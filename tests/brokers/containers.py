"""Apache Kafka in a container, where a Docker daemon answers."""

import os
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from tests.brokers.broker import START_MAX, Broker, Missing, answers, free_port

IMAGE = "apache/kafka:4.1.1"
INSIDE = 19_092
CONTROLLER = 19_093


class Container(Broker):
    """One broker in a container, on a port of this machine that stays the same when restarted.

    Args:
        port: Of this machine; 0 chooses a free one.
    """

    kind = "docker"
    description = f"{IMAGE} in Docker"

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.bootstrap_servers = f"127.0.0.1:{self.port}"
        self._container: Any = None

    def start(self) -> None:
        if self._container is None:
            self._container = _created(self.port)
        elif self._state != "running":
            self._wrapped.start()
        if not answers(self.bootstrap_servers, START_MAX, lambda: True):
            said = self._wrapped.logs(tail=20).decode(errors="replace")
            message = f"expected {self.description} to answer; found silence and {said!r}"
            raise AssertionError(message)

    def stop(self) -> None:
        if self._state in ("running", "paused"):
            self.resume()
            self._wrapped.stop()

    def kill(self) -> None:
        if self._state in ("running", "paused"):
            self.resume()
            self._wrapped.kill("SIGKILL")
            self._wrapped.wait()

    def pause(self) -> None:
        self._wrapped.pause()  # the freezer of control groups: SIGSTOP for all of it

    def resume(self) -> None:
        if self._state == "paused":
            self._wrapped.unpause()

    def close(self) -> None:
        if self._container is not None:
            self._container.stop()
            self._container = None

    @property
    def _wrapped(self) -> Any:
        return self._container.get_wrapped_container()

    @property
    def _state(self) -> str:
        if self._container is None:
            return "none"
        self._wrapped.reload()
        return str(self._wrapped.status)


def _created(port: int) -> Any:
    """A container that was just started.

    Raises:
        Missing: No daemon answers, or it cannot get the image.
    """
    try:
        import docker
        from testcontainers.core.container import DockerContainer
    except ImportError as error:
        message = f"testcontainers is not installed: {error}"
        raise Missing(message) from error
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    try:
        _connect(host)  # first without its client, which leaves a socket open where nobody listens
        client = docker.from_env(timeout=5)
        client.ping()
        client.close()
    except (OSError, ValueError, docker.errors.DockerException) as error:
        message = f"no Docker daemon answers at {host}"
        raise Missing(message) from error
    container = DockerContainer(IMAGE).with_bind_ports(INSIDE, port).with_envs(**_settings(port))
    try:
        container.start()
    except docker.errors.DockerException as error:
        with suppress(docker.errors.DockerException):
            container.stop()
        message = f"Docker cannot start {IMAGE}: {error}"
        raise Missing(message) from error
    return container


def _connect(host: str) -> None:
    """Reach for the daemon; an OSError says that nobody listens."""
    parsed = urlsplit(host)
    if parsed.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as tried:
            tried.settimeout(2)
            tried.connect(parsed.path)
    elif parsed.port:  # through ssh only Docker's own client gets there
        socket.create_connection((parsed.hostname, parsed.port), 2).close()


def _settings(port: int) -> dict[str, str]:
    """As the image wants them: `server.properties` in capitals."""
    return {
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_NODE_ID": "1",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{INSIDE},CONTROLLER://:{CONTROLLER}",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@localhost:{CONTROLLER}",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
