"""`touchpoints erase`: forget a customer everywhere, with a receipt that can be checked."""

import argparse
import sys
from pathlib import Path

import msgspec

from listeners import settings
from pipeline import bootstrap
from pipeline.catalogue import files
from pipeline.cli import options
from pipeline.cli.identifiers import identifier_of, parser_of
from pipeline.cli.ordering import carry_out
from pipeline.runtimes.embedded.database import open_reader
from pipeline.runtimes.embedded.orders import Erase
from pipeline.runtimes.embedded.traces import traces

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
        "not, and prints a receipt, which names nobody. With --verify, check that a "
        "receipt is genuine and that nothing is left. What comes in later is new, and is kept. "
        "It takes as long as reading the log and writing the file anew, during which a running "
        "`up` accepts nothing. Exit codes: 0 done, or nothing left; 1 failed, or traces left; "
        "2 used wrongly.",
        EXAMPLE,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("identifier", nargs="?", metavar="IDENTIFIER", help="such as user_id:u-1")
    what.add_argument("--verify", type=Path, metavar="RECEIPT", help="check an earlier receipt")
    parser.add_argument(
        "--timeout",
        type=options.seconds,
        default=600.0,
        metavar="SECONDS",
        help="how long to wait for the running process (default: 600)",
    )
    options.add_catalogue(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Erase or verify."""
    chosen = settings.load(arguments.settings)
    seal = bootstrap.seal(chosen)
    if arguments.verify is not None:
        receipt = seal.opened(arguments.verify.read_bytes())
        connection = open_reader(arguments.data)
        try:
            left = traces(connection, receipt, seal)
        finally:
            connection.close()
        for trace in left:
            print(trace, file=sys.stderr)
        print(
            f"The receipt is genuine: erased at {receipt.erased_at.isoformat()}. "
            + (f"{len(left)} traces are left." if left else "Nothing is left.")
        )
        return 1 if left else 0
    order = Erase(bootstrap.new_id(), identifier_of(arguments.identifier, chosen))
    erasing = bootstrap.erasing(files.load(arguments.catalogue), chosen)
    given = carry_out(arguments.data, order, erasing, arguments.timeout)
    print(msgspec.json.format(bytes(given.done), indent=2).decode())
    if chosen.identifier_hash_key is None:
        print(
            "touchpoints: no identifier_hash_key is set, so the receipt is signed with a key that "
            "everybody has",
            file=sys.stderr,
        )
    return 0
