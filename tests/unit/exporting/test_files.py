"""Rows as files, read back: what stood in a record stands in the file, by the same names."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyarrow import parquet

from pipeline.exporting.columns import Nested, columns_of
from pipeline.exporting.csv_file import CsvFile
from pipeline.exporting.parquet_file import ParquetFile
from pipeline.exporting.tables import TABLES
from schemas.codec import decode
from schemas.published import kebab
from schemas.records import Counts, JourneyOutcome, Reason, Record, Verdict

EXAMPLES = Path(__file__).resolve().parents[3] / "schemas" / "examples"
AT = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)

BROKEN = Verdict(
    id="t-1", revision=2, touchpoint="pay-in-app", channel="app", customer="c-1",
    session_id="s-1", journey_id=None, mission="pay-bill", phase=None, step=None,
    verdict="broken", occurred_at=AT,
    reasons=(Reason(rule="hard_signal", value="http_5xx"), Reason(rule="slow", value=4.5)),
)  # fmt: skip
OUTCOME = JourneyOutcome(
    journey_id="j-1", revision=1, mission="=pay-bill", customer="c-1", outcome="completed",
    reason="completing_touchpoint", started_at=AT, ended_at=AT, phases=("pay",),
    microjourney=("view-bill", "pay-in-app"), channels=("app",), effort=6.5,
    verdicts=Counts(functional=2), objectives={"duration_max": True},
)  # fmt: skip


def examples(record: type[Record]) -> list[Any]:
    found = sorted((EXAMPLES / kebab(record)).glob("*.json"))
    return [decode(path.read_bytes(), record) for path in found]


def as_parquet(*records: Record) -> list[dict[str, Any]]:
    stream = io.BytesIO()
    file = ParquetFile(columns_of(type(records[0])), stream)
    file.write(records)
    file.close()
    rows: list[dict[str, Any]] = parquet.read_table(stream).to_pylist(maps_as_pydicts="strict")
    return rows


def as_csv(*records: Record) -> list[dict[str, str]]:
    stream = io.BytesIO()
    file = CsvFile(columns_of(type(records[0])), stream)
    file.write(records)
    file.close()
    return list(csv.DictReader(io.StringIO(stream.getvalue().decode(), newline="")))


def whole(value: Any) -> Any:
    """A record as builtins, defaults and all; raw JSON, and values of any type, as JSON."""
    if isinstance(value, Reason):
        told = value.value
        text = told if isinstance(told, str | None) else json.dumps(told)
        return {"rule": value.rule, "value": text}
    if isinstance(value, Record):
        return {name: whole(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [whole(one) for one in value]
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else value


@pytest.mark.parametrize("topic", TABLES)
def test_parquet_gives_back_every_field_of_every_record_with_its_type(topic: str) -> None:
    records = examples(TABLES[topic].record)

    assert as_parquet(*records) == [whole(record) for record in records]


@pytest.mark.parametrize("topic", TABLES)
def test_csv_has_a_line_a_record_and_a_column_a_field(topic: str) -> None:
    records = examples(TABLES[topic].record)

    rows = as_csv(*records)

    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert tuple(row) == record.__struct_fields__
        for column in columns_of(type(record)):
            value = whole(getattr(record, column.name))
            if value is None:
                assert row[column.name] == ""
            elif isinstance(value, list | dict):
                nested = json.loads(row[column.name])
                assert nested == json.loads(msgspec.json.encode(value))
            elif column.kind == "time":
                assert datetime.fromisoformat(row[column.name]) == value


def test_csv_says_what_is_nested_as_json_and_times_to_the_microsecond() -> None:
    [row] = as_csv(BROKEN)

    assert row["occurred_at"] == "2026-11-22T12:00:00.250000Z"
    assert json.loads(row["reasons"]) == [
        {"rule": "hard_signal", "value": "http_5xx"},
        {"rule": "slow", "value": "4.5"},
    ]
    assert (row["revision"], row["journey_id"], row["moment_of_truth"]) == ("2", "", "false")


def test_no_cell_of_csv_is_a_formula() -> None:
    [row] = as_csv(OUTCOME)

    assert row["mission"] == "'=pay-bill"
    assert row["effort"] == "6.5"


def test_parquet_keeps_lists_maps_and_records() -> None:
    [row] = as_parquet(OUTCOME)

    assert row["microjourney"] == ["view-bill", "pay-in-app"]
    assert row["verdicts"] == {"broken": 0, "functional": 2, "excellent": 0}
    assert row["objectives"] == {"duration_max": True}
    assert (row["mission"], row["ended_at"]) == ("=pay-bill", AT)


def test_groups_of_rows_are_one_file() -> None:
    stream = io.BytesIO()
    file = ParquetFile(columns_of(Verdict), stream)
    for start in range(0, 120_000, 5_000):
        file.write([msgspec.structs.replace(BROKEN, revision=start + n) for n in range(5_000)])
    file.close()

    read = parquet.ParquetFile(stream)

    assert read.num_row_groups == 3
    assert read.read(["revision"])["revision"].to_pylist() == list(range(120_000))


@pytest.mark.parametrize("topic", TABLES)
def test_a_field_of_every_kind_of_record_has_a_column(topic: str) -> None:
    columns = columns_of(TABLES[topic].record)

    assert [column.name for column in columns] == list(TABLES[topic].record.__struct_fields__)
    assert all(column.kind for column in columns)
    assert not any(isinstance(one.kind, Nested) and not one.kind.columns for one in columns)
