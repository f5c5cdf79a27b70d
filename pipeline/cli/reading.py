"""Files of NDJSON, line by line, as several commands read them; what is refused is gathered."""

import gc
import gzip
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from listeners.adapters.adapter import Context
from listeners.adapters.native import adapt_replay_line
from pipeline.cli.options import Misuse
from pipeline.cli.progress import Progress
from schemas.errors import ContractViolation
from schemas.records import Touchpoint

REFUSED_SHOWN_MAX: Final = 20
"""Refused lines that are named one by one; the rest are counted."""


def require(names: Sequence[str], holding: str) -> None:
    """Make sure that every file is there.

    Args:
        names: Paths; `-` is standard input.
        holding: What is expected in them, for the message.

    Raises:
        Misuse: One is missing, or is a directory.
    """
    for name in names:
        if name != "-" and (not Path(name).exists() or Path(name).is_dir()):
            message = f"expected a file of NDJSON {holding}; found none at {name}"
            raise Misuse(message)


def lines_of(names: Sequence[str], refused: list[str]) -> Iterator[tuple[str, bytes]]:
    """Every line that is not empty, with its place as `file:line`; gzip is read by its name.

    Args:
        names: Paths; `-` is standard input.
        refused: Takes a sentence for each file that ends too early.
    """
    for name in names:
        number = 0
        try:
            with _opened(name) as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield f"{name}:{number}", line
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            refused.append(f"{name}:{number + 1}: expected gzip, whole and sound; found {error}")


def touchpoints_of(
    names: Sequence[str], context: Context, refused: list[str], progress: Progress
) -> Iterator[Touchpoint]:
    """The touchpoints of the lines; a line that holds none is refused, with its place and why."""
    for place, line in lines_of(names, refused):
        try:
            touchpoint = adapt_replay_line(line, context)
        except ContractViolation as violation:
            refused.append(f"{place}: {violation}")
            continue
        progress.advance()
        yield touchpoint


@contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collection, which would look through all that is kept and find nothing.

    What a replay makes has no cycles, lines that it refuses included; a test holds it to that.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def say(refused: Sequence[str]) -> int:
    """Tell what was refused, on stderr; gives the exit code."""
    for text in refused[:REFUSED_SHOWN_MAX]:
        print(text, file=sys.stderr)
    if len(refused) > REFUSED_SHOWN_MAX:
        print(f"… and {len(refused) - REFUSED_SHOWN_MAX} more lines refused", file=sys.stderr)
    return 1 if refused else 0


def _opened(name: str) -> IO[bytes]:
    if name == "-":
        return sys.stdin.buffer
    if name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(name, "rb"))
    return Path(name).open("rb")
