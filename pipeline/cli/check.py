"""`touchpoints check`: is the catalogue right, and do its examples turn out as they say?"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from pipeline.catalogue import files, oddities
from pipeline.catalogue.examples import Example
from pipeline.cli.options import Misuse, Subparsers, add_catalogue, command
from pipeline.cli.progress import Progress
from pipeline.cli.reading import require, say, touchpoints_of
from pipeline.errors import CatalogueInvalid, Problem
from pipeline.stitching.rules import Rules

EXAMPLE = """
touchpoints check --catalogue seeds/bank
touchpoints check --log seeds/journeys/*.jsonl   # what nobody emits, what it does not know
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What an examination found.

    Attributes:
        problems: What makes the catalogue unusable, or an example untrue.
        warnings: What is odd but may be meant.
        touchpoints, missions, examples: How many there are; 0 where the catalogue is unusable.
    """

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    touchpoints: int = 0
    missions: int = 0
    examples: int = 0


Held = Callable[[Rules], list[Problem]]
"""Holds a catalogue against a log: what the one has and the other has not."""


def examine(
    directory: Path,
    attempt: Callable[[Example, Rules], list[Problem]],
    against: Held = lambda _: [],
) -> Findings:
    """Read a catalogue and try its examples.

    Args:
        directory: The catalogue.
        attempt: Runs an example; gives what turned out otherwise than it says.
        against: Gives further warnings; called only where the catalogue can be used.
    """
    try:
        rules = files.load(directory)
        cases = files.examples(directory)
    except CatalogueInvalid as invalid:
        return Findings(problems=invalid.problems)
    return Findings(
        problems=tuple(problem for case in cases for problem in attempt(case, rules)),
        warnings=(*oddities.warnings(rules, directory), *against(rules)),
        touchpoints=len(rules.inventory.entries),
        missions=len(rules.missions.all),
        examples=len(cases),
    )


def show(findings: Findings, *, as_json: bool) -> int:
    """Print findings - problems and warnings to stderr, JSON to stdout - and give the exit code."""
    if as_json:
        print(orjson.dumps({"valid": not findings.problems, **asdict(findings)}).decode())
        return 1 if findings.problems else 0
    for problem in findings.problems:
        print(problem, file=sys.stderr)
    for warning in findings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if findings.problems:
        print(f"{_counted(len(findings.problems), 'problem')} found", file=sys.stderr)
        return 1
    counts = (
        _counted(findings.touchpoints, "touchpoint"),
        _counted(findings.missions, "mission"),
        _counted(findings.examples, "example"),
        _counted(len(findings.warnings), "warning"),
    )
    print(f"fine: {', '.join(counts)}")
    return 0


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = command(
        subparsers,
        "check",
        "missions and inventory: errors with file, line and a suggestion",
        "Check a catalogue and run the examples of its missions. "
        "Exit code 0: fine, perhaps with warnings; 1: problems; 2: no such directory.",
        EXAMPLE,
    )
    add_catalogue(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object with all findings to stdout"
    )
    parser.add_argument(
        "--log",
        nargs="+",
        default=[],
        metavar="FILE",
        help="also warn of what these NDJSON touchpoints never show, and of what they show that "
        "the inventory does not know",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; gives the exit code."""
    directory: Path = arguments.catalogue
    if not directory.is_dir():
        message = (
            f"--catalogue: expected a directory with an inventory.toml; found none at {directory}"
        )
        raise Misuse(message)
    from pipeline.catalogue import trial  # brings the whole core along: only once it is needed

    refused: list[str] = []
    findings = examine(directory, trial.run, held(arguments.log, directory, refused))
    code = show(findings, as_json=arguments.json)
    return max(code, say(refused))


def held(names: list[str], directory: Path, refused: list[str]) -> Held:
    """What holds a catalogue against the touchpoints of some files; nothing where none is named."""
    if not names:
        return lambda _: []
    from listeners import settings
    from listeners.adapters.native import replay_context
    from pipeline.catalogue import seen

    require(names, "touchpoints")
    context = replay_context(settings.load(None))

    def against(rules: Rules) -> list[Problem]:
        with Progress("touchpoints read") as progress:
            touchpoints = touchpoints_of(names, context, refused, progress)
            return seen.warnings(rules, directory, seen.Seen(touchpoints, rules))

    return against


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
