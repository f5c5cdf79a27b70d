"""`touchpoints export` as a person types it: where files go, and what it says of misuse."""

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.stitching.ids import customer_of
from schemas.topics import SESSIONS, VERDICTS
from tests.contracts.places import Place
from tests.contracts.test_export import appended, session
from tests.unit.runtimes.embedded.test_erasing import erased, lived, page


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "data").mkdir()
    made = Place(tmp_path / "data")
    appended(made, session("s-1"), session("s-2"))
    return made


def test_three_topics_are_three_files_and_each_is_told(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "folder"

    assert main(["export", "--out", str(out), *place.arguments]) == 0

    names = sorted(path.name for path in out.iterdir())
    assert names == ["journey-outcomes.csv", "sessions.csv", "verdicts.csv"]
    assert f"{out / 'sessions.csv'}: 2 rows\n" in capsys.readouterr().out
    assert (out / "verdicts.csv").read_text().startswith("id,revision,touchpoint,channel")


def test_a_dash_is_stdout(place: Place, capfdbinary: Any) -> None:
    assert main(["export", "--topic", "sessions", "--out", "-", *place.arguments]) == 0

    lines = capfdbinary.readouterr().out.split(b"\r\n")
    assert [line.partition(b",")[0] for line in lines] == [b"session_id", b"s-1", b"s-2", b""]


def test_a_file_that_fails_on_the_way_leaves_the_old_one(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sessions.csv").write_text("mine")
    place.append_values([(SESSIONS, "s-3", b'{"session_id": "s-3", "revision": 1}')])

    assert main(["export", "--out", str(tmp_path), *place.arguments]) == 1

    assert "expected a Session" in capsys.readouterr().err
    assert (tmp_path / "sessions.csv").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".new"] == []


def test_what_moved_to_a_customer_who_is_erased_is_on_no_topic_under_who_had_it_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tablet = {"anonymous_id": "tablet"}
    lived(tmp_path, [page("hers", 0, {**tablet, "user_id": "user-ann"}), page("moves", 60, tablet)])
    login = page("login", 59, {**tablet, "user_id": "user-bob"}, signals=["identity_only"])
    lived(tmp_path, [login])
    place = Place(tmp_path)
    moved = [one.customer for one in place.records(VERDICTS) if one.id == "moves"]
    assert moved == [customer_of("user_id:user-ann"), customer_of("user_id:user-bob")]

    erased(tmp_path, "user_id:user-bob")

    capsys.readouterr()
    tail = ["tail", VERDICTS, "--from-start", "--timeout", "0"]
    assert main([*tail, *place.arguments]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["hers"]
    assert main(["export", "--out", str(tmp_path / "out"), *place.arguments]) == 0
    rows = (tmp_path / "out" / "verdicts.csv").read_text().splitlines()[1:]
    assert [row.partition(",")[0] for row in rows] == ["hers"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--out -", "expected one --topic with --out -; found sessions, journey-outcomes"),
        ("--out {file}", "--out: expected a folder; found a file"),
    ],
)
def test_misuse_says_what_was_expected(
    place: Place, tmp_path: Path, arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")

    asked = arguments.format(file=tmp_path / "file").split()

    assert main(["export", *asked, *place.arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_topic_on_which_stages_talk_is_not_exported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as misused:
        main(["export", "--topic", "votes"])

    assert misused.value.code == 2
    assert "expected one of sessions, journey-outcomes, verdicts" in capsys.readouterr().err


def test_without_the_extra_parquet_says_how_to_get_it(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "pipeline.exporting.parquet_file":
            raise ModuleNotFoundError(name="pyarrow")
        return found(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)

    assert main(["export", "--format", "parquet", *place.arguments]) == 2
    assert "expected pyarrow" in capsys.readouterr().err


def test_without_data_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"

    assert main(["export", "--out", str(out), "--data", str(tmp_path / "nowhere")]) == 1

    assert "found no file" in capsys.readouterr().err
    assert not out.exists()
