"""Apache Kafka's own broker, from Maven Central, in KRaft mode: one process, no ZooKeeper.

Fetched once into the user's cache, by Maven; after that a JVM is enough.
"""

import os
import re
import shutil
import subprocess
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from tests.brokers.broker import Missing, ProcessBroker, free_port

VERSION = "4.1.1"
JAVA_MIN = 17
"""Source: the upgrade notes of Apache Kafka 4.0."""

FETCH_MAX = 300.0
"""Seconds for Maven to fetch 45 MB."""

POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>touchpoints</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency> <!-- without it a broker that cannot start says nothing -->
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
"""

QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m")
"""The quick compiler and the small collector: up in two seconds of one core, in 360 MB."""

FULL = ("-XX:+UseG1GC", "-Xmx1g")
"""Both compilers, as a server has it: slower to start, faster to run."""


class Listener(NamedTuple):
    """One more door of the broker, beside the plain one.

    Attributes:
        name: In capitals, as the properties call it.
        protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        port: Of loopback.
    """

    name: str
    protocol: str
    port: int


class ApacheKafka(ProcessBroker):
    """One broker that is its own controller.

    Attributes:
        flags: Of the JVM: these start quickly.

    Args:
        port: Of the plain listener; 0 chooses a free one.
        listeners: More doors.
        properties: More of `server.properties`; these win.
        accounts: Passwords by user, kept for SCRAM-SHA-512.
    """

    kind = "apache-kafka"
    description = f"Apache Kafka {VERSION} on a JVM of this machine"
    flags: ClassVar[Sequence[str]] = QUICK

    def __init__(
        self,
        port: int = 0,
        *,
        listeners: Sequence[Listener] = (),
        properties: Mapping[str, str] | None = None,
        accounts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(port)
        self._listeners = listeners
        self._properties = properties or {}
        self._users = accounts or {}
        self._command: list[str] = []

    def prepare(self) -> Sequence[str]:
        if not self._command:
            java = java_of_this_machine()
            classpath = ("-cp", f"{fetched()}{os.sep}*")
            settings = self.directory / "server.properties"
            settings.write_text(self._settings())
            _format([java, *QUICK, *classpath], settings, self._users)
            self._command = [java, *self.flags, *classpath, "kafka.Kafka", str(settings)]
        return self._command

    def _settings(self) -> str:
        controller = free_port()
        doors = [Listener("PLAINTEXT", "PLAINTEXT", self.port), *self._listeners]
        addresses = ",".join(f"{one.name}://127.0.0.1:{one.port}" for one in doors)
        protocols = ",".join(f"{one.name}:{one.protocol}" for one in doors)
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"{addresses},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": addresses,
            "listener.security.protocol.map": f"{protocols},CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "log.dirs": str(self.directory / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # A broker that was killed may register again only when its last life has timed out.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            **self._properties,
        }
        return "".join(f"{name}={value}\n" for name, value in properties.items())


class FastApacheKafka(ApacheKafka):
    """The same with the JVM's full speed, for benchmarks."""

    flags = FULL


def java_of_this_machine() -> str:
    """The path of a JVM that is new enough.

    Raises:
        Missing: There is none.
    """
    home = os.environ.get("JAVA_HOME")
    java = (shutil.which("java", path=str(Path(home) / "bin")) if home else None) or shutil.which(
        "java"
    )
    if java is None:
        message = "no java on the PATH"
        raise Missing(message)
    said = _run([java, "-version"], 30.0)
    match = re.search(r'version "(\d+)', said)
    if match is None or int(match[1]) < JAVA_MIN:
        message = f"expected Java {JAVA_MIN} or newer; found {said.splitlines()[0]}"
        raise Missing(message)
    return java


def fetched() -> Path:
    """The folder with the broker's jars, fetched if they are not there.

    Raises:
        Missing: They are not there, and there is no Maven, or it cannot reach its repository.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "touchpoints"
    folder = cache / f"kafka-{VERSION}"
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        message = f"no mvn on the PATH to fetch Apache Kafka {VERSION} with"
        raise Missing(message)
    cache.mkdir(parents=True, exist_ok=True)
    # Under another name until it is whole: two runs may fetch at the same time.
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as made:
        (Path(made) / "pom.xml").write_text(POM)
        jars = Path(made) / "jars"
        command = [maven, "-q", "-B", "-f", str(Path(made) / "pom.xml")]
        command += ["dependency:copy-dependencies", "-DincludeScope=runtime"]
        _run([*command, f"-DoutputDirectory={jars}"], FETCH_MAX)
        if not folder.is_dir():
            jars.rename(folder)
    return folder


def _format(java: Sequence[str], settings: Path, accounts: Mapping[str, str]) -> None:
    cluster = urlsafe_b64encode(os.urandom(16)).decode().rstrip("=").replace("-", "A")
    command = ["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster]
    for name, password in accounts.items():
        command += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
    try:
        _run([*java, *command, "-c", str(settings)], 60.0)
    except Missing as error:  # it is here, so what is wrong are the properties
        raise AssertionError(str(error)) from error


def _run(command: Sequence[str], timeout: float) -> str:
    """Run a command to its end; gives what it said."""
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{Path(command[0]).name} took more than {timeout:g} s"
        raise Missing(message) from error
    if ended.returncode:
        lines = [line for line in ended.stdout.splitlines() if line.strip()]
        message = f"{Path(command[0]).name}: {' '.join(lines[:2])[:300]}"
        raise Missing(message)
    return ended.stdout
