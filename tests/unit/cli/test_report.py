"""`touchpoints report`: what it reads, and what it refuses."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from pipeline.cli.main import main
from pipeline.runtimes.embedded.database import open_writer
from pipeline.runtimes.embedded.log import Log
from schemas.codec import encode
from tests.unit.reporting.reports import gathered, pays

SEEDS = str(Path(__file__).parents[3] / "seeds")
AT = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def line(clock: str, name: str, **more) -> bytes:
    given = {
        "id": f"{clock} {name}",
        "channel": "app",
        "name": name,
        "occurred_at": f"2026-11-20T{clock}:00Z",
        "identifiers": {"user_id": "anna"},
    }
    return json.dumps({**given, **more}).encode() + b"\n"


PAYING = [
    line("10:00", "view-bill"),
    line("10:01", "pay-in-app", signals=["http_5xx"]),
    line("11:00", "rate-payment", channel="survey", rating={"scale": "ces", "value": 2}),
]


def report(capsys, *arguments: str) -> dict:
    assert main(["report", *arguments, "--catalogue", SEEDS, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def replayed(tmp_path, capfdbinary, *options: str) -> Path:
    """The results of `PAYING`, as `replay` prints them."""
    (tmp_path / "touchpoints.jsonl").write_bytes(b"".join(PAYING))
    source = str(tmp_path / "touchpoints.jsonl")
    assert main(["replay", source, "--catalogue", SEEDS, *options]) == 0
    (tmp_path / "results.jsonl").write_bytes(capfdbinary.readouterr().out)
    return tmp_path / "results.jsonl"


def test_touchpoints_are_replayed(tmp_path, capsys):
    (tmp_path / "day.jsonl").write_bytes(b"".join(PAYING))

    found = report(capsys, str(tmp_path / "day.jsonl"))

    assert (found["journeys"], found["frustrated"]) == (1, 1)
    assert found["improve"] == ["pay-in-app"]
    assert [(one["pairs"], one["asked"]) for one in found["effort"]] == [(1, 2.0), (1, 2.0)]


def test_results_of_a_replay_give_the_same_report(tmp_path, capfdbinary):
    results = replayed(tmp_path, capfdbinary)

    of_results = report(capfdbinary, str(results))
    of_touchpoints = report(capfdbinary, str(tmp_path / "touchpoints.jsonl"))

    assert of_results == of_touchpoints


def test_results_are_known_by_their_keys_where_no_topic_is_printed(tmp_path, capfdbinary):
    results = replayed(tmp_path, capfdbinary)
    bare = [json.loads(one) for one in results.read_text().splitlines()]
    for one in bare:
        del one["topic"]
    (tmp_path / "tailed.jsonl").write_text("\n".join(map(json.dumps, bare)))

    assert report(capfdbinary, str(tmp_path / "tailed.jsonl")) == report(capfdbinary, str(results))


def test_only_the_last_revision_counts_whatever_the_order_of_the_lines(tmp_path, capfdbinary):
    results = replayed(tmp_path, capfdbinary)
    backwards = list(reversed(results.read_bytes().splitlines(keepends=True)))
    (tmp_path / "backwards.jsonl.gz").write_bytes(gzip.compress(b"".join(backwards)))

    assert any(b'"revision":2' in one for one in backwards)
    assert report(capfdbinary, str(tmp_path / "backwards.jsonl.gz")) == report(
        capfdbinary, str(results)
    )


def test_without_a_file_the_log_is_read_while_it_is_written(tmp_path, capsys):
    connection = open_writer(tmp_path, ["identify"])
    log = Log(connection)
    told = gathered([*pays("anna"), *pays("ben", "10:00", "http_5xx", until="pay-online")])
    connection.execute("BEGIN IMMEDIATE")
    for verdict in told._verdicts.values():
        log.append("verdicts", "key", encode(verdict))
    for outcome in told._outcomes.values():
        log.append("journey-outcomes", "key", encode(outcome))
        stale = msgspec.structs.replace(outcome, revision=0, outcome="abandoned")
        log.append("journey-outcomes", "key", encode(stale))
    log.write(AT)
    connection.execute("COMMIT")
    log.commit()

    found = report(capsys, "--data", str(tmp_path))
    connection.close()

    assert (found["journeys"], found["completed"]["part"], found["frustrated"]) == (2, 1, 1)


def test_a_folder_without_a_log_is_said_in_one_line(tmp_path, capsys):
    code = main(["report", "--data", str(tmp_path / "nowhere"), "--catalogue", SEEDS])

    assert code == 1
    assert "nowhere" in capsys.readouterr().err


def test_one_mission_alone_is_reported_where_asked(tmp_path, capsys):
    (tmp_path / "day.jsonl").write_bytes(b"".join([*PAYING, line("12:00", "top-up-in-app")]))
    path = str(tmp_path / "day.jsonl")

    assert {one["mission"] for one in report(capsys, path)["missions"]} == {"pay-bill", "top-up"}
    only = report(capsys, path, "--mission", "top-up")
    assert [one["mission"] for one in only["missions"]] == ["top-up"]
    assert (only["mission"], only["interactions"]) == ("top-up", 1)


def test_one_segment_alone_is_reported_where_asked(tmp_path, capsys):
    gold = {"identifiers": {"user_id": "ben"}, "properties": {"segment": "gold"}}
    told = [*PAYING, line("12:00", "view-bill", **gold), line("12:01", "payment-confirmed", **gold)]
    told.append(line("12:05", "nothing-known", identifiers={"user_id": "carl"}))
    (tmp_path / "day.jsonl").write_bytes(b"".join(told))
    path = str(tmp_path / "day.jsonl")

    only = report(capsys, path, "--segment", "gold")

    assert (only["segment"], only["journeys"], only["interactions"]) == ("gold", 1, 2)
    assert (only["completed"]["part"], only["improve"], only["quiet"]) == (1, [], [])
    assert report(capsys, path, "--segment", "silver")["journeys"] == 0
    main(["report", path, "--catalogue", SEEDS, "--segment", "gold"])
    assert "only customers of “gold”" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--segment", "gold"], "expected a catalogue with a property in [segments]; found none"),
        (["--mission", "pay-bil"], 'found "pay-bil". Did you mean "pay-bill"?'),
        (["nowhere.jsonl"], "expected a file of NDJSON results or touchpoints; found none"),
    ],
)
def test_misuse_is_told_with_what_was_expected(arguments, said, capsys, tmp_path):
    (tmp_path / "missions").mkdir()
    for name in ("inventory.toml", "missions/pay-bill.toml"):  # but no rules.toml
        (tmp_path / name).write_bytes((Path(SEEDS) / name).read_bytes())
    assert main(["report", *arguments, "--catalogue", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_a_line_that_is_neither_is_refused_with_its_place_and_the_rest_is_reported(
    tmp_path, capsys
):
    (tmp_path / "day.jsonl").write_bytes(b"".join([*PAYING, b'{"x": 1}\n', b"{\n", b"[]\n"]))

    code = main(["report", str(tmp_path / "day.jsonl"), "--catalogue", SEEDS])

    said = capsys.readouterr()
    assert code == 1
    assert "Mend “Paying my bill in the app” first" in said.out
    assert [text.split(": ")[0][-11:] for text in said.err.splitlines()] == [
        "day.jsonl:4",
        "day.jsonl:5",
        "day.jsonl:6",
    ]


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_the_same_input_gives_the_same_bytes(form, tmp_path, capfdbinary):
    (tmp_path / "day.jsonl").write_bytes(b"".join(PAYING))
    arguments = ["report", str(tmp_path / "day.jsonl"), "--catalogue", SEEDS, "--format", form]

    main(arguments)
    first = capfdbinary.readouterr().out
    main(arguments)

    assert first == capfdbinary.readouterr().out
    assert len(first) > 1000
