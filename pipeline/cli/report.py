"""`touchpoints report`: which touchpoints matter, how they do, what to improve first."""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from listeners import settings
from listeners.adapters.native import adapt_replay_line, replay_context
from pipeline.catalogue import files
from pipeline.catalogue.suggestions import closest
from pipeline.cli import options, reading
from pipeline.cli.options import Misuse
from pipeline.cli.progress import Progress
from pipeline.cli.topic_log import everything
from pipeline.replay import records_of
from pipeline.reporting.composing import report_of
from pipeline.reporting.page import page_of
from pipeline.reporting.report import Report
from pipeline.reporting.results import Gathering
from pipeline.reporting.text import text_of
from pipeline.runtimes.memory import in_memory
from pipeline.stitching.rules import Rules
from schemas.codec import decode
from schemas.errors import ContractViolation
from schemas.records import Alert, JourneyOutcome, Record, Session, Touchpoint, Verdict
from schemas.topics import JOURNEY_OUTCOMES, TOPICS, VERDICTS

SUMMARY: Final = "which touchpoints matter, how they do, what to improve first"

EXAMPLE: Final = """
touchpoints report                                   # of a running or stopped `up`
touchpoints report --format html > report.html
touchpoints report seeds/journeys/*.jsonl --mission pay-bill
"""


def add(subparsers: options.Subparsers) -> None:
    """Register the command."""
    parser = options.command(
        subparsers,
        "report",
        SUMMARY,
        "Say which touchpoints matter most, how each does for each mission, and what to improve "
        "first. Reads the results that `replay` or `tail` printed, or touchpoints, which are "
        "replayed; without a file, the log of a running or stopped `up`. Exit code 1 if any line "
        "was refused; the others are reported on.",
        EXAMPLE,
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="NDJSON results or touchpoints, plain or .gz; - for stdin (default: the log)",
    )
    parser.add_argument(
        "--format", choices=("text", "json", "html"), default="text", help="default: text"
    )
    parser.add_argument("--mission", metavar="M", help="only what customers do for this mission")
    parser.add_argument(
        "--segment", metavar="S", help="only customers of this segment, as [segments] tells it"
    )
    options.add_span(parser, "journeys that ended")
    options.add_data(parser)
    options.add_catalogue(parser)
    options.add_settings(parser, "whose key hashes personal identifiers of touchpoints")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; gives the exit code."""
    reading.require(arguments.files, "results or touchpoints")
    rules = files.load(arguments.catalogue)
    mission, segment = arguments.mission, arguments.segment
    if segment is not None and rules.segment_property is None:
        message = "--segment: expected a catalogue with a property in [segments]; found none"
        raise Misuse(message)
    if mission is not None and mission not in rules.missions.all:
        near = closest(mission, rules.missions.all)
        hint = f'. Did you mean "{near}"?' if near else ""
        message = f'--mission: expected one of the catalogue\'s; found "{mission}"{hint}'
        raise Misuse(message)
    gathering, refused = Gathering(), list[str]()
    if arguments.files:
        with Progress("lines read") as progress:
            _read_files(arguments, rules, gathering, refused, progress)
    else:
        for record in _from_log(arguments.data):
            gathering.add(record)
    results = gathering.results(
        mission=mission, segment=segment, since=arguments.since, until=arguments.until
    )
    report = report_of(results, rules, mission, segment)
    sys.stdout.buffer.write(rendering(arguments.format)(report, rules).encode())
    return reading.say(refused)


def rendering(form: str) -> Callable[[Report, Rules], str]:
    """What turns a report and its rules into text of a form: `text`, `json` or `html`."""

    def as_json(report: Report, _: Rules) -> str:
        return msgspec.json.encode(report).decode() + "\n"

    return {"text": text_of, "html": page_of, "json": as_json}[form]


class _Shown(msgspec.Struct):
    """What tells which record a line holds: its topic where `replay` printed it, else its keys."""

    topic: str | None = None
    outcome: str | None = None
    reasons: Any = None
    microjourney: Any = None
    name: str | None = None
    sentence: str | None = None

    def kind(self) -> type[Record] | None:
        """The record's type; None: no record that this command knows."""
        if self.topic is not None:
            return TOPICS[self.topic].record if self.topic in TOPICS else None
        if self.name is not None:
            return Touchpoint
        if self.sentence is not None:
            return Alert
        if self.outcome is not None:
            return JourneyOutcome
        if self.microjourney is not None:
            return Session
        return Verdict if self.reasons is not None else None


def _read_files(
    arguments: argparse.Namespace,
    rules: Rules,
    gathering: Gathering,
    refused: list[str],
    progress: Progress,
) -> None:
    """Gather what the lines hold: results as they are, touchpoints as a replay judges them."""
    context = replay_context(settings.load(arguments.settings))

    def touchpoints() -> Iterator[Touchpoint]:
        for place, line in reading.lines_of(arguments.files, refused):
            progress.advance()
            try:
                kind = _kind_of(line)
                if kind is Touchpoint:
                    yield adapt_replay_line(line, context)
                else:
                    gathering.add(decode(line, kind))
            except ContractViolation as violation:
                refused.append(f"{place}: {violation}")

    engine = in_memory(rules, watching=False)
    topics = frozenset({VERDICTS, JOURNEY_OUTCOMES})
    for _, record in records_of(touchpoints(), engine, topics):
        gathering.add(record)


def _kind_of(line: bytes) -> type[Record]:
    try:
        kind = msgspec.json.decode(line, type=_Shown).kind()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContractViolation(
            where="$", expected="a result or a touchpoint as JSON", found=str(error)
        ) from error
    if kind is None:
        raise ContractViolation(where="$", expected="a result or a touchpoint", found="neither")
    return kind


def _from_log(data: Path) -> Iterator[Record]:
    for topic in (VERDICTS, JOURNEY_OUTCOMES):
        kind = TOPICS[topic].record
        for entry in everything(data, None, topic):
            if entry.value is not None:
                yield decode(entry.value, kind)
