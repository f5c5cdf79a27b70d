"""`touchpoints norms`: what is usual, measured on a log and printed as the catalogue reads it."""

import argparse
import sys

from listeners import settings
from listeners.adapters.native import replay_context
from pipeline.catalogue import files
from pipeline.catalogue.norms import written
from pipeline.cli import reading
from pipeline.cli.options import Subparsers, add_catalogue, add_settings, command
from pipeline.cli.progress import Progress
from pipeline.norms import measure
from pipeline.stitching.norms import SEEN_MIN

EXAMPLE = """
touchpoints norms april.ndjson.gz may.ndjson.gz > norms.toml && mv norms.toml seeds/
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = command(
        subparsers,
        "norms",
        "measure on a log how long steps and menus usually take",
        "Replays files of native touchpoints and prints the catalogue's norms.toml: of each step "
        "and mission the best quarter in time and effort, of each menu of the phone the 95th "
        f"percentile. What is seen fewer than {SEEN_MIN} times is left out. "
        "Exit code 1 if any line was refused; the others are measured.",
        EXAMPLE,
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="NDJSON, plain or .gz; - for stdin"
    )
    add_settings(parser, "whose key hashes personal identifiers")
    add_catalogue(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay, measure, print, and say what was refused and what was too rare."""
    reading.require(arguments.files, "touchpoints")
    rules = files.load(arguments.catalogue)
    context = replay_context(settings.load(arguments.settings))
    refused: list[str] = []
    with reading.uncollected(), Progress("touchpoints measured") as progress:
        touchpoints = reading.touchpoints_of(arguments.files, context, refused, progress)
        found = measure(touchpoints, rules)
    print(written(found.steps, found.menus), end="")
    if found.few:
        print(f"left out: {found.few} seen fewer than {SEEN_MIN} times", file=sys.stderr)
    return reading.say(refused)
