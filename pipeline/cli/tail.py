"""`touchpoints tail`: follow a topic of the embedded log or of Kafka, one JSON object a line."""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from pipeline.cli import options
from pipeline.cli.progress import Progress
from pipeline.runtimes.embedded.reader import LogReader

SUMMARY = "follow a topic"

BATCH_MAX: Final = 500
"""Records read, written and flushed at once."""

SILENCE_MAX: Final = timedelta(seconds=10)
"""How long, once the time is up, it is waited for what should be there and does not come."""

POLL: Final = timedelta(milliseconds=50)
"""How often the log is asked for more, once all of it has been read."""


def add(subparsers: options.Subparsers) -> None:
    """Register the command."""
    parser = options.command(
        subparsers,
        "tail",
        SUMMARY,
        "Print the values of a topic as NDJSON, those still to come unless told otherwise, until "
        "interrupted. Exit code 0 when --count or --timeout is reached; what is there already is "
        "printed whole before that.",
        "touchpoints tail verdicts\n"
        "touchpoints tail journey-outcomes --from-start --timeout 0 | jq .outcome\n"
        "touchpoints tail sessions --bootstrap-servers localhost:9092",
    )
    parser.add_argument("topic", type=options.topic, metavar="TOPIC", help="`topics show` has them")
    parser.add_argument("--from-start", action="store_true", help="what is there already, too")
    parser.add_argument(
        "--count", type=options.at_least_one, metavar="N", help="stop after so many records"
    )
    parser.add_argument(
        "--timeout", type=options.seconds, metavar="SECONDS", help="stop after so long"
    )
    options.add_data(parser)
    options.add_kafka(parser)
    options.add_settings(parser, "the table [kafka]")
    parser.set_defaults(run=run)


class Source(Protocol):
    """A topic that is read from where it was opened."""

    @property
    def all_read(self) -> bool:
        """Whether all that stood there at the beginning has been given."""

    def read(self, limit: int, wait: float) -> list[bytes]:
        """At most `limit` values; waits at most so many seconds for the first."""


class EmbeddedSource:
    """The embedded log as a source."""

    def __init__(self, reader: LogReader, topic: str, *, from_start: bool) -> None:
        self._reader, self._topic = reader, topic
        self._there = reader.latest_offset(topic)
        self._next = 0 if from_start else self._there + 1

    @property
    def all_read(self) -> bool:
        """Whether all that stood there at the beginning has been given."""
        return self._next > self._there

    def read(self, limit: int, wait: float) -> list[bytes]:
        """At most `limit` values; waits so long where there is none."""
        records = self._reader.read(self._topic, self._next, limit)
        if not records:
            self._next = max(self._next, self._there + 1)  # retention took what stood there
            time.sleep(wait)
            return []
        self._next = records[-1].offset + 1
        return [record.value for record in records]


def run(arguments: argparse.Namespace) -> int:
    """Run the command; gives the exit code."""
    with ExitStack() as stack:
        source = opened(arguments, stack)
        progress = stack.enter_context(Progress("records"))
        count = 0
        for batch in batches(source, arguments.count, arguments.timeout):
            write(batch, sys.stdout.buffer)
            count += len(batch)
            progress.at(count)
    return 0


def opened(arguments: argparse.Namespace, stack: ExitStack) -> Source:
    """The topic on Kafka where brokers are named, else of the embedded log.

    Raises:
        RuntimeFault, SettingsInvalid: It cannot be read; says why.
    """
    kafka_named = arguments.bootstrap_servers or arguments.settings
    brokers = None
    if kafka_named:
        from pipeline import settings  # neither is needed for the embedded log

        brokers = settings.load(arguments.settings, arguments.bootstrap_servers).kafka
    if brokers is None:
        directory: Path = arguments.data
        reader = stack.enter_context(LogReader(directory))
        return EmbeddedSource(reader, arguments.topic, from_start=arguments.from_start)
    from pipeline.runtimes.kafka.reaching import reach
    from pipeline.runtimes.kafka.reader import TopicReader

    reach(brokers)
    opening = TopicReader(brokers, arguments.topic, from_start=arguments.from_start)
    return stack.enter_context(opening)


def batches(source: Source, count: int | None, timeout: float | None) -> Iterator[list[bytes]]:
    """Values as they come; ends after `count` of them or `timeout` seconds.

    What is there already is given whole, however short the timeout: with 0 that and no more.
    """
    ends = None if timeout is None else time.monotonic() + timeout
    left, heard_at = count, time.monotonic()
    while left is None or left > 0:
        limit = BATCH_MAX if left is None else min(left, BATCH_MAX)
        values = source.read(limit, POLL.total_seconds())
        if values:
            left = None if left is None else left - len(values)
            yield values
            heard_at = time.monotonic()
        silent = time.monotonic() - heard_at > SILENCE_MAX.total_seconds()
        if ends is not None and time.monotonic() >= ends and (source.all_read or silent):
            return


def write(values: list[bytes], stream: BinaryIO) -> None:
    """One value a line, at once."""
    stream.write(b"".join(value + b"\n" for value in values))
    stream.flush()
