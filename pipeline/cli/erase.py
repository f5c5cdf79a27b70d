"""`touchpoints erase`: forget a customer everywhere, with a receipt that can be checked."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from listeners import settings
from pipeline import bootstrap
from pipeline.catalogue import files
from pipeline.cli import options
from pipeline.cli.identifiers import identifier_of, kafka_of, parser_of
from pipeline.cli.ordering import OrderRefused, carry_out
from pipeline.console.forgetting import forget_erased
from pipeline.receipts import Receipt, Seal
from pipeline.runtimes.embedded.database import open_reader
from pipeline.runtimes.embedded.obeying import told_of
from pipeline.runtimes.embedded.orders import Erase
from pipeline.runtimes.embedded.traces import traces
from pipeline.stitching.erasing import Ambiguous
from pipeline.stitching.rules import Rules

if TYPE_CHECKING:
    from schemas.brokers import Brokers

SUMMARY = "forget a customer everywhere, with a receipt"
EXAMPLE = """
touchpoints erase user_id:u-1 > receipt.json
touchpoints erase email:ann@example.com --settings settings.toml > receipt.json
touchpoints erase --verify receipt.json
"""


def add(subparsers: options.Subparsers) -> None:
    """Register the command."""
    parser = parser_of(
        subparsers,
        "erase",
        SUMMARY,
        "Forget the customer of an identifier: touchpoints, state, results, dead letters and links "
        "of all identifiers that only this customer had. Works on the data of `up`, running or "
        "not, and on Kafka, and prints a receipt, which names nobody. With --verify, check that a "
        "receipt is genuine and that nothing is left. What comes in later is new, and is kept. "
        "It takes as long as reading the log and writing the file anew, during which a running "
        "`up` accepts nothing. Exit codes: 0 done, or nothing left; 1 failed, or traces left; "
        "2 used wrongly.",
        EXAMPLE,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("identifier", nargs="?", metavar="IDENTIFIER", help="such as user_id:u-1")
    what.add_argument("--verify", type=Path, metavar="RECEIPT", help="check an earlier receipt")
    options.add_patience(parser, 600)
    options.add_catalogue(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Erase or verify."""
    chosen = settings.load(arguments.settings)
    seal = bootstrap.seal(chosen)
    brokers = kafka_of(arguments)
    if arguments.verify is not None:
        return _verify(arguments, brokers, seal)
    order = Erase(bootstrap.new_id(), identifier_of(arguments.identifier, chosen))
    rules = files.load(arguments.catalogue)
    if brokers is None:
        erasing = bootstrap.erasing(rules, chosen)
        receipt = bytes(carry_out(arguments.data, order, erasing, arguments.timeout).done)
        forget_erased(arguments.data, bootstrap.now())
    else:
        receipt = msgspec.json.encode(_erased_on_kafka(arguments, brokers, rules, seal, order))
    print(msgspec.json.format(receipt, indent=2).decode())
    if chosen.identifier_hash_key is None:
        print(
            "touchpoints: no identifier_hash_key is set, so the receipt is signed with a key that "
            "everybody has",
            file=sys.stderr,
        )
    return 0


def _verify(arguments: argparse.Namespace, brokers: "Brokers | None", seal: Seal) -> int:
    receipt = seal.opened(arguments.verify.read_bytes())
    ending: list[str] = []
    if brokers is None:
        connection = open_reader(arguments.data)
        try:
            left = traces(connection, receipt, seal)
        finally:
            connection.close()
    else:
        from pipeline.runtimes.kafka import erasing  # not needed for the embedded runtime
        from pipeline.runtimes.kafka.reaching import reach

        reach(brokers)
        left, ending = erasing.traces(brokers, receipt, seal)
    for trace in left:
        print(trace, file=sys.stderr)
    found = f"{len(left)} traces are left." if left else "Nothing is left."
    if ending:
        found = f"{found} Not yet ended by retention: {'; '.join(ending)}."
    print(f"The receipt is genuine: erased at {receipt.erased_at.isoformat()}. {found}")
    return 1 if left else 0


def _erased_on_kafka(
    arguments: argparse.Namespace, brokers: "Brokers", rules: Rules, seal: Seal, order: Erase
) -> Receipt:
    from pipeline.runtimes.kafka import erasing  # not needed for the embedded runtime

    asked = (order.id, order.identifier)
    try:
        return erasing.erase(brokers, rules, seal, asked, bootstrap.now(), arguments.timeout)
    except Ambiguous as error:
        raise OrderRefused(told_of(error)) from error
