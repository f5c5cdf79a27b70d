"""How far a long command is: one line on a terminal, rewritten in place; nothing in a pipe."""

import sys
from types import TracebackType
from typing import Final, TextIO

STEP: Final = 1_000
"""How many records pass between two showings."""


class Progress:
    """Shows a count while work goes on; a context manager that clears its line at the end.

    Where results go to the same terminal they are progress enough, and nothing is shown.
    """

    def __init__(self, what: str, *, printing: bool = True, stream: TextIO | None = None) -> None:
        """Begin.

        Args:
            what: What is counted, in the plural.
            printing: Whether the command writes results to stdout as it goes.
            stream: Where to show it; stderr unless told otherwise.
        """
        self._what = what
        self._stream = stream or sys.stderr
        self._shows = self._stream.isatty() and not (printing and sys.stdout.isatty())
        self._shown = ""
        self._count = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._shown:
            self._stream.write("\r" + " " * len(self._shown) + "\r")
            self._stream.flush()

    def advance(self) -> None:
        """One more is done; shown every `STEP`. Cheap enough to be called for each record."""
        self._count += 1
        if self._count % STEP == 0:
            self.at(self._count)

    def at(self, count: int, total: int | None = None) -> None:
        """So many are done, of so many where that is known."""
        if not self._shows:
            return
        of = "" if total is None else f" of {total:,}"
        line = f"{count:,}{of} {self._what}"
        self._stream.write("\r" + line.ljust(len(self._shown)))
        self._stream.flush()
        self._shown = line
