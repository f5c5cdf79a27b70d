"""A broker that a test may use, and hurt: what every kind of it can be told.

Tests ask for the fixtures `kafka` (one broker for the whole run) and `own_kafka` (one of the test's
own, for faults). Which kind they get depends on the machine: `choosing.py`.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.brokers import Brokers

START_MAX = 60.0
"""Seconds within which a broker has to answer; generous, since machines may be busy."""

STOP_MAX = 20.0
"""Seconds that a broker gets to stop by itself before it is killed."""

PORTS = range(20_000, 30_000)
"""Below those that systems give to outgoing connections: a client that keeps trying to reach a
broker that is down could be given the broker's own port, and connect to itself."""


WATCH = """
while kill -0 "$1" && kill -0 "$2"; do sleep 2; done 2>/dev/null
kill -0 "$1" 2>/dev/null || { kill -9 "$2"; rm -rf "$3"; }
"""
"""Ends the broker, and removes its folder, where the tests were killed and could not."""


class Missing(Exception):
    """This kind of broker is not to be had on this machine; the text says why."""


class Broker(ABC):
    """One broker on this machine, or a cluster that is already running.

    Attributes:
        kind: apache-kafka, docker, tansu or cluster; tests may skip what a kind cannot do.
        description: What it is, for people.
        bootstrap_servers: Where it answers, from `start` on; the same after a restart.
    """

    kind: ClassVar[str]
    description: str
    bootstrap_servers: str

    @abstractmethod
    def start(self) -> None:
        """Return once it answers; at once where it runs already.

        Raises:
            Missing: This machine has not got what it takes.
        """

    @abstractmethod
    def stop(self) -> None:
        """End it as a service manager would; what it keeps on disk stays."""

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL: it has no time to write anything."""

    @abstractmethod
    def pause(self) -> None:
        """SIGSTOP: its connections stay open, and nothing answers."""

    @abstractmethod
    def resume(self) -> None:
        """SIGCONT."""

    @abstractmethod
    def close(self) -> None:
        """End it and remove all that it wrote. May be called twice."""

    def restart(self) -> None:
        """Stop it if it runs, and start it on the same port with what it had kept."""
        self.stop()
        self.start()

    @property
    def brokers(self) -> Brokers:
        """The settings that reach it."""
        return Brokers(bootstrap_servers=self.bootstrap_servers)

    def skip_on(self, *kinds: str, because: str) -> None:
        """Skip the test on these kinds of broker, and print the reason."""
        if self.kind in kinds:
            pytest.skip(f"{self.kind}: {because}")

    def __enter__(self) -> "Broker":
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ProcessBroker(Broker):
    """A broker that is a process of this machine, with a folder of its own.

    Attributes:
        directory: Its data, its settings, and what it said: `broker.log`.
        port: Where it listens on loopback.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.bootstrap_servers = f"127.0.0.1:{self.port}"
        self.directory = Path(tempfile.mkdtemp(prefix=f"touchpoints-{self.kind}-"))
        self.process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._prepared = False

    @abstractmethod
    def prepare(self) -> Sequence[str]:
        """Get what it takes and write what it reads, the first time; gives the command."""

    def start(self) -> None:
        """Return once it answers; fails with what it said where it does not."""
        if self.running:
            return
        command = self.prepare()
        with (self.directory / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests, which then end it
            )
        process = self.process
        ours = (str(os.getpid()), str(process.pid), str(self.directory))
        self._watcher = subprocess.Popen(
            ["sh", "-c", WATCH, "watch", *ours],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if not answers(self.bootstrap_servers, START_MAX, lambda: process.poll() is None):
            said = (self.directory / "broker.log").read_text(errors="replace")[-2_000:]
            found = "silence" if process.poll() is None else f"exit code {process.poll()}"
            self.kill()
            message = f"expected {self.description} to answer; found {found} and {said!r}"
            raise AssertionError(message)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def stop(self) -> None:
        if self.running:
            self.resume()
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_MAX)
        self.kill()

    def kill(self) -> None:
        if self.running:
            self._signal(signal.SIGKILL)
            self.process.wait(STOP_MAX)
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.wait(STOP_MAX)
            self._watcher = None

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    message = f"expected a free port from {PORTS[0]} to {PORTS[-1]}; found none in 100 tries"
    raise AssertionError(message)


def answers(bootstrap_servers: str, within: float, alive: Callable[[], bool]) -> bool:
    """Wait until a broker tells who its peers are; False when it is not alive or it takes longer.

    Args:
        bootstrap_servers: Where it is expected.
        within: Seconds.
        alive: Whether waiting still makes sense.
    """
    deadline = time.monotonic() + within
    soon = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 100}  # else up to 10 s
    client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0, **soon})
    while alive() and time.monotonic() < deadline:
        try:
            if client.list_topics(timeout=1).brokers:
                return True
        except KafkaException:
            time.sleep(0.05)
    return False
