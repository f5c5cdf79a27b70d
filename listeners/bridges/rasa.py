"""The reader of Rasa's event broker topic: from Kafka to a listener, each event under its offset.

    python -m listeners.bridges.rasa --settings settings.toml --topic rasa_core_events \
        --listener https://in.example.com/chatbot/rasa

The table `[kafka]` of the settings says where Rasa's brokers are and how to log in to them; the
write key stands in TOUCHPOINTS_BRIDGE_KEY. Offsets are committed after the listener has answered
200, and an event's id is topic/partition/offset: what is read again after a crash is the same
touchpoint. What the listener will never take (400, 413) is sent in halves; one event that it
refuses alone is logged and left out.
"""

import argparse
import json
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, cast

from confluent_kafka import Consumer, KafkaException

from listeners.bridges.asterisk import PAUSE_MAX, NotTaken, poster
from listeners.errors import SettingsInvalid
from listeners.settings import load
from schemas.brokers import Brokers

BATCH_MAX: Final = 500
"""Events of one request."""

WAITING: Final = 0.5
"""Seconds that a batch waits for more."""

_log = logging.getLogger("touchpoints.bridge")


class Read(Protocol):
    """A message as librdkafka gives it."""

    def error(self) -> Any:
        """What is wrong instead, or None."""

    def topic(self) -> str | None:
        """Its topic."""

    def partition(self) -> int | None:
        """Its partition."""

    def offset(self) -> int | None:
        """Its offset."""

    def value(self) -> bytes | None:
        """Its bytes."""


class Reads(Protocol):
    """As much of librdkafka's consumer as is needed."""

    def consume(self, num_messages: int, timeout: float) -> list[Any]:
        """Messages that have come."""

    def commit(self, *, asynchronous: bool) -> Any:
        """Everything that was consumed is done with."""


class Settings(NamedTuple):
    """Where to read, as which group, and where to post."""

    brokers: Brokers
    topic: str
    group: str
    listener: str
    key: str


def line_of(message: Read) -> bytes | None:
    """A message as one line for the listener, under its offset; None for what has no value.

    What is not an object is posted as it is, so that the listener makes it a dead letter.
    """
    value = message.value()
    if value is None:
        return None
    try:
        event = json.loads(value)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        event = {"unreadable": value[:1024].decode(errors="replace")}
    event["id"] = f"{message.topic()}/{message.partition()}/{message.offset()}"
    return json.dumps(event).encode()


def forward(
    consumer: Reads,
    post: Callable[[bytes], None],
    stop: Callable[[], bool],
    wait: Callable[[float], object],
) -> None:
    """Post what comes until told to stop, and commit what was taken.

    Args:
        consumer: Subscribed.
        post: Sends one body; raises `NotTaken`.
        stop: Whether to end; asked before each batch and each attempt.
        wait: Sleeps so many seconds, or less where there is no more time.

    Raises:
        KafkaException: The brokers refuse us.
    """
    while not stop():
        messages = consumer.consume(BATCH_MAX, WAITING)
        if not messages:
            continue
        lines = []
        for message in messages:
            if (error := message.error()) is not None:
                raise KafkaException(error)
            if (line := line_of(message)) is not None:
                lines.append(line)
        if lines and not _delivered(lines, post, stop, wait):
            return
        consumer.commit(asynchronous=False)


def _delivered(
    lines: Sequence[bytes],
    post: Callable[[bytes], None],
    stop: Callable[[], bool],
    wait: Callable[[float], object],
) -> bool:
    """Post until it is taken; False when told to stop before, and nothing is committed.

    What will never be taken is halved, so that what is wrong with one event, or too much at once,
    costs no other; an event that is never taken alone is lost, and logged.
    """
    pause = 1.0
    body = b"[" + b",".join(lines) + b"]"
    while not stop():
        try:
            post(body)
        except NotTaken as error:
            if error.final and len(lines) == 1:
                _log.error("the event %s is lost: %s", json.loads(lines[0])["id"], error)
                return True
            if error.final:
                half = len(lines) // 2
                return all(
                    _delivered(part, post, stop, wait) for part in (lines[:half], lines[half:])
                )
            _log.warning("the listener is away: %s", error)
            wait(max(error.retry_after, pause * random.uniform(0.5, 1)))
            pause = min(2 * pause, PAUSE_MAX)
        else:
            return True
    return False


def settings_of(arguments: Sequence[str]) -> Settings:
    """Settings from the command line, the file and the environment."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--settings", type=Path, required=True, help="TOML with a table [kafka]")
    parser.add_argument("--topic", default="rasa_core_events", help="Rasa's event broker topic")
    parser.add_argument("--group", default="touchpoints-rasa", help="consumer group")
    parser.add_argument("--listener", required=True, help="the address of /chatbot/rasa")
    given = parser.parse_args(arguments)
    key = os.environ.get("TOUCHPOINTS_BRIDGE_KEY")
    if not key:
        parser.error("expected TOUCHPOINTS_BRIDGE_KEY in the environment")
    try:
        brokers = load(given.settings).kafka
    except SettingsInvalid as error:
        parser.error(str(error))
    if brokers is None:
        parser.error(f"expected a table [kafka] in {given.settings}")
    return Settings(brokers, given.topic, given.group, given.listener, key)


def main() -> int:
    """Run until SIGTERM; exit code 1 where the brokers refuse us."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings = settings_of(sys.argv[1:])
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    consumer = Consumer(
        settings.brokers.librdkafka()
        | {
            "group.id": settings.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([settings.topic])
    try:
        post = poster(settings.listener, settings.key)
        forward(cast(Reads, consumer), post, stopping.is_set, stopping.wait)
    except KafkaException as error:
        _log.error("the brokers refuse us: %s", error)
        return 1
    finally:
        consumer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
