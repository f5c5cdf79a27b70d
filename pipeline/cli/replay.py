"""`touchpoints replay`: NDJSON touchpoints in, NDJSON results out; no server, no clock."""

import argparse
import sys

from listeners import settings
from listeners.adapters.native import replay_context
from pipeline.catalogue import files
from pipeline.cli import reading
from pipeline.cli.options import Misuse, Subparsers, add_catalogue, add_settings, command, topic
from pipeline.cli.progress import Progress
from pipeline.replay import results_of
from pipeline.runtimes.memory import in_memory
from pipeline.topology import STAGES
from schemas.topics import JOURNEY_OUTCOMES, SESSIONS, TOUCHPOINT_ALERTS, VERDICTS, VOTES

EXAMPLE = """
touchpoints replay seeds/journeys/*.jsonl --final --topic journey-outcomes
"""

MADE = frozenset(topic for stage in STAGES for topic in stage.writes)
"""Topics that the stages write; the others a replay cannot print."""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = command(
        subparsers,
        "replay",
        "NDJSON touchpoints in, NDJSON results out; no server",
        "Replays files of native touchpoints, in the order of their lines, and prints the results. "
        "The same input and catalogue give the same bytes. At the end event time runs on until "
        "everything has closed. Exit code 1 if any line was refused; the others are replayed.",
        EXAMPLE,
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="NDJSON, plain or .gz; - for stdin"
    )
    parser.add_argument(
        "--topic",
        action="append",
        type=topic,
        metavar="TOPIC",
        help="print this topic; may be repeated (default: sessions, journey-outcomes, verdicts)",
    )
    parser.add_argument("--final", action="store_true", help="only each result's last revision")
    parser.add_argument(
        "--keep-open", action="store_true", help="leave open what is open when the input ends"
    )
    add_settings(parser, "whose key hashes personal identifiers")
    add_catalogue(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay, print, and say what was refused."""
    reading.require(arguments.files, "touchpoints")
    topics = frozenset(arguments.topic or (SESSIONS, JOURNEY_OUTCOMES, VERDICTS))
    if unmade := topics - MADE:
        message = f"expected a topic that a replay makes; found {', '.join(sorted(unmade))}"
        raise Misuse(message)
    rules = files.load(arguments.catalogue)
    context = replay_context(settings.load(arguments.settings))
    refused: list[str] = []
    write = sys.stdout.buffer.write
    with reading.uncollected(), Progress("touchpoints replayed") as progress:
        touchpoints = reading.touchpoints_of(arguments.files, context, refused, progress)
        for line in results_of(
            touchpoints,
            in_memory(rules, watching=not topics.isdisjoint({VOTES, TOUCHPOINT_ALERTS})),
            topics,
            keep_open=arguments.keep_open,
            final=arguments.final,
        ):
            write(line)
    return reading.say(refused)
