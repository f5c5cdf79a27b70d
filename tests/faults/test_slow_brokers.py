"""Brokers that take a connection up and are long over the first word, as busy ones are over TLS."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from listeners.errors import KafkaRefused, Unavailable
from listeners.publishers import kafka
from listeners.publishers.kafka import KafkaPublisher
from pipeline.runtimes.errors import BrokersRefused, BrokersUnreachable
from pipeline.runtimes.kafka.reaching import reach
from schemas.brokers import Brokers
from tests.brokers.certificates import Certificate, authority, signed
from tests.integration.serving import touchpoints

SHORT = timedelta(seconds=0.5)
SLOW = 2.0
"""Seconds: longer than what is waited for who says nothing."""


@contextmanager
def taking_up(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Something that takes connections up, at this port."""
    over = threading.Event()

    def serve(server: socket.socket) -> None:
        while not over.is_set():
            with suppress(OSError):
                connection, _ = server.accept()
                threading.Thread(target=spoken, args=(connection,), daemon=True).start()

    def spoken(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        over.set()
        server.shutdown(socket.SHUT_RDWR)


def after(seconds: float, shown: Certificate) -> Callable[[socket.socket], None]:
    """TLS, once so much time has gone by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.file, shown.key)

    def handshake(connection: socket.socket) -> None:
        time.sleep(seconds)
        with context.wrap_socket(connection, server_side=True) as agreed:
            agreed.recv(1)

    return handshake


@pytest.fixture
def broker(tmp_path: Path) -> Certificate:
    return signed(authority(tmp_path, "authority"), "broker", ["IP:127.0.0.1"])


@pytest.fixture
def stranger(tmp_path: Path) -> Certificate:
    return authority(tmp_path, "stranger")


def known_by(port: int, signer: Certificate) -> Brokers:
    return Brokers(
        bootstrap_servers=f"127.0.0.1:{port}", security_protocol="SSL", ssl_ca_file=signer.file
    )


def test_a_command_waits_for_who_has_taken_it_up_and_says_why_it_is_refused(broker, stranger):
    with (
        taking_up(after(SLOW, broker)) as port,
        pytest.raises(BrokersRefused, match="certificate verify failed"),
    ):
        reach(known_by(port, stranger), SHORT)


def test_a_command_waits_no_longer_where_nobody_is():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    started = time.monotonic()
    with pytest.raises(BrokersUnreachable, match=r"within 0\.5 s; found: Connection refused"):
        reach(Brokers(bootstrap_servers=f"127.0.0.1:{port}"), SHORT)
    assert time.monotonic() - started < 10


def test_a_port_of_something_else_is_called_so():
    def web(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(1)

    with taking_up(web) as port, pytest.raises(BrokersRefused, match="such as TLS or HTTP"):
        reach(Brokers(bootstrap_servers=f"127.0.0.1:{port}"), SHORT)


async def test_a_listener_that_heard_nothing_at_first_is_told_once_it_is_refused(
    broker, stranger, monkeypatch
):
    monkeypatch.setattr(kafka, "START_PATIENCE", SHORT)
    monkeypatch.setattr(kafka, "RETRY_KAFKA", SHORT)
    with taking_up(after(SLOW, broker)) as port:
        publisher = KafkaPublisher(known_by(port, stranger))
        with pytest.raises(Unavailable, match="nothing came back"):
            await publisher.check()
        with pytest.raises(KafkaRefused, match="certificate verify failed"):
            await publisher.first_answer()
        await publisher.stop()


def test_such_a_listener_ends_with_one_message(tmp_path, broker, stranger):
    patience = kafka.START_PATIENCE.total_seconds()
    settings = tmp_path / "settings.toml"

    with taking_up(after(patience + 2, broker)) as port:
        settings.write_text(
            f'[kafka]\nbootstrap_servers = "127.0.0.1:{port}"\nsecurity_protocol = "SSL"\n'
            f'ssl_ca_file = "{stranger.file}"\n'
        )
        said = touchpoints(
            "listen", "--settings", settings, "--data", tmp_path / "data",
            "--port", "0", "--console-port", "0",
        )  # fmt: skip

    told = [line for line in said.stderr.splitlines() if line.startswith("touchpoints: ")]
    assert said.returncode == 1
    assert len(told) == 1
    assert "TLS cannot be agreed on" in told[0]
    assert "Traceback" not in said.stderr
