"""`touchpoints topics`: the topic catalogue; on Kafka its topics made, shown and checked."""

import argparse
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson

from pipeline.cli import options
from schemas.topics import TOPICS, Topic

if TYPE_CHECKING:
    from schemas.brokers import Brokers

SUMMARY = "create, show, check the topics against the catalogue"

HEADINGS = ("TOPIC", "KEY", "RECORD", "CLEANUP", "RETENTION", "PARTITIONS")
ON_KAFKA = ("TOPIC", "PARTITIONS", "COPIES", "CLEANUP", "RETENTION")


def add(subparsers: options.Subparsers) -> None:
    """Register the command."""
    parser = options.command(
        subparsers,
        "topics",
        SUMMARY,
        "The topics: what they are keyed by, which record they carry, how long they keep it. On "
        "Kafka they have to be made before anything listens or works.",
        "touchpoints topics show\n"
        "touchpoints topics show --json | jq 'keys'\n"
        "touchpoints topics create --bootstrap-servers localhost:9092",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    created = options.command(
        actions,
        "create",
        "make on Kafka what is missing",
        "Make the topics that Kafka has not got, the stages' changelogs among them, and say which. "
        "What is there is left as it is.",
        "touchpoints topics create --bootstrap-servers localhost:9092\n"
        "touchpoints topics create --settings touchpoints.toml --partitions 32 --replication 3",
    )
    created.set_defaults(run=create)
    shown = options.command(
        actions,
        "show",
        "print the catalogue, or what Kafka has of it",
        "Print the catalogue; with Kafka, its topics as they are there.",
        "touchpoints topics show\ntouchpoints topics show --bootstrap-servers localhost:9092",
    )
    shown.add_argument("--json", action="store_true", help="one JSON object, by topic")
    shown.set_defaults(run=show, partitions=None, replication=None)
    checked = options.command(
        actions,
        "check",
        "check what Kafka has against the catalogue",
        "Say topic by topic what differs from the catalogue. Exit code 1 when anything does. The "
        "embedded log has exactly the catalogue's topics.",
        "touchpoints topics check --bootstrap-servers localhost:9092",
    )
    checked.set_defaults(run=check)
    for action in (created, shown, checked):
        options.add_kafka(action)
        options.add_settings(action, "the table [kafka]: addresses, login, partitions, copies")
    for action in (created, checked):
        action.add_argument(
            "--partitions",
            type=options.at_least_one,
            metavar="N",
            help="of each topic, chosen once (default: the settings', else the catalogue's)",
        )
        action.add_argument(
            "--replication",
            type=options.at_least_one,
            metavar="N",
            help="copies of each topic (default: the settings', else the brokers')",
        )


def create(arguments: argparse.Namespace) -> int:
    """Make what is missing on Kafka, and say what was made."""
    brokers = brokers_of(arguments)
    if brokers is None:
        message = (
            "expected Kafka's address; found none. Give --bootstrap-servers HOST:PORT, or "
            "--settings FILE with a table [kafka]. The embedded log makes its topics by itself"
        )
        raise options.Misuse(message)
    from pipeline.runtimes.kafka import administering, topics

    made = administering.create(brokers)
    for plan in made:
        settings = ", ".join(f"{name}={value}" for name, value in plan.settings.items())
        print(f"made {plan.name}: {plan.partitions} partitions, {settings}")
    there = len(topics.planned(brokers)) - len(made)
    print(f"{len(made)} topics made, {there} were there already and are as they were")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Print the catalogue, or what is there of it on Kafka."""
    brokers = brokers_of(arguments)
    if brokers is not None:
        return show_on_kafka(brokers, as_json=arguments.json)
    if arguments.json:
        print(orjson.dumps({name: described(topic) for name, topic in TOPICS.items()}).decode())
        return 0
    for line in table([list(described(t).values()) for t in TOPICS.values()], HEADINGS):
        print(line)
    return 0


def show_on_kafka(brokers: "Brokers", *, as_json: bool) -> int:
    """Print every topic that Kafka should have, with dashes where it has not got it."""
    from pipeline.runtimes.kafka import administering, topics

    found = administering.existing(brokers)
    rows: list[list[object]] = []
    for name in topics.planned(brokers):
        there = found.get(name)
        told = {} if there is None else there.settings
        rows.append(
            [
                name,
                None if there is None else there.partitions,
                None if there is None else there.replication,
                told.get("cleanup.policy"),
                _days(told.get("retention.ms"))
                if "delete" in told.get("cleanup.policy", "")
                else None,
            ]
        )
    if as_json:
        names = [heading.lower() for heading in ON_KAFKA]
        rows_by_name = {row[0]: dict(zip(names, row, strict=True)) for row in rows}
        print(orjson.dumps(rows_by_name).decode())
        return 0
    for line in table(rows, ON_KAFKA):
        print(line)
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Say what differs on Kafka; of the embedded log, that there is nothing to check."""
    brokers = brokers_of(arguments)
    if brokers is None:
        print(
            f"fine: the embedded log keeps all {len(TOPICS)} topics by itself, none has to be made"
        )
        return 0
    from pipeline.runtimes.kafka import administering, topics

    differing = administering.check(brokers)
    for one in differing:
        print(one)
    count = len(topics.planned(brokers))
    if differing:
        of = len({one.topic for one in differing})
        print(f"{of} of {count} topics differ")
        if any(not one.what for one in differing):
            print("`touchpoints topics create` makes what is missing")
        if any(one.what == "partitions" for one in differing):
            print(
                "a number of partitions is chosen once: set that of [kafka], or give --partitions"
            )
        return 1
    print(f"fine: all {count} topics at {brokers.bootstrap_servers} are as they should be")
    return 0


def brokers_of(arguments: argparse.Namespace) -> "Brokers | None":
    """The brokers of the command line and the settings; None where neither names any.

    Raises:
        SettingsInvalid: An address or a setting is wrong.
    """
    from pipeline import settings

    brokers = settings.load(arguments.settings, arguments.bootstrap_servers).kafka
    given = {
        name: value
        for name in ("partitions", "replication")
        if (value := getattr(arguments, name)) is not None
    }
    return brokers if brokers is None else brokers.model_copy(update=given)


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


def _days(milliseconds: str | None) -> str | None:
    """A retention of Kafka's in days; None where it keeps for ever or does not say."""
    if milliseconds is None or milliseconds == "-1":
        return None
    return f"{timedelta(milliseconds=int(milliseconds)) / timedelta(days=1):g}d"


def table(rows: Sequence[Sequence[object]], headings: Sequence[str]) -> Iterator[str]:
    """Rows under headings, in columns as wide as they need; nothing is shown as a dash."""
    cells = [list(headings)] + [["-" if c is None else str(c) for c in row] for row in rows]
    widths = [max(len(row[n]) for row in cells) for n in range(len(headings))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
