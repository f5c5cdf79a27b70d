"""`touchpoints redrive` as a person types it: what it chooses, and a running `up`."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from listeners.credentials import hashed
from listeners.exchange import Delivery
from listeners.settings import ListenerSettings
from pipeline import bootstrap
from pipeline.cli import redrive
from pipeline.cli.main import main
from pipeline.cli.ordering import carry_out
from pipeline.runtimes.embedded.reader import LogReader
from schemas.codec import decode
from schemas.letters import DeadLetter
from schemas.records import Verdict
from schemas.topics import DEAD_LETTERS, TOUCHPOINTS, VERDICTS
from tests.contracts.places import Place, changed
from tests.contracts.test_redrive import MENDED, refused
from tests.unit.listeners.doors import NOON, Door, page_view
from tests.unit.runtimes.embedded.test_erasing import (
    HERS,
    HIS,
    erased,
    found,
    lived,
    page,
    wired,
)

SEEDS = Path(__file__).resolve().parents[3] / "seeds"
NOW = datetime.now(UTC)  # noqa: TID251  # the command reads the clock, too


@pytest.fixture
def mended(tmp_path: Path) -> list[str]:
    path = tmp_path / "settings.toml"
    path.write_text(MENDED.format(key="0" * 64))
    return ["--settings", str(path)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "data").mkdir()
    return Place(tmp_path / "data")


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        ("--source kiosk", {"t-1", "t-2", "t-3"}),
        ("--source shop", set()),
        ("--reason field_missing", {"t-1", "t-2", "t-3"}),
        ("--reason not_json --reason too_deep", set()),
        ("--since 2026-11-22T13:00:00Z", {"t-2", "t-3"}),
        ("--until 2026-11-22T13:00:00Z", {"t-1"}),
        ("--count 2", {"t-1", "t-2"}),
    ],
)
def test_only_the_letters_that_are_asked_for_are_sent(
    place: Place, mended: list[str], chosen: str, ids: set[str]
) -> None:
    letters = refused(*(page_view(id=f"t-{n}", channel=None) for n in (1, 2, 3)))
    for hours, letter in enumerate(letters):
        place.append(DEAD_LETTERS, changed(letter, received_at=NOON + timedelta(hours=hours)))

    assert main(["redrive", *chosen.split(), *mended, *place.arguments]) == 0

    assert {one.id for one in place.records(TOUCHPOINTS)} == ids


def test_many_letters_are_sent_in_several_goes(place: Place, mended: list[str]) -> None:
    letters = refused(*(page_view(id=f"t-{n}", channel=None) for n in range(1_200)))
    place.append(DEAD_LETTERS, *letters)

    assert main(["redrive", *mended, *place.arguments]) == 0

    assert [one.id for one in place.records(TOUCHPOINTS)] == [f"t-{n}" for n in range(1_200)]


def test_the_process_that_runs_takes_them_and_judges_them(
    tmp_path: Path, mended: list[str]
) -> None:
    lost = {"id": "t-1", "name": "home", "identifiers": {"anonymous_id": "a"}}
    folder = tmp_path / "data"

    async def live() -> int:
        kiosk = {"name": "kiosk", "keys": [hashed("kiosk")]}
        listeners = ListenerSettings(identifier_hash_key="a key of some length", sources=[kiosk])
        running = bootstrap.embedded(folder, SEEDS, listeners)
        async with running.runtime:
            await running.listener.receive(json.dumps(lost).encode(), Delivery(key="kiosk"))
            asked = ["redrive", *mended, "--data", str(folder)]
            code = await asyncio.to_thread(main, asked)
            await asyncio.to_thread(main, [*asked, "--again"])
            await running.runtime.advance(NOW + timedelta(minutes=1))
        return code

    assert asyncio.run(live()) == 0
    with LogReader(folder) as reader:
        verdicts = [decode(one.value, Verdict) for one in reader.read(VERDICTS, 0, 100)]
        letters = [decode(one.value, DeadLetter) for one in reader.read(DEAD_LETTERS, 0, 100)]
    assert [(one.id, one.revision) for one in verdicts] == [("t-1", 1)]
    assert [one.redriven for one in letters] == [None, "accepted"]


@pytest.mark.parametrize("runs", [True, False])
def test_an_erasure_between_reading_letters_and_sending_them_is_not_undone(
    tmp_path: Path,
    mended: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    runs: bool,
) -> None:
    folder = tmp_path / "data"
    lived(folder)
    items = [page("page-of-ann-7", 7, HERS), page("page-of-bob-7", 7, HIS)]
    for item in items:
        del item["channel"]
    asked = ["redrive", "--source", "kiosk", *mended, "--data", str(folder)]

    def erased_first(*arguments: Any) -> Any:
        monkeypatch.setattr(redrive, "carry_out", carry_out)
        erased(folder)
        return carry_out(*arguments)

    async def refuse_then_redrive() -> int:
        running = wired(folder)
        async with running.runtime:
            await running.listener.receive(json.dumps(items).encode(), Delivery(key="kiosk"))
            monkeypatch.setattr(redrive, "carry_out", erased_first)
            return await asyncio.to_thread(main, asked) if runs else 1

    assert asyncio.run(refuse_then_redrive()) == 1
    if not runs:
        assert main(asked) == 1

    assert "a customer was erased since" in capsys.readouterr().err
    assert found(folder) == []
    assert main(asked) == 0
    assert "1 dead letter sent again: 1 touchpoint accepted" in capsys.readouterr().out
    assert found(folder) == []
    assert "page-of-bob-7" in {one.id for one in Place(folder).records(TOUCHPOINTS)}


def test_an_erasure_before_the_letters_are_read_keeps_none_from_being_sent(
    tmp_path: Path, mended: list[str]
) -> None:
    folder = tmp_path / "data"
    lived(folder)
    erased(folder)
    Place(folder).append(DEAD_LETTERS, *refused(page_view(channel=None)))

    assert main(["redrive", "--source", "kiosk", *mended, "--data", str(folder)]) == 0

    assert "t-1" in {one.id for one in Place(folder).records(TOUCHPOINTS)}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--reason field_mising", 'Did you mean "field_missing"?'),
        ("--since yesterday", "expected a time such as"),
        ("--count 0", "at least 1"),
    ],
)
def test_misuse_says_what_was_expected(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as misused:
        main(["redrive", *arguments.split()])

    assert misused.value.code == 2
    assert said in capsys.readouterr().err


def test_without_data_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["redrive", "--data", str(tmp_path / "nowhere")]) == 1
    assert "found no file" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_letters_judged_without_settings_are_said_to_be(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    door = Door()  # open, too
    asyncio.run(door.native(page_view(channel=None), key="kiosk"))
    place.append(DEAD_LETTERS, *door.letters)

    main(["redrive", "--dry-run", *place.arguments])

    assert "no settings name the sources" in capsys.readouterr().err
