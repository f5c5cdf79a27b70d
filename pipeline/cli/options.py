"""Options that several commands share, and the error for a command used wrongly."""

import argparse
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

from schemas.topics import TOPICS

if TYPE_CHECKING:
    from schemas.brokers import Brokers

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Subparsers = Any


WIDTH: Final = 88
"""Columns of a description; argparse wraps none that has an example below it."""


class Misuse(Exception):
    """The command was given something it cannot take: exit code 2. The text says what."""


def command(
    subparsers: Subparsers, name: str, summary: str, description: str, example: str
) -> argparse.ArgumentParser:
    """A parser for one command, whose `--help` ends with an example.

    Args:
        subparsers: Where `main` collects the commands.
        name: What the command is called.
        summary: One line for the list of commands.
        description: What it does and which exit codes it has.
        example: Lines that can be typed as they stand.
    """
    made = subparsers.add_parser(
        name,
        help=summary,
        description=fill(description, WIDTH),
        epilog=f"example:\n{indented(example)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(misused=made.error)  # Says how this command is used, and leaves.
    return made


def indented(text: str) -> str:
    """Every line set in by two spaces."""
    return "".join(f"  {line}\n" for line in text.strip().splitlines())


def add_data(
    parser: argparse.ArgumentParser, holding: str = "the folder of the embedded log and state"
) -> None:
    """`--data DIR`, read as `arguments.data`; `holding` says what is in it."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help=f"{holding} (default: ./data)",
    )


def add_settings(parser: argparse.ArgumentParser, holding: str) -> None:
    """`--settings FILE`, read as `arguments.settings`; `holding` says what is looked for in it."""
    parser.add_argument("--settings", type=Path, metavar="FILE", help=holding)


def add_kafka(parser: argparse.ArgumentParser) -> None:
    """`--bootstrap-servers HOST:PORT`, read as `arguments.bootstrap_servers`.

    Whether it is an address says `pipeline.settings.load`, which also joins it to the rest of the
    table `[kafka]`.
    """
    parser.add_argument(
        "--bootstrap-servers",
        metavar="HOST:PORT",
        help="Kafka instead of the embedded log; several with commas (default: the settings')",
    )


def named(brokers: "Brokers | None") -> "Brokers":
    """The brokers, for a command that does nothing without them.

    Raises:
        Misuse: Neither the command line nor the settings name any.
    """
    if brokers is None:
        message = (
            "expected Kafka's address; found none. Give --bootstrap-servers HOST:PORT, or a "
            "[kafka] table in --settings FILE"
        )
        raise Misuse(message)
    return brokers


def add_catalogue(parser: argparse.ArgumentParser) -> None:
    """`--catalogue DIR`, read as `arguments.catalogue`."""
    parser.add_argument(
        "--catalogue",
        type=Path,
        default=Path("seeds"),
        metavar="DIR",
        help="inventory, missions and rules (default: seeds)",
    )


def add_port(parser: argparse.ArgumentParser) -> None:
    """`--port N`, read as `arguments.port`."""
    parser.add_argument(
        "--port", type=port, default=8080, help="the listeners' port (default: 8080)"
    )


def add_doors(parser: argparse.ArgumentParser) -> None:
    """`--port`, `--console-port` and `--host`: where a process listens."""
    add_port(parser)
    parser.add_argument(
        "--console-port", type=port, default=8081, help="the operations port (default: 8081)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="the listeners' address (default: 127.0.0.1)"
    )


def add_patience(parser: argparse.ArgumentParser, default: int) -> None:
    """`--timeout SECONDS`, for what a running process is asked to do."""
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=float(default),
        metavar="SECONDS",
        help=f"how long to wait for the running process (default: {default})",
    )


def add_console_host(parser: argparse.ArgumentParser) -> None:
    """`--console-host HOST`, read as `arguments.console_host`.

    Not for `up`: its operations port has the console, and is for people of the same machine.
    """
    parser.add_argument(
        "--console-host",
        default="127.0.0.1",
        metavar="HOST",
        help="the operations port's address, for a Prometheus elsewhere; only metrics and health "
        "are there, and no login (default: 127.0.0.1)",
    )


def port(text: str) -> int:
    """A TCP port; 0 lets the system choose."""
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        message = f"expected a port from 0 to 65535; found {text!r}"
        raise argparse.ArgumentTypeError(message)
    return number


def at_least_one(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        message = f"expected a whole number of at least 1; found {text!r}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def seconds(text: str) -> float:
    """A number of seconds, not negative."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        message = f"expected seconds such as 5 or 0.5; found {text!r}"
        raise argparse.ArgumentTypeError(message)
    return number


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """A type of argument: one of these names; suggests the nearest one for any other."""

    def chosen(text: str) -> str:
        if text in names:
            return text
        near = get_close_matches(text, names, n=1, cutoff=0.4)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        message = f"expected one of {', '.join(names)}; found {text!r}.{hint}"
        raise argparse.ArgumentTypeError(message)

    return chosen


topic: Final = one_of(TOPICS)
"""A topic of the catalogue."""


def add_span(parser: argparse.ArgumentParser, which: str) -> None:
    """`--since TIME` and `--until TIME`, for `within`; `which` says what came when."""
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help=f"only {which} from then on, RFC 3339"
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help=f"only {which} before then")


def within(arguments: argparse.Namespace, at: datetime) -> bool:
    """Whether a time is of the span that `--since` and `--until` say."""
    since, until = arguments.since, arguments.until
    return (since is None or at >= since) and (until is None or at < until)


def moment(text: str) -> datetime:
    """A time in RFC 3339, with its zone; given in UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        message = f"expected a time such as 2026-11-20T18:00:00Z; found {text!r}"
        raise argparse.ArgumentTypeError(message)
    return at.astimezone(UTC)
