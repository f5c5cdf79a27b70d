"""`touchpoints demo`: a believable day of traffic for a running pipeline."""

import argparse
import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson

from pipeline.cli import options
from pipeline.cli.progress import Progress
from pipeline.demo.day import CUSTOMERS, Day, day
from pipeline.demo.sender import Sent, clock_of, send

SUMMARY = "send a believable day of traffic, with a break in it, to a running `up`"


def add(subparsers: options.Subparsers) -> None:
    """Register the command."""
    parser = options.command(
        subparsers,
        "demo",
        SUMMARY,
        "Send the day just past of a telecom's customers to a running pipeline, then say what the "
        "results should be: how many journeys to which mission end how, and which touchpoint "
        "breaks when. Journeys that end in silence stay open until the mission's patience is over.",
        "touchpoints demo\ntouchpoints demo --customers 2000 --seed 7 --json",
    )
    options.add_port(parser)
    parser.add_argument("--url", help="the listener's address, instead of --port on this machine")
    parser.add_argument("--key", default="demo", help="the write key (default: demo)")
    parser.add_argument(
        "--customers",
        type=options.at_least_one,
        default=CUSTOMERS,
        metavar="N",
        help=f"how many people (default: {CUSTOMERS})",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="another seed, another day (default: 1)"
    )
    parser.add_argument(
        "--ends-at",
        type=options.moment,
        metavar="TIME",
        help="when the day ends, RFC 3339 (default: now, by the listener's clock)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object: customers, touchpoints, journeys, broken",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; gives the exit code."""
    url = (arguments.url or f"http://127.0.0.1:{arguments.port}").rstrip("/")
    now = asyncio.run(clock_of(url))
    told = day(arguments.seed, arguments.ends_at or now, arguments.customers)
    with Progress("touchpoints sent", printing=False) as progress:
        sent = asyncio.run(
            send(told.lines, url, arguments.key, lambda n: progress.at(n, len(told.lines)))
        )
    if arguments.json:
        print(orjson.dumps(as_json(told)).decode())
    else:
        print("\n".join(as_text(told, sent)))
    return 0 if sent.refused == 0 else 1


def as_json(told: Day) -> dict[str, object]:
    """What is true of the day, for programs."""
    broken = told.broken
    return {
        "customers": told.customers,
        "touchpoints": told.touchpoints,
        "journeys": told.journeys,
        "broken": {
            "touchpoint": broken.touchpoint,
            "mission": broken.mission,
            "from": _rfc3339(broken.starts_at),
            "to": _rfc3339(broken.ends_at),
            "release": broken.release,
        },
    }


def as_text(told: Day, sent: Sent) -> Iterator[str]:
    """What is true of the day, for people."""
    broken = told.broken
    twice = len(told.lines) - told.touchpoints
    yield (
        f"{told.customers:,} customers sent {told.touchpoints:,} touchpoints, "
        f"{twice:,} of them twice."
    )
    if sent.refused:
        yield f"The listener refused {sent.refused:,} of them; their reasons are on dead-letters."
    yield ""
    yield f"{'mission':16}{'completed':>11}{'frustrated':>12}{'abandoned':>11}"
    for mission, outcomes in told.journeys.items():
        counts = [outcomes.get(o, 0) for o in ("completed", "frustrated", "abandoned")]
        yield f"{mission:16}{counts[0]:>11,}{counts[1]:>12,}{counts[2]:>11,}"
    yield ""
    yield (
        f"{broken.touchpoint} was broken for {broken.mission} "
        f"from {_clock(broken.starts_at)} to {_clock(broken.ends_at)} UTC, "
        f"with release {broken.release} of the app."
    )
    yield "See what became of it: touchpoints report"


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M")


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
