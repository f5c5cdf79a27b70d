"""`touchpoints tail`: follow a topic of the embedded log, one JSON object a line."""

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final

from pipeline.cli import options
from pipeline.cli.progress import Progress
from pipeline.runtimes.embedded.reader import LogReader

SUMMARY = "follow a topic"

BATCH_MAX: Final = 500
"""Records read, written and flushed at once."""

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
        "touchpoints tail journey-outcomes --from-start --timeout 0 | jq .outcome",
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
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; gives the exit code."""
    directory: Path = arguments.data
    with LogReader(directory) as reader, Progress("records") as progress:
        first = 0 if arguments.from_start else reader.latest_offset(arguments.topic) + 1
        count = 0
        for batch in batches(reader, arguments.topic, first, arguments.count, arguments.timeout):
            write(batch, sys.stdout.buffer)
            count += len(batch)
            progress.at(count)
    return 0


def batches(
    reader: LogReader, topic: str, first: int, count: int | None, timeout: float | None
) -> Iterator[list[bytes]]:
    """Values from an offset on, as they come; ends after `count` of them or `timeout` seconds.

    What is in the log already is given whole, however short the timeout: with 0 that and no more.
    """
    there = reader.latest_offset(topic)
    ends = None if timeout is None else time.monotonic() + timeout
    left = count
    while left is None or left > 0:
        records = reader.read(topic, first, BATCH_MAX if left is None else min(left, BATCH_MAX))
        if records:
            first = records[-1].offset + 1
            left = None if left is None else left - len(records)
            yield [record.value for record in records]
        if ends is not None and time.monotonic() >= ends and (not records or first > there):
            return
        if not records:
            time.sleep(POLL.total_seconds())


def write(values: list[bytes], stream: BinaryIO) -> None:
    """One value a line, at once."""
    stream.write(b"".join(value + b"\n" for value in values))
    stream.flush()
