"""`touchpoints`: one command a module; errors become a message and an exit code here.

Exit codes: 0 done, 1 failed, 2 used wrongly, 130 interrupted, 141 whoever read our output left.
A traceback is shown only with `TOUCHPOINTS_DEBUG=1`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Final

from listeners.errors import ListenerError
from pipeline.cli.options import Misuse, indented, one_of
from pipeline.errors import PipelineError, SettingsInvalid
from schemas.errors import ContractViolation

COMMANDS: Final[dict[str, str]] = {
    "up": "listeners, pipeline and console in one process",
    "listen": "listeners only, publishing to Kafka",
    "work": "a worker on Kafka, as many as you like",
    "demo": "send a believable day of traffic, with a break in it, to a running `up`",
    "console": "the console only",
    "replay": "NDJSON touchpoints in, NDJSON results out; no server",
    "report": "which touchpoints matter, how they do, what to improve first",
    "backtest": "what another catalogue would change, tried on a log",
    "tail": "follow a topic",
    "who": "whose a device, an e-mail, a number was at a time",
    "unlink": "take back that an identifier belongs to somebody",
    "export": "sessions, outcomes, verdicts to Parquet or CSV",
    "redrive": "dead letters through the listeners again",
    "erase": "forget a customer everywhere, with a receipt",
    "topics": "create, show, check the topics against the catalogue",
    "norms": "measure on a log how long steps and menus usually take",
    "check": "missions and inventory: errors with file, line and a suggestion",
}
"""Every command with its summary; each is a module of this package, loaded only when asked for."""

EXAMPLE: Final = """
touchpoints up                  # then, in another terminal:
touchpoints demo
touchpoints tail journey-outcomes --from-start
"""

FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        arguments: Without the program's name; those of the process where None.

    Returns:
        The exit code. Misuse that argparse finds leaves through `SystemExit(2)`, as does `--help`
        through `SystemExit(0)`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        parsed, unknown = parser_of(given).parse_known_args(given)
        if unknown:
            parsed.misused(f"expected the options above; found {' '.join(unknown)}")
        code: int = parsed.run(parsed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whatever else is flushed on the way out must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (Misuse, PipelineError, ListenerError, ContractViolation, OSError) as error:
        if os.environ.get("TOUCHPOINTS_DEBUG") == "1":
            raise
        print(f"touchpoints: {told(error)}", file=sys.stderr)
        return MISUSED if isinstance(error, Misuse | SettingsInvalid) else FAILED
    return code


def told(error: Exception) -> str:
    """An error as a person reads it: of the system's, the file first and without its number."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def parser_of(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for a command line: complete for the command it names, a list for the others."""
    parser = argparse.ArgumentParser(
        prog="touchpoints",
        description="Tells, live, whether customers get what they came for.",
        epilog=f"example:\n{indented(EXAMPLE)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"touchpoints {metadata.version('touchpoints')}"
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    named = next((word for word in arguments if not word.startswith("-")), None)
    if named is not None and arguments[0] not in ("-h", "--help", "--version"):
        try:
            one_of(COMMANDS)(named)
        except argparse.ArgumentTypeError as error:
            behind = " Options stand behind the command." * arguments[0].startswith("-")
            parser.error(f"{error}{behind}")
    for name, summary in COMMANDS.items():
        if name == named:
            import_module(f"pipeline.cli.{name}").add(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    return parser


if __name__ == "__main__":
    sys.exit(main())
