"""Contracts agree with the records, and every example with both."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schemas import codec
from schemas.published import PUBLISHED, REPOSITORY, contract_name, contract_of, drift, kebab
from schemas.records import Record

EXAMPLES = REPOSITORY / "schemas/examples"
BY_NAME = {kebab(record): record for record in PUBLISHED}


def examples() -> list[Any]:
    paths = sorted(EXAMPLES.rglob("*.json"))
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in paths]


def contract_of_file(path: Path) -> dict[str, Any]:
    name = contract_name(BY_NAME[path.parent.name])
    contract: dict[str, Any] = json.loads((REPOSITORY / "schemas/contracts" / name).read_text())
    return contract


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def faults(value: Any, schema: dict[str, Any], defs: dict[str, Any], at: str = "$") -> list[str]:
    """What a value has against the part of JSON Schema that our contracts use; it is closed here.

    Unlike a reader, it takes no unknown field: an example must show nothing that is not there.
    """
    if "$ref" in schema:
        return faults(value, defs[schema["$ref"].rpartition("/")[2]], defs, at)
    if "anyOf" in schema:
        tries = [faults(value, option, defs, at) for option in schema["anyOf"]]
        return min(tries, key=len)
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    kind = schema.get("type")
    boolean = isinstance(value, bool) and kind in ("integer", "number")
    if kind and (boolean or not isinstance(value, TYPES[kind])):
        return [f"{at}: {value!r} is no {kind}"]
    if schema.get("format") == "date-time" and datetime.fromisoformat(value).tzinfo is None:
        return [f"{at}: {value!r} has no time zone"]
    if isinstance(value, list):
        fixed, rest = schema.get("prefixItems", []), schema.get("items", {})
        if rest is False and len(value) != len(fixed):
            return [f"{at}: expected {len(fixed)} items, found {len(value)}"]
        kinds = [fixed[n] if n < len(fixed) else rest for n in range(len(value))]
        pairs = enumerate(zip(value, kinds, strict=True))
        return [f for n, (part, kind) in pairs for f in faults(part, kind, defs, f"{at}[{n}]")]
    if not isinstance(value, dict):
        return []
    known, rest = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, part in value.items():
        if name in known:
            found += faults(part, known[name], defs, f"{at}.{name}")
        elif isinstance(rest, dict):
            found += faults(part, rest, defs, f"{at}.{name}")
        elif known:
            found.append(f"{at}: {name} is unknown")
    return found


def test_the_contracts_on_disk_are_those_of_the_records():
    assert drift() == []


def test_a_contract_that_differs_is_missing_or_belongs_to_no_record_is_drift(tmp_path):
    contracts = tmp_path / "schemas/contracts"
    contracts.mkdir(parents=True)
    (contracts / "touchpoint.v1.schema.json").write_text("{}")
    (contracts / "fax.v1.schema.json").write_text("{}")

    problems = drift(tmp_path)

    assert "schemas/contracts/touchpoint.v1.schema.json: differs from the records" in problems
    assert "schemas/contracts/session.v1.schema.json: missing" in problems
    assert "schemas/contracts/fax.v1.schema.json: belongs to no record" in problems


@pytest.mark.parametrize("path", examples())
def test_an_example_decodes_and_encodes_to_itself(path):
    record = BY_NAME[path.parent.name]

    again = codec.encode(codec.decode(path.read_bytes(), record))

    assert json.loads(again) == json.loads(path.read_bytes())


@pytest.mark.parametrize("path", examples())
def test_an_example_keeps_its_contract(path):
    contract = contract_of_file(path)

    assert faults(json.loads(path.read_bytes()), contract, contract.get("$defs", {})) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"channel": "fax"}, "$.channel: 'fax' is none of"),
        ({"occurred_at": "2026-11-20T10:00:00"}, "$.occurred_at: '2026-11-20T10:00:00' has no"),
        ({"colour": "red"}, "$: colour is unknown"),
        ({"signals": [1]}, "$.signals[0]: 1 is no string"),
        ({"rating": {"scale": "ces"}}, "value is missing"),
    ],
)
def test_a_contract_refuses_what_the_record_does_not_hold(change, fault):
    path = EXAMPLES / "touchpoint/a-payment-fails-in-the-app.json"
    contract = contract_of_file(path)

    found = faults(json.loads(path.read_bytes()) | change, contract, contract["$defs"])

    assert any(fault in one for one in found), found


@pytest.mark.parametrize("record", PUBLISHED, ids=kebab)
def test_every_record_has_an_example(record: type[Record]):
    assert list((EXAMPLES / kebab(record)).glob("*.json"))


def test_no_example_is_of_a_record_that_does_not_exist():
    assert {path.parent.name for path in EXAMPLES.rglob("*.json")} <= set(BY_NAME)


@pytest.mark.parametrize("record", PUBLISHED, ids=kebab)
def test_every_contract_says_what_it_is(record: type[Record]):
    contract = contract_of(record)

    assert contract["$id"] == contract_name(record)
    assert contract["title"] == record.__name__
    assert contract["description"].endswith(".")
