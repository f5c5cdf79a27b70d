"""`touchpoints export`: results to Parquet or CSV, the last revision of each."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from pipeline.cli import options
from pipeline.cli.identifiers import kafka_of
from pipeline.cli.options import Misuse
from pipeline.cli.progress import Progress
from pipeline.cli.topic_log import everything
from pipeline.exporting.columns import Column, columns_of
from pipeline.exporting.csv_file import CsvFile
from pipeline.exporting.rows import erased_in, rows_of
from pipeline.exporting.tables import TABLES
from schemas.records import Record
from schemas.topics import IDENTITY_CHANGES, JOURNEY_OUTCOMES, SESSIONS, VERDICTS

SUMMARY: Final = "sessions, outcomes, verdicts to Parquet or CSV"

EXAMPLE: Final = """
touchpoints export                                   # export/sessions.csv and two more
touchpoints export --format parquet --out results --since 2026-11-01T00:00:00Z
touchpoints export --topic journey-outcomes --out - | head
"""

STDOUT: Final = "-"

ROWS_AT_ONCE: Final = 5_000


class RowsFile(Protocol):
    """A file that rows are written to."""

    def write(self, records: Sequence[Record]) -> None:
        """Add rows."""

    def close(self) -> None:
        """All is written."""


Maker = Callable[[Sequence[Column], BinaryIO], RowsFile]


def add(subparsers: options.Subparsers) -> None:
    """Register the command."""
    parser = options.command(
        subparsers,
        "export",
        SUMMARY,
        "Write results to files for analysts, one a topic: of each result the last revision, of "
        "erased customers none. CSV has what is nested as JSON, and no cell that a spreadsheet "
        "takes for a formula; Parquet has lists, maps and records as they are, and needs the extra "
        "`export`. A file is there whole or not at all; one of the same name is replaced. Reads "
        "the data of `up`, running or not, or Kafka. Exit codes: 0 done, 1 failed, 2 used wrongly.",
        EXAMPLE,
    )
    parser.add_argument(
        "--topic",
        action="append",
        type=options.one_of(TABLES),
        metavar="TOPIC",
        help="export this topic; may be repeated (default: sessions, journey-outcomes, verdicts)",
    )
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv", help="default: csv")
    parser.add_argument(
        "--out",
        default="export",
        metavar="DIR",
        help="the folder of the files; - for stdout, with one topic (default: export)",
    )
    options.add_span(parser, "results whose end, or whose time, is")
    options.add_data(parser)
    options.add_kafka(parser)
    options.add_settings(parser, "Kafka's address")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read each topic, and write its file."""
    topics = tuple(dict.fromkeys(arguments.topic or (SESSIONS, JOURNEY_OUTCOMES, VERDICTS)))
    make = maker(arguments.format)
    if arguments.out == STDOUT:
        _check_stdout(topics, arguments.format)
    brokers = kafka_of(arguments)
    erased = erased_in(everything(arguments.data, brokers, IDENTITY_CHANGES))
    for topic in topics:
        table = TABLES[topic]
        with (
            Progress(f"records of {topic} read", printing=arguments.out == STDOUT) as progress,
            _opened(arguments.out, f"{topic}.{arguments.format}") as stream,
        ):
            entries = everything(arguments.data, brokers, topic)
            chosen = partial(options.within, arguments)
            rows = rows_of(table, entries, erased, chosen, progress.advance)
            count = _written(make(columns_of(table.record), stream), rows)
        if arguments.out != STDOUT:
            place = Path(arguments.out) / f"{topic}.{arguments.format}"
            print(f"{place}: {count:,} row{'' if count == 1 else 's'}")
    return 0


def maker(form: str) -> Maker:
    """What makes files of a form.

    Raises:
        Misuse: What it needs is not installed.
    """
    if form == "csv":
        return CsvFile
    try:
        from pipeline.exporting.parquet_file import ParquetFile  # an extra of its own
    except ModuleNotFoundError as error:
        message = (
            f"expected {error.name}, which --format parquet needs; found none. Install the extra: "
            "pip install '.[export]' - or choose --format csv"
        )
        raise Misuse(message) from error
    return ParquetFile


def _check_stdout(topics: Sequence[str], form: str) -> None:
    if len(topics) > 1:
        message = f"expected one --topic with --out -; found {', '.join(topics)}"
        raise Misuse(message)
    if form == "parquet" and sys.stdout.isatty():
        message = "expected a file or a pipe for Parquet; found a terminal. Give --out DIR"
        raise Misuse(message)


def _written(file: RowsFile, rows: Iterator[Record]) -> int:
    count = 0
    while some := list(islice(rows, ROWS_AT_ONCE)):
        file.write(some)
        count += len(some)
    file.close()
    return count


@contextmanager
def _opened(out: str, name: str) -> Iterator[BinaryIO]:
    """Where a file is written: beside its place until it is whole."""
    if out == STDOUT:
        yield sys.stdout.buffer
        return
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        message = f"--out: expected a folder; found a file at {folder}"
        raise Misuse(message)
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f".{name}.new"
    try:
        with new.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(folder / name)
    finally:
        new.unlink(missing_ok=True)
