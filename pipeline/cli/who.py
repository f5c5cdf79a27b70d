"""`touchpoints who`: whose a device, an e-mail, a number was at a time."""

import argparse
from contextlib import ExitStack

import msgspec

from listeners import settings
from pipeline import bootstrap
from pipeline.catalogue import files
from pipeline.cli import options
from pipeline.cli.identifiers import identifier_of, parser_of, states_of
from pipeline.stitching.belonging import Belonging, belonging_of

SUMMARY = "whose a device, an e-mail, a number was at a time"
EXAMPLE = """
touchpoints who anonymous_id:a-1 --at 2026-11-24T12:00:00Z
touchpoints who email:ann@example.com --settings settings.toml --json
"""


def add(subparsers: options.Subparsers) -> None:
    """Register the command."""
    parser = parser_of(
        subparsers,
        "who",
        SUMMARY,
        "Tell whose an identifier was at a time, by all that is known now, and all whom it ever "
        "belonged to as far as that is remembered. Reads the state of the stage identify: of "
        "`up`, running or not; on Kafka the stage's changelog, whole. What was not shown for 31 "
        "days is forgotten. Exit codes: 0 known, 1 nothing is known of it, 2 used wrongly.",
        EXAMPLE,
    )
    parser.add_argument("identifier", metavar="IDENTIFIER", help="such as user_id:u-1")
    parser.add_argument(
        "--at", type=options.moment, metavar="TIME", help="in RFC 3339 (default: now)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of sentences")
    options.add_catalogue(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look it up and tell."""
    identifier = identifier_of(arguments.identifier, settings.load(arguments.settings))
    rules = files.load(arguments.catalogue).identity
    with ExitStack() as stack:
        states = states_of(arguments, stack)
        found = belonging_of(identifier, arguments.at or bootstrap.now(), states, rules)
    print(msgspec.json.encode(found).decode() if arguments.json else told(found))
    return 0 if found.known else 1


def told(found: Belonging) -> str:
    """An answer for a person."""
    at = f"{found.at:%Y-%m-%d %H:%M:%S} UTC"
    if not found.known:
        return f"Nothing is known of {found.identifier}: never shown, or not for 31 days."
    if len(found.chain) == 1:
        first = f"At {at} {found.identifier} stood for itself: customer {found.customer}."
    else:
        way = f", by way of {', '.join(found.chain[1:-1])}" if len(found.chain) > 2 else ""
        whose = f"{found.chain[-1]}'s{way}: customer {found.customer}"
        first = f"At {at} {found.identifier} was {whose}."
    lines = [first]
    for number, stretch in enumerate(found.timeline, start=1):
        following = found.timeline[number] if number < len(found.timeline) else None
        since = f"from {stretch.since:%Y-%m-%d %H:%M:%S}" if stretch.since else "from the beginning"
        until = f" until {following.since:%Y-%m-%d %H:%M:%S}" if following else ""
        lines.append(f"  {since}{until}: {stretch.owner or 'nobody but itself'}")
    return "\n".join(lines)
