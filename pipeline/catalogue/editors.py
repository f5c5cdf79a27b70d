"""JSON Schemas by which editors complete and check the catalogue's files as they are written.

Written from the models of `tables`, with the meanings of `docs/catalogue.md`, to
`schemas/editors/` by `python -m pipeline.catalogue.editors` (`make contracts`); `--check` writes
nothing and says what has drifted. What the files say about one another no schema can tell:
that stays with `touchpoints check`.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import TimedeltaSchema

from pipeline.catalogue.documents import Table
from pipeline.catalogue.durations import PATTERN
from pipeline.catalogue.norms import NormsFile
from pipeline.catalogue.tables import InventoryFile, MissionFile, RulesFile
from schemas import generated

REPOSITORY: Final = Path(__file__).resolve().parents[2]
"""Where `docs/catalogue.md` and `schemas/editors/` are found."""

FOLDER: Final = Path("schemas/editors")

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""The newest that the usual TOML editors read."""

FILES: Final[dict[str, type[Table]]] = {
    "inventory.schema.json": InventoryFile,
    "mission.schema.json": MissionFile,
    "rules.schema.json": RulesFile,
    "norms.schema.json": NormsFile,
}
"""Each schema, and the model of the file it is for."""

HEADINGS: Final = {
    "TouchpointTable": "inventory.toml: `[[touchpoint]]`",
    "SignTable": "`recognise`",
    "MissionFile": "missions/*.toml",
    "ObjectivesTable": "`objectives`",
    "PhaseTable": "`[[phase]]`",
    "ExampleTable": "`[[example]]`",
    "SessionTable": "`[sessions.web]`, and so on for each channel",
    "SourceSessionTable": "`[[sessions.source]]`",
    "IdentityTable": "`[identity]`",
    "VerdictsTable": "`[verdicts]`",
    "MissionVerdictsTable": "`[verdicts]`",
    "StepTable": "`[[step]]`",
    "MenuTable": "`[[menu]]`",
    "AlertsTable": "`[alerts]`",
    "RevisionsTable": "`[revisions]`",
    "SourcesTable": "`[sources]`",
    "SegmentsTable": "`[segments]`",
}
"""Under which heading of the reference the keys of a table are described; of the tables of
`rules.toml` that stand for themselves it is their own name, `[alerts]`."""


class _Generator(GenerateJsonSchema):
    """Durations as people write them, where pydantic would ask for ISO 8601."""

    def timedelta_schema(self, schema: TimedeltaSchema) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^{PATTERN}$", "minLength": 2}


def schema_of(model: type[Table], name: str, reference: str) -> dict[str, Any]:
    """A file's JSON Schema.

    Args:
        model: The file's.
        name: The schema's file name.
        reference: The text of `docs/catalogue.md`.
    """
    made = model.model_json_schema(
        schema_generator=_Generator, ref_template="#/definitions/{model}", mode="validation"
    )
    parts = made.pop("$defs", {})
    for table, part in {model.__name__: made, **parts}.items():
        own = f"`[{table.removesuffix('Table').lower()}]`"
        meanings = meanings_under(HEADINGS.get(table, own), reference)
        for key, described in part.get("properties", {}).items():
            if key in meanings:
                described["description"] = meanings[key]
    top = _plain(made)
    definitions = {table: _plain(part) for table, part in sorted(parts.items())}
    head = {"$schema": DIALECT, "description": f"Written by `make contracts`: {name}."}
    return {
        **head,
        **{k: v for k, v in top.items() if k != "description"},
        "definitions": definitions,
    }


def meanings_under(heading: str, reference: str) -> dict[str, str]:
    """What the reference says each key means, in the table under a heading; empty without it."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", reference, re.M | re.S)
    meanings: dict[str, str] = {}
    if found is None:
        return meanings
    for keys, value, default, meaning in re.findall(
        r"^\| (`[^|]*) \| ([^|]*) \| ([^|]*) \| (.*) \|$", found[1], re.M
    ):
        text = f"{meaning} Value: {value}; default: {default}.".replace("\\|", "|")
        meanings.update(dict.fromkeys(re.findall(r"`(\w+)`", keys), text))
    return meanings


def _plain(part: Any) -> Any:
    """Without pydantic's titles, and without null, which TOML does not have."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    options = [one for one in part.get("anyOf", ()) if one != {"type": "null"}]
    if len(options) == 1:
        part = {**{k: v for k, v in part.items() if k != "anyOf"}, **options[0]}
    return {
        key: _properties(value) if key == "properties" else _plain(value)
        for key, value in part.items()
        if key != "title" and not (key == "default" and value in (None, [], {}))
    }


def _properties(properties: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in properties.items()}


def everything(repository: Path = REPOSITORY) -> dict[Path, bytes]:
    """Every file this module answers for, by its path below the repository, with its content."""
    reference = (repository / "docs/catalogue.md").read_text(encoding="utf-8")
    return {
        FOLDER / name: (
            json.dumps(schema_of(model, name, reference), indent=2, ensure_ascii=False) + "\n"
        ).encode()
        for name, model in FILES.items()
    }


def drift(repository: Path = REPOSITORY) -> list[str]:
    """What differs on disk from what the models say: one line each; empty when nothing does."""
    return [
        f"{path}: differs from pipeline/catalogue/tables.py or docs/catalogue.md"
        for path, content in everything(repository).items()
        if not (repository / path).exists() or (repository / path).read_bytes() != content
    ]


def main(arguments: Sequence[str]) -> int:
    """Write the schemas, or with `--check` compare only; see `generated.run`."""
    return generated.run(arguments, REPOSITORY, everything, drift)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
