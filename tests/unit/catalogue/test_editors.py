"""The schemas for editors are those of the models, and say what the reference says."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipeline.catalogue import editors, tables
from pipeline.catalogue.durations import duration_of

ROOT = Path(__file__).parents[3]
SCHEMAS = {
    name: json.loads((ROOT / editors.FOLDER / name).read_text(encoding="utf-8"))
    for name in editors.FILES
}


def objects(name: str) -> dict[str, dict[str, Any]]:
    """Every table of a file that a schema describes, by the name of its model."""
    parts = {editors.FILES[name].__name__: SCHEMAS[name], **SCHEMAS[name]["definitions"]}
    return {table: part for table, part in parts.items() if "properties" in part}


def faults(value: Any, schema: dict[str, Any], name: str, at: str = "$") -> list[str]:
    """What a value has against the part of JSON Schema that these schemas use."""
    if "$ref" in schema:
        target = SCHEMAS[name]["definitions"][schema["$ref"].rpartition("/")[2]]
        return faults(value, target, name, at)
    if "anyOf" in schema:
        return min((faults(value, one, name, at) for one in schema["anyOf"]), key=len)
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    if "pattern" in schema and not re.search(schema["pattern"], str(value)):
        return [f"{at}: {value!r} does not match {schema['pattern']}"]
    if isinstance(value, list):
        items = schema["items"]
        return [f for n, one in enumerate(value) for f in faults(one, items, name, f"{at}[{n}]")]
    if not isinstance(value, dict):
        return []
    known, more = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{at}: no {key}" for key in schema.get("required", ()) if key not in value]
    for key, one in value.items():
        if key in known:
            found += faults(one, known[key], name, f"{at}.{key}")
        elif isinstance(more, dict):
            found += faults(one, more, name, f"{at}.{key}")
        else:
            found.append(f"{at}: unknown {key}")
    return found


def shipped() -> list[Any]:
    paths = sorted((ROOT / "seeds").rglob("*.toml"))
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in paths]


def schema_for(path: Path) -> str:
    kind = "mission" if path.parent.name == "missions" else path.stem
    return f"{kind}.schema.json"


def test_the_schemas_on_disk_are_those_of_the_models():
    assert editors.drift() == []


@pytest.mark.parametrize("path", shipped())
def test_every_shipped_file_is_what_its_schema_asks_for(path):
    name = schema_for(path)

    assert faults(tomllib.loads(path.read_text(encoding="utf-8")), SCHEMAS[name], name) == []


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ('patience = "2h"', 'patience = "2 hours"', "$.patience"),
        ("value = 38.50", "valeu = 38.50", "$: unknown valeu"),
        ('name = "pay-bill"', 'name = "pay bill"', "$.name"),
        ('currency = "EUR"', 'currency = "euro"', "$.currency"),
        ('until = "+3h"', 'until = "3h"', "$.example[1].until"),
        ('outcome = "completed"', 'outcome = "done"', "$.example[0].outcome"),
    ],
)
def test_a_mistake_is_seen_while_it_is_written(right, wrong, fault):
    text = (ROOT / "seeds/missions/pay-bill.toml").read_text(encoding="utf-8")
    spoilt = tomllib.loads(text.replace(right, wrong, 1))

    found = faults(spoilt, SCHEMAS["mission.schema.json"], "mission.schema.json")

    assert [one.startswith(fault) for one in found] == [True]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_table_is_closed_and_every_key_of_it_explained(name):
    for table, part in objects(name).items():
        assert part["additionalProperties"] is False, table
        if table in ("InventoryFile", "RulesFile", "NormsFile", "SessionsTable"):
            continue  # tables of tables, which explain themselves
        for key, described in part["properties"].items():
            assert described.get("description"), f"{table}.{key}"


def test_what_the_reference_says_is_shown_at_the_key():
    shown = SCHEMAS["mission.schema.json"]["properties"]["patience"]["description"]

    assert shown.startswith("The silence after which a journey has ended")


def test_a_duration_matches_where_it_is_read():
    pattern = SCHEMAS["mission.schema.json"]["properties"]["patience"]["pattern"]
    for text in ("30s", "1h30m", "7d", "x", "1m1h", "1.5h", "h"):
        try:
            duration_of(text)
            reads = True
        except ValueError:
            reads = False
        assert bool(re.search(pattern, text)) == reads, text


def test_the_workspace_says_which_schema_is_for_which_file():
    rules = tomllib.loads((ROOT / ".taplo.toml").read_text(encoding="utf-8"))["rule"]

    assert {one["schema"]["path"] for one in rules} == {
        f"{editors.FOLDER.as_posix()}/{name}" for name in SCHEMAS
    }


def test_drift_is_seen_and_told_with_the_remedy(capsys, monkeypatch):
    assert editors.main(["--check"]) == 0
    monkeypatch.setitem(editors.FILES, "mission.schema.json", tables.InventoryFile)

    assert editors.main(["--check"]) == 1
    assert "mission.schema.json: differs from" in capsys.readouterr().err
    assert editors.main(["--fix"]) == 2
