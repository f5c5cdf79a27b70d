"""The contracts as others read them: a JSON Schema per record, and `docs/records.md`.

Both are written from `records.py` and `topics.py` by `python -m schemas.published` (`make
contracts`); `--check` writes nothing and says what has drifted. What a record means is decided
there, never in what is written here.
"""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from schemas import generated
from schemas.records import Record
from schemas.topics import TOPICS

REPOSITORY: Final = Path(__file__).resolve().parent.parent
"""Where `schemas/contracts/` and `docs/records.md` are found."""

VERSION: Final = 1
"""The version of every contract; a record that changes incompatibly becomes another record."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

PUBLISHED: Final[tuple[type[Record], ...]] = tuple(
    dict.fromkeys(topic.record for topic in TOPICS.values())
)
"""Every record that is the value of a topic, once, in the order a touchpoint meets them."""


def kebab(record: type[Record]) -> str:
    """A record's name as files carry it: `JourneyOutcome` is `journey-outcome`."""
    letters = ("-" + c.lower() if c.isupper() else c for c in record.__name__)
    return "".join(letters).lstrip("-")


def contract_name(record: type[Record]) -> str:
    """The file name of a record's JSON Schema."""
    return f"{kebab(record)}.v{VERSION}.schema.json"


def contract_of(record: type[Record]) -> dict[str, Any]:
    """A record's JSON Schema, with what its docstrings say of it and of each field."""
    written = msgspec.json.schema(_describable(record))
    definitions = written.pop("$defs")
    nested = {part.__name__: part for part in _parts(record)}
    for name, definition in definitions.items():
        _describe(definition, nested[name])
    top = definitions.pop(record.__name__)
    schema = {"$schema": DIALECT, "$id": contract_name(record), **top}
    return {**schema, "$defs": definitions} if definitions else schema


def _describable(record: type[Record]) -> type[Any]:
    """The record itself; or a twin, where it holds raw JSON, which msgspec cannot describe.

    Raw JSON in a record is always an object that was checked at the door.
    """
    fields = msgspec.structs.fields(record)
    if all(field.type is not msgspec.Raw for field in fields):
        return record
    twin: list[Any] = []
    for field in fields:
        kind = dict[str, Any] if field.type is msgspec.Raw else field.type
        if field.required:
            twin.append((field.name, kind))
        elif field.type is msgspec.Raw:
            twin.append((field.name, kind, msgspec.field(default_factory=dict)))
        elif field.default_factory is not msgspec.NODEFAULT:
            twin.append((field.name, kind, msgspec.field(default_factory=field.default_factory)))
        else:
            twin.append((field.name, kind, field.default))
    return msgspec.defstruct(record.__name__, twin, kw_only=True)


def _parts(record: type[Record]) -> Iterator[type[Record]]:
    """The record, and every record that it holds."""
    yield record
    for field in msgspec.structs.fields(record):
        for kind in (field.type, *get_args(field.type)):
            if isinstance(kind, type) and issubclass(kind, Record):
                yield from _parts(kind)


def _describe(definition: dict[str, Any], record: type[Record]) -> None:
    definition["description"] = summary_of(record)
    meanings = meanings_of(record)
    for field in msgspec.structs.fields(record):
        described = definition["properties"][field.name]
        if field.type is datetime:
            described["format"] = "date-time"
        if field.name in meanings:
            described["description"] = meanings[field.name]


def summary_of(record: type[Record]) -> str:
    """A record's docstring up to its attributes, as one line."""
    text = (record.__doc__ or "").partition("Attributes:")[0]
    return " ".join(text.split())


def meanings_of(record: type[Record]) -> dict[str, str]:
    """What the docstring says of each field, as one line; fields it leaves out are absent.

    What it says of several at once, it says of each.
    """
    meanings: dict[str, str] = {}
    names: list[str] = []
    for line in (record.__doc__ or "").partition("Attributes:")[2].splitlines():
        depth, text = len(line) - len(line.lstrip()), line.strip()
        if depth == 8 and ":" in text:
            named, _, text = (part.strip() for part in text.partition(":"))
            names = named.split(", ")
            meanings |= dict.fromkeys(names, text)
        elif text:
            meanings |= {name: f"{meanings[name]} {text}" for name in names}
    return meanings


