"""`touchpoints redrive`: dead letters before the door that refused them, once more."""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from listeners import settings
from listeners.errors import Reason
from listeners.publishers.publisher import Outgoing
from listeners.redriving import UNSENT, Judged, Redriving
from pipeline import bootstrap
from pipeline.cli import options, reading
from pipeline.cli.identifiers import kafka_of
from pipeline.cli.ordering import carry_out
from pipeline.cli.progress import Progress
from pipeline.cli.topic_log import everything
from pipeline.runtimes.embedded import receipts
from pipeline.runtimes.embedded.database import open_reader
from pipeline.runtimes.embedded.orders import Append
from pipeline.topology import TOO_LATE
from schemas.codec import decode
from schemas.letters import DeadLetter
from schemas.topics import DEAD_LETTERS

if TYPE_CHECKING:
    from schemas.brokers import Brokers

SUMMARY: Final = "dead letters through the listeners again"

EXAMPLE: Final = """
touchpoints redrive --dry-run                        # what would be sent, as NDJSON
touchpoints redrive --reason field_missing --source kiosk --settings settings.toml
touchpoints redrive --reason processing_failed --bootstrap-servers localhost:9092
"""

IDENTIFIER_CAP: Final = "identifier_cap"

REASONS: Final = (*Reason, TOO_LATE, IDENTIFIER_CAP)
"""Why a letter may have been written."""

LETTERS_AT_ONCE: Final = 1_000
"""Letters that are sent before the next are looked at; a running `up` takes so many a second."""


