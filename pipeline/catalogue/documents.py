"""One TOML file of the catalogue: what stands in it, where, and whether it has the right shape.

Shape is what a pydantic model says: keys, types, ranges. What the files say about one another is
the work of `checks`.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from pipeline.catalogue.positions import Path as Place
from pipeline.catalogue.positions import Positions
from pipeline.catalogue.suggestions import closest
from pipeline.errors import Problem
from schemas.errors import FOUND_LENGTH_MAX


class Table(BaseModel):
    """A table of a file: no key but those it names, no value but of the type it names."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


M = TypeVar("M", bound=Table)


class Text(NamedTuple):
    """A string of a document, and where it stands."""

    text: str
    file: str
    line: int
    place: Place

    def problem(self, message: str, suggestion: str | None = None) -> Problem:
        """A problem with this string, at its line."""
        return Problem(file=self.file, line=self.line, message=message, suggestion=suggestion)


class Document:
    """A TOML file that could be read.

    Attributes:
        file: Its name, as problems print it.
        content: What `tomllib` read.
    """

    def __init__(self, file: str, text: str) -> None:
        """Read a document.

        Raises:
            tomllib.TOMLDecodeError: It is not TOML.
            RecursionError: It is nested too deeply.
        """
        self.file: Final = file
        self.content: Final[dict[str, Any]] = tomllib.loads(text)
        self._positions: Final = Positions(text)

    def line_of(self, *place: str | int) -> int:
        """The line where a key, an item or a table stands."""
        return self._positions.line_of(place)

    def texts(self, *pattern: str) -> Iterator[Text]:
        """The strings at a place, in the order of the file; what has another type is passed over.

        Args:
            pattern: Keys, with `*` for each item of an array: `"phase", "*", "steps", "*"`.
        """
        for place, value in _found(self.content, pattern, ()):
            if isinstance(value, str):
                yield Text(value, self.file, self.line_of(*place), place)

    def tables(self, *pattern: str) -> Iterator[tuple[Place, dict[str, Any]]]:
        """The tables at a place, as `texts` finds strings."""
        for place, value in _found(self.content, pattern, ()):
            if isinstance(value, dict):
                yield place, value

    def as_model(self, model: type[M]) -> tuple[M | None, list[Problem]]:
        """The document as its model, or None and every way in which it is not."""
        try:
            return model.model_validate(self.content), []
        except ValidationError as invalid:
            return None, [self._problem(error, model) for error in invalid.errors()]

    def _problem(self, error: ErrorDetails, model: type[Table]) -> Problem:
        place, line = error["loc"], self.line_of(*error["loc"])
        key = next((part for part in reversed(place) if isinstance(part, str)), "")
        message, suggestion = f"{key}: {_message(error)}", None
        if error["type"] == "missing":
            message = f'required key "{key}" is missing'
        elif error["type"] == "extra_forbidden":
            keys = _keys_at(model, place[:-1])
            suggestion = closest(key, keys)
            message = f'unknown key "{key}"; expected one of {", ".join(keys)}'
        elif error["type"] == "literal_error":
            suggestion = closest(str(error["input"]), _quoted(error))
        return Problem(file=self.file, line=line, message=message, suggestion=suggestion)


def read(path: Path) -> Document | Problem:
    """Read a file; a problem where it cannot be read or is not TOML."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return Problem(file=str(path), line=line, message="expected text in UTF-8; found other")
    except OSError as error:
        message = f"expected a file that can be read; found: {error.strerror}"
        return Problem(file=str(path), line=None, message=message)
    try:
        return Document(str(path), text)
    except tomllib.TOMLDecodeError as error:
        stated = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error))
        said = stated.group(1) if stated else str(error)
        at = int(stated.group(2)) if stated and stated.group(2) else text.rstrip().count("\n") + 1
        said = said[:1].lower() + said[1:]
        return Problem(file=str(path), line=at, message=f"not valid TOML: {said}")
    except RecursionError:
        return Problem(file=str(path), line=1, message="not readable: nested too deeply")


def _found(value: Any, pattern: tuple[str, ...], place: Place) -> Iterator[tuple[Place, Any]]:
    if not pattern:
        yield place, value
    elif pattern[0] == "*" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _found(item, pattern[1:], (*place, index))
    elif isinstance(value, dict) and pattern[0] in value:
        yield from _found(value[pattern[0]], pattern[1:], (*place, pattern[0]))


# What each of pydantic's kinds of error expected, in the words of a file's author.
_EXPECTED: Final = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "an array",
    "tuple_type": "an array",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "string_too_short": "something; it must not be empty",
    "too_short": "at least one item",
    "finite_number": "a finite number",
}


def _message(error: ErrorDetails) -> str:
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(limits["error"])
    if kind in _EXPECTED:
        expected = _EXPECTED[kind]
    elif kind == "literal_error":
        expected = f"one of {', '.join(_quoted(error))}"
    elif kind in ("greater_than_equal", "greater_than", "less_than_equal", "less_than"):
        name, bound = next((name, bound) for name, bound in limits.items())
        words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
        expected = f"{words[name]} {bound:g}"
    else:
        expected = error["msg"].removeprefix("Input should be ")
    return f"expected {expected}; found {_shown(error['input'])}"


def _quoted(error: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']*)'", error.get("ctx", {})["expected"])


def _shown(value: object) -> str:
    if isinstance(value, str):
        shown = f'"{value}"'
    elif isinstance(value, bool):
        shown = str(value).lower()
    elif isinstance(value, dict):
        shown = "a table"
    elif isinstance(value, list):
        shown = "an array" if value else "an empty array"
    else:
        shown = str(value)
    return shown if len(shown) <= FOUND_LENGTH_MAX else shown[: FOUND_LENGTH_MAX - 1] + "…"


def _keys_at(model: type[BaseModel], place: Place) -> list[str]:
    """The keys that the table at a place may have."""
    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in get_args(annotation))
    return next((found for found in inner if found), None)
