"""`touchpoints topics`: the topic catalogue, shown and checked."""

import argparse
from collections.abc import Iterator, Sequence

import orjson

from pipeline.cli import options
from schemas.topics import TOPICS, Topic

SUMMARY = "show the topic catalogue, check a log against it"


def add(subparsers: options.Subparsers) -> None:
    """Register the command."""
    parser = options.command(
        subparsers,
        "topics",
        SUMMARY,
        "The topics: what they are keyed by, which record they carry, how long they keep it.",
        "touchpoints topics show\ntouchpoints topics show --json | jq 'keys'",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    shown = options.command(
        actions, "show", "print the catalogue", "Print the catalogue.", "touchpoints topics show"
    )
    shown.add_argument("--json", action="store_true", help="one JSON object, by topic")
    shown.set_defaults(run=show)
    checked = options.command(
        actions,
        "check",
        "check a log against the catalogue",
        "Check a log against the catalogue. The embedded log has exactly the catalogue's topics.",
        "touchpoints topics check",
    )
    checked.set_defaults(run=check)


def show(arguments: argparse.Namespace) -> int:
    """Print the catalogue."""
    if arguments.json:
        print(orjson.dumps({name: described(topic) for name, topic in TOPICS.items()}).decode())
        return 0
    for line in table([list(described(t).values()) for t in TOPICS.values()], HEADINGS):
        print(line)
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Say that there is nothing to check."""
    print(f"fine: the embedded log keeps all {len(TOPICS)} topics by itself, none has to be made")
    return 0


HEADINGS = ("TOPIC", "KEY", "RECORD", "CLEANUP", "RETENTION", "PARTITIONS")


def described(topic: Topic) -> dict[str, str | int | None]:
    """A topic in plain words; the retention in days, None where only compaction removes records."""
    return {
        "name": topic.name,
        "key": topic.key,
        "record": topic.record.__name__,
        "cleanup": str(topic.cleanup),
        "retention": None if topic.retention is None else f"{topic.retention.days}d",
        "partitions": topic.partitions,
    }


def table(rows: Sequence[Sequence[object]], headings: Sequence[str]) -> Iterator[str]:
    """Rows under headings, in columns as wide as they need; nothing is shown as a dash."""
    cells = [list(headings)] + [["-" if c is None else str(c) for c in row] for row in rows]
    widths = [max(len(row[n]) for row in cells) for n in range(len(headings))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