def reference() -> str:
    """`docs/records.md`: every topic, every record, every field."""
    lines = [
        "# Records and topics",
        "",
        "<!-- Written by `make contracts` from schemas/records.py and schemas/topics.py. -->",
        "",
        "What crosses a topic, field by field. The same as JSON Schema:",
        "[`schemas/contracts/`](../schemas/contracts/); examples of each:",
        "[`schemas/examples/`](../schemas/examples/). Values are JSON in UTF-8; times are RFC 3339",
        "in UTC; a field that has its default is left out; fields a reader does not know are to be",
        "ignored. Results (sessions, outcomes, alerts) are upserted by id, verdicts by source and",
        "id: the highest revision is the truth.",
        "",
        "| topic | key | record | kept | partitions |",
        "| --- | --- | --- | --- | --- |",
    ]
    for topic in TOPICS.values():
        record = topic.record.__name__
        link = f"[`{record}`](#{record.lower()})"
        kept = " + ".join(topic.cleanup.split(","))
        if topic.retention:
            kept += f", {topic.retention.days} d"
        lines.append(f"| `{topic.name}` | {topic.key} | {link} | {kept} | {topic.partitions} |")
    for part in dict.fromkeys(part for record in PUBLISHED for part in _parts(record)):
        lines += ["", f"## {part.__name__}", "", summary_of(part), ""]
        lines += ["| field | type | default | meaning |", "| --- | --- | --- | --- |"]
        lines += [_row(field, meanings_of(part)) for field in msgspec.structs.fields(part)]
    return "\n".join(lines) + "\n"


def _row(field: FieldInfo, meanings: dict[str, str]) -> str:
    meaning = meanings.get(field.name, "").replace("|", "\\|")
    return f"| `{field.name}` | {_type(field.type)} | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default_factory is not msgspec.NODEFAULT:
        return f"`{msgspec.json.encode(field.default_factory()).decode()}`"
    return f"`{msgspec.json.encode(field.default).decode()}`"


_WORDS: Final[dict[Any, str]] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    bytes: "base64",
    datetime: "time",
    msgspec.Raw: "object",
    NoneType: "null",
}


def _type(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " \\| ".join(f"`{word}`" for word in parts)
    if origin in (Union, UnionType):
        return " or ".join(_type(part) for part in parts)
    if origin is tuple:
        return f"list of {_type(parts[0])}"
    if origin is dict:
        return f"map of {_type(parts[0])} to {_type(parts[1])}"
    if isinstance(kind, type) and issubclass(kind, Record):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    return _WORDS[kind]


def everything() -> dict[Path, bytes]:
    """Every file this module answers for, by its path below the repository, with its content."""
    files = {
        Path("schemas/contracts") / contract_name(record): msgspec.json.format(
            msgspec.json.encode(contract_of(record)), indent=2
        )
        + b"\n"
        for record in PUBLISHED
    }
    return {**files, Path("docs/records.md"): reference().encode()}


def drift(repository: Path = REPOSITORY) -> list[str]:
    """What differs on disk from what the records say: one line each; empty when nothing does."""
    wanted = everything()
    found = [
        f"{path}: differs from the records" if (repository / path).exists() else f"{path}: missing"
        for path, content in wanted.items()
        if not (repository / path).exists() or (repository / path).read_bytes() != content
    ]
    contracts = (repository / "schemas/contracts").glob("*.json")
    strays = {path.relative_to(repository) for path in contracts} - set(wanted)
    return found + [f"{path}: belongs to no record" for path in sorted(strays)]


def main(arguments: Sequence[str]) -> int:
    """Write the contracts, or with `--check` compare only; see `generated.run`."""
    return generated.run(arguments, REPOSITORY, everything, drift)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
