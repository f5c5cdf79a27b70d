"""`touchpoints unlink`: take back that an identifier belongs to somebody."""

import argparse
import asyncio
from contextlib import ExitStack
from datetime import datetime

from listeners import settings
from pipeline import bootstrap
from pipeline.catalogue import files
from pipeline.cli import options
from pipeline.cli.identifiers import identifier_of, kafka_of, parser_of, states_of
from pipeline.cli.ordering import carry_out
from pipeline.runtimes.embedded.orders import Append
from pipeline.stitching.belonging import UNLINK_WINDOW, last_shown
from pipeline.stitching.signals import IDENTITY_ONLY
from schemas.codec import encode
from schemas.identifiers import UNLINKED_FROM
from schemas.records import Touchpoint
from schemas.topics import TOUCHPOINTS

SUMMARY = "take back that an identifier belongs to somebody"
EXAMPLE = """
touchpoints unlink anonymous_id:a-1
touchpoints unlink email:shop@example.com --owner user_id:u-1 --settings settings.toml
"""


def add(subparsers: options.Subparsers) -> None:
    """Register the command."""
    parser = parser_of(
        subparsers,
        "unlink",
        SUMMARY,
        "Part an identifier from an owner, as if what showed them together until now had never "
        "been shown: what is still kept is handed back, results on both sides go out as higher "
        "revisions, and identity-changes says `unlinked`. What shows the two together later links "
        "them again. Works on the data of `up`, running or not - then it takes effect when it "
        "starts - and on Kafka. Exit codes: 0 done, 1 failed, 2 used wrongly.",
        EXAMPLE,
    )
    parser.add_argument("identifier", metavar="IDENTIFIER", help="the one to set free")
    parser.add_argument(
        "--owner",
        metavar="IDENTIFIER",
        help="whom it is parted from (default: its owner, where it has only one)",
    )
    options.add_patience(parser, 30)
    options.add_catalogue(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look for the link, and take it back."""
    chosen = settings.load(arguments.settings)
    identifier = identifier_of(arguments.identifier, chosen)
    owner = None if arguments.owner is None else identifier_of(arguments.owner, chosen)
    now = bootstrap.now()
    with ExitStack() as stack:
        owners = last_shown(identifier, states_of(arguments, stack))
    owner = _one_of(owners, identifier, owner, now)
    touchpoint = _parting(identifier, owner, max(now, owners[owner]), now)
    record = (TOUCHPOINTS, identifier, encode(touchpoint))
    brokers = kafka_of(arguments)
    if brokers is None:
        order = Append(bootstrap.new_id(), "unlink", (record,))
        erasing = bootstrap.erasing(files.load(arguments.catalogue), chosen)
        carry_out(arguments.data, order, erasing, arguments.timeout)
    else:
        from listeners.publishers.publisher import Outgoing
        from pipeline.runtimes.kafka.operating import publish

        asyncio.run(publish(brokers, [Outgoing(*record)]))
    print(f"{identifier} is parted from {owner}.")
    return 0


def _one_of(owners: dict[str, datetime], identifier: str, wanted: str | None, now: datetime) -> str:
    said = ", ".join(sorted(owners)) or "none"
    if wanted is None and len(owners) != 1:
        message = f"expected {identifier} to have one owner, or --owner to name one; found {said}"
        raise options.Misuse(message)
    owner = wanted or next(iter(owners))
    if owner not in owners:
        message = f"expected --owner to be an owner of {identifier}: {said}; found {owner}"
        raise options.Misuse(message)
    if owners[owner] < now - UNLINK_WINDOW:
        message = (
            f"expected a link that was shown within {UNLINK_WINDOW.days} days; found one last "
            f"shown at {owners[owner].isoformat()}"
        )
        raise options.Misuse(message)
    return owner


def _parting(identifier: str, owner: str, at: datetime, now: datetime) -> Touchpoint:
    kind, _, value = identifier.partition(":")
    return Touchpoint(
        id=f"unlink-{bootstrap.new_id()}",
        source="operator",
        channel="agent",
        name="unlink",
        occurred_at=at,
        received_at=now,
        identifiers={kind: value, UNLINKED_FROM: owner},
        signals=(IDENTITY_ONLY,),
    )
