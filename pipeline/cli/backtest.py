"""`touchpoints backtest`: what another catalogue would have made of the same log."""

import argparse
import sys
from pathlib import Path
from typing import Final

import msgspec

from listeners import settings
from listeners.adapters.native import replay_context
from pipeline.backtest.differences import differences
from pipeline.backtest.sides import both
from pipeline.backtest.text import text_of
from pipeline.catalogue import files
from pipeline.cli import options, reading
from pipeline.cli.progress import Progress
from pipeline.runtimes.memory import in_memory

SUMMARY: Final = "what another catalogue would change, tried on a log"

EXAMPLE: Final = """
cp -r seeds tried && $EDITOR tried/missions/pay-bill.toml
touchpoints backtest --catalogue tried seeds/journeys/*.jsonl
"""


def add(subparsers: options.Subparsers) -> None:
    """Register the command."""
    parser = options.command(
        subparsers,
        "backtest",
        SUMMARY,
        "Replay the same touchpoints under two catalogues and say what would change: sessions, "
        "outcomes and verdicts of each mission, alerts, with examples. The same input gives the "
        "same output. Exit code 0 whether or not anything changes; 1 if any line was refused.",
        EXAMPLE,
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="NDJSON touchpoints, plain or .gz; - for stdin"
    )
    parser.add_argument(
        "--catalogue", type=Path, required=True, metavar="NEW", help="the catalogue to be tried"
    )
    parser.add_argument(
        "--against",
        type=Path,
        default=Path("seeds"),
        metavar="OLD",
        help="the catalogue to compare with (default: seeds)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options.add_settings(parser, "whose key hashes personal identifiers")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; gives the exit code."""
    reading.require(arguments.files, "touchpoints")
    old, new = files.load(arguments.against), files.load(arguments.catalogue)
    context = replay_context(settings.load(arguments.settings))
    refused: list[str] = []
    with reading.uncollected(), Progress("touchpoints replayed twice") as progress:
        touchpoints = reading.touchpoints_of(arguments.files, context, refused, progress)
        before, after = both(touchpoints, in_memory(old), in_memory(new))
    found = differences(before, after)
    if arguments.json:
        said = msgspec.json.encode(found, order="deterministic").decode() + "\n"
    else:
        said = text_of(found, str(arguments.against), str(arguments.catalogue))
    sys.stdout.write(said)
    return reading.say(refused)