def add(subparsers: options.Subparsers) -> None:
    """Register the command."""
    parser = options.command(
        subparsers,
        "redrive",
        SUMMARY,
        "Send again what could not be used, once what was wrong is mended: settings, a limit, the "
        "program. What a listener refused is judged by that dialect and the settings of now; what "
        "a stage failed on goes back on the log as it is. Ids and times stay, so that nothing "
        "counts twice, and what was sent is noted, so that it is not sent for ever. Nothing "
        "is sent with another identifier_hash_key than the listeners'. Not sent: what was cut, "
        "what came too late - unless --reason says so - and what was sent before. Works "
        "on the data of `up`, running or not, and on Kafka. Exit codes: 0 done, 1 failed or some "
        "refused again, 2 used wrongly.",
        EXAMPLE,
    )
    parser.add_argument(
        "--reason",
        action="append",
        type=options.one_of(REASONS),
        metavar="REASON",
        help="only letters with this reason; may be repeated",
    )
    parser.add_argument("--source", metavar="NAME", help="only letters of this source")
    options.add_span(parser, "letters that came")
    parser.add_argument(
        "--count", type=options.at_least_one, metavar="N", help="send at most so many letters"
    )
    parser.add_argument(
        "--again", action="store_true", help="also what was sent before, and refused again"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="send nothing; print the touchpoints that would be sent, as `replay` reads them",
    )
    options.add_patience(parser, 30)
    options.add_data(parser)
    options.add_kafka(parser)
    options.add_settings(parser, "the listeners': sources, limits, the key that hashes")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the letters, judge them again, send what is accepted."""
    chosen = settings.load(arguments.settings)
    redriving = Redriving(chosen)
    brokers = kafka_of(arguments)
    unsent: Counter[str] = Counter()
    refused: list[str] = []
    erasures = None if brokers is not None else _erasures(arguments.data)  # before it is read
    _check_key(_chosen(arguments, brokers, redriving, Counter()), arguments.count, redriving)
    letters = islice(_chosen(arguments, brokers, redriving, unsent), arguments.count)
    sent = touchpoints = 0
    adapted = False
    now = bootstrap.now()
    with Progress("letters sent", printing=arguments.dry_run) as progress:
        while batch := list(islice(letters, LETTERS_AT_ONCE)):
            _check_key(batch, None, redriving)  # some may have come since
            judged = [redriving.judged(letter, now) for letter in batch]
            for letter, one in zip(batch, judged, strict=True):
                refused += [f"{letter.source}: letter {letter.id}: {why}" for why in one.refused]
            _send(arguments, brokers, judged, erasures)
            sent += len(batch)
            adapted = adapted or any(letter.door is not None for letter in batch)
            touchpoints += sum(len(one.touchpoints) for one in judged)
            progress.at(sent)
    code = reading.say(refused)
    told = sys.stderr if arguments.dry_run else sys.stdout
    would = "would be " if arguments.dry_run else ""
    print(
        f"{_number(sent, 'dead letter')} {would}sent again: "
        f"{_number(touchpoints, 'touchpoint')} accepted, {len(refused)} refused again.",
        file=told,
    )
    for why, number in unsent.items():
        print(f"Not sent: {number} {why}.", file=told)
    if adapted and chosen.open:
        print(
            "touchpoints: no settings name the sources, so letters were judged as an open listener "
            "does, for any source",
            file=sys.stderr,
        )
    return code


def _check_key(letters: Iterable[DeadLetter], count: int | None, redriving: Redriving) -> None:
    """Find letters whose personal identifiers would get another hash.

    Args:
        letters: Those that are to be sent.
        count: How many of them; None for all.
        redriving: Knows the key.

    Raises:
        Misuse: There is one.
    """
    for letter in islice(letters, count):
        if not redriving.same_key(letter):
            message = (
                f"expected the identifier_hash_key of the listener that refused letter {letter.id} "
                f"(source {letter.source}, {letter.received_at.isoformat()}), from --settings or "
                "TOUCHPOINTS_IDENTIFIER_HASH_KEY; found another, or none. It would make other "
                "customers of the same people, for good, so it is not sent. --source, --since "
                "and --until choose letters of one key"
            )
            raise options.Misuse(message)


def _chosen(
    arguments: argparse.Namespace,
    brokers: "Brokers | None",
    redriving: Redriving,
    unsent: "Counter[str]",
) -> Iterator[DeadLetter]:
    """The letters to be sent: each id once, and of those that were sent before only some."""
    reasons = frozenset(arguments.reason or REASONS)
    before = _sent_before(arguments, brokers)
    seen = set[str]()
    for letter in _letters(arguments, brokers):
        if letter.redriven_at is not None and not letter.content:
            continue  # it only says that it was sent
        if letter.reason not in reasons or arguments.source not in (None, letter.source):
            continue
        if not options.within(arguments, letter.received_at) or letter.id in seen:
            continue
        seen.add(letter.id)
        if (why := _kept_back(letter, arguments, before.get(letter.id), redriving)) is not None:
            unsent[why] += 1
        else:
            yield letter


def _kept_back(
    letter: DeadLetter, arguments: argparse.Namespace, before: str | None, redriving: Redriving
) -> str | None:
    """Why a letter is not sent, for a person; None where it is."""
    if before == "accepted":
        return "accepted when they were sent before"
    if before == "refused" and not arguments.again:
        return "refused again when they were sent before; --again sends them once more"
    if letter.reason == TOO_LATE and TOO_LATE not in (arguments.reason or ()):
        return "too late, for which a replay is the way; --reason too_late sends them"
    why = redriving.unsent(letter)
    return None if why is None else UNSENT[why]


def _sent_before(
    arguments: argparse.Namespace, brokers: "Brokers | None"
) -> dict[str, Literal["accepted", "refused"]]:
    """What came of each letter that was sent before; one that came back since was refused."""
    before: dict[str, Literal["accepted", "refused"]] = {}
    for letter in _letters(arguments, brokers):
        if letter.redriven is not None:
            before[letter.id] = letter.redriven
        elif letter.id in before:
            before[letter.id] = "refused"
    return before


def _letters(arguments: argparse.Namespace, brokers: "Brokers | None") -> Iterator[DeadLetter]:
    for entry in everything(arguments.data, brokers, DEAD_LETTERS):
        if entry.value is not None:
            yield decode(entry.value, DeadLetter)


def _erasures(data: Path) -> tuple[str, ...]:
    with closing(open_reader(data)) as connection:
        return receipts.ids(connection)


def _send(
    arguments: argparse.Namespace,
    brokers: "Brokers | None",
    judged: Sequence[Judged],
    erasures: tuple[str, ...] | None,
) -> None:
    """Touchpoints first: what is said to be sent must have been."""
    touchpoints = [record for one in judged for record in one.touchpoints]
    if arguments.dry_run:
        sys.stdout.buffer.write(b"".join(record.value + b"\n" for record in touchpoints))
        return
    letters = [record for one in judged for record in one.letters]
    if brokers is None:
        order = Append(bootstrap.new_id(), "redrive", (*touchpoints, *letters), erasures)
        carry_out(arguments.data, order, None, arguments.timeout)
        return
    asyncio.run(_publish(brokers, (touchpoints, letters)))


async def _publish(brokers: "Brokers", records: Sequence[Sequence[Outgoing]]) -> None:
    from pipeline.runtimes.kafka.operating import publish  # the embedded log needs no client

    for some in records:
        await publish(brokers, some)


def _number(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
