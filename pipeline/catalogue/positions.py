"""Where a TOML file says what: the line of every table, key and array item.

`tomllib` reads values and forgets places. This scanner keeps the places and does not look at
values: it follows headers, keys, strings, arrays and inline tables of a document that `tomllib`
has accepted, and judges nothing. Errors in the TOML itself are `tomllib`'s to find.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

Path = tuple[str | int, ...]
"""A place in a document as keys and array indices: `("example", 0, "touchpoints", 2)`."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_DOT: Final = re.compile(r"[ \t]*\.[ \t]*")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'  # closing may be preceded by up to two quotes of the text
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]*")


class Positions:
    """The lines of one document's tables, keys and array items, counted from 1."""

    def __init__(self, text: str) -> None:
        """Scan a document that `tomllib` accepts; of any other, as much as can be followed."""
        scan = _Scan(text)
        with suppress(_LostError, RecursionError):  # what was found until then is right
            scan.document()
        self._lines: Final[Mapping[Path, int]] = scan.lines

    def line_of(self, path: Path) -> int:
        """The line where a place stands; the nearest place around it where it is not known."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def __contains__(self, path: Path) -> bool:
        """Whether that very place was found."""
        return path in self._lines


class _LostError(Exception):
    """The text is not what TOML has at this place."""


class _Scan:
    """One walk through a document, from top to bottom."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._breaks = [found.start() for found in re.finditer(r"\n", text)]
        self._tables: dict[Path, int] = {}  # how many tables each array of tables has so far

    def document(self) -> None:
        table: Path = ()
        self._take(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._take(_BLANK)

    def _header(self) -> Path:
        start, double = self._at, self._text.startswith("[[", self._at)
        self._at += 2 if double else 1
        self._take(_BLANK)
        parts = self._key()
        self._take(_BLANK)
        self._expect("]]" if double else "]")
        path = self._resolved((), parts[:-1], start)
        path = (*path, parts[-1])
        if double:
            self._note(path, start)
            self._tables[path] = self._tables.get(path, 0) + 1
            path = (*path, self._tables[path] - 1)
        self.lines.pop(path, None)  # its own header says more than a header below it, seen before
        self._note(path, start)
        return path

    def _pair(self, table: Path) -> None:
        start = self._at
        parts = self._key()
        path = (*self._resolved(table, parts[:-1], start), parts[-1])
        self._note(path, start)
        self._take(_BLANK)
        self._expect("=")
        self._take(_BLANK)
        self._value(path)

    def _value(self, path: Path) -> None:
        first = self._text[self._at : self._at + 1]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif first in ('"', "'"):
            self._take(_STRING)
        else:
            self._take(_SCALAR)

    def _array(self, path: Path) -> None:
        self._expect("[")
        self._take(_BLANK)
        item = 0
        while not self._text.startswith("]", self._at):
            self._note((*path, item), self._at)
            self._value((*path, item))
            self._separated("]")
            item += 1
        self._expect("]")

    def _inline_table(self, path: Path) -> None:
        self._expect("{")
        self._take(_BLANK)
        while not self._text.startswith("}", self._at):
            self._pair(path)
            self._separated("}")
        self._expect("}")

    def _separated(self, end: str) -> None:
        self._take(_BLANK)
        if not self._text.startswith(end, self._at):
            self._expect(",")
            self._take(_BLANK)

    def _key(self) -> list[str]:
        parts = [self._key_part()]
        while _DOT.match(self._text, self._at):
            self._take(_DOT)
            parts.append(self._key_part())
        return parts

    def _key_part(self) -> str:
        if self._text[self._at : self._at + 1] in ('"', "'"):
            return str(tomllib.loads(f"key = {self._take(_STRING)}")["key"])
        return self._take(_BARE_KEY)

    def _resolved(self, table: Path, parts: list[str], start: int) -> Path:
        """The table that such parts name; of an array of tables, the latest."""
        path = table
        for part in parts:
            path = (*path, part)
            if path not in self.lines:
                self._note(path, start)
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        return path

    def _note(self, path: Path, at: int) -> None:
        self.lines.setdefault(path, bisect_right(self._breaks, at) + 1)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _LostError
        self._at = match.end()
        return match.group()

    def _expect(self, token: str) -> None:
        if not self._text.startswith(token, self._at):
            raise _LostError
        self._at += len(token)
