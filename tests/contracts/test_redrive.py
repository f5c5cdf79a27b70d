"""`touchpoints redrive` on both runtimes: what is sent again, what is not, and what is noted."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from listeners.credentials import hashed
from pipeline.cli.main import main
from pipeline.runtimes.failures import dead_letter
from schemas.letters import DeadLetter
from schemas.topics import DEAD_LETTERS, TOUCHPOINTS
from tests.contracts.places import Place, changed
from tests.unit.listeners.doors import NOON, Door, page_view
from tests.unit.runtimes.counting import touchpoint

MENDED = """
identifier_hash_key = "a key of some length"
[[sources]]
name = "kiosk"
keys = ["sha256:{key}"]
channel = "web"
"""


STRICT = MENDED.replace('channel = "web"', "")


@pytest.fixture
def strict(tmp_path: Path) -> list[str]:
    """Settings in which it does not, as its listener had them."""
    path = tmp_path / "strict.toml"
    path.write_text(STRICT.format(key="0" * 64))
    return ["--settings", str(path)]


@pytest.fixture
def mended(tmp_path: Path) -> list[str]:
    """Settings in which the source `kiosk` says its channel."""
    path = tmp_path / "settings.toml"
    path.write_text(MENDED.format(key="0" * 64))
    return ["--settings", str(path)]


def refused(*items: Any) -> list[DeadLetter]:
    """The letters that the listener of the source `kiosk` writes of a body's items."""
    door = Door(sources=[{"name": "kiosk", "keys": [hashed("kiosk")]}])
    asyncio.run(door.native(*items, key="kiosk"))
    return door.letters


def redrive(place: Place, *arguments: str) -> int:
    return main(["redrive", *arguments, *place.arguments])


def test_what_the_settings_now_accept_is_a_touchpoint_as_of_when_it_came(
    place: Place, mended: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    item = page_view(id=None, channel=None, occurred_at=None, identifiers={"email": "A@b.example"})
    place.append(DEAD_LETTERS, *refused(item))

    assert redrive(place, *mended) == 0

    [made] = place.records(TOUCHPOINTS)
    assert (made.channel, made.source, made.name) == ("web", "kiosk", "page_view")
    assert (made.received_at, made.occurred_at) == (NOON, NOON)
    assert made.identifiers["email"] != "a@b.example"
    [_, noted] = place.records(DEAD_LETTERS)
    assert (noted.redriven, noted.content) == ("accepted", b"")
    assert "1 dead letter sent again: 1 touchpoint accepted, 0 refused" in capsys.readouterr().out


def test_what_was_accepted_is_not_sent_again_whoever_asks(
    place: Place, mended: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    place.append(DEAD_LETTERS, *refused(page_view(channel=None)))
    redrive(place, *mended)

    assert redrive(place, "--again", *mended) == 0

    assert len(place.values(TOUCHPOINTS)) == 1
    assert "1 accepted when they were sent before" in capsys.readouterr().out


def test_what_is_refused_again_is_noted_and_sent_once_more_only_when_asked(
    place: Place, strict: list[str], mended: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    place.append(DEAD_LETTERS, *refused(page_view(channel=None)))

    assert redrive(place, *strict) == 1
    assert "expected one of web, app, chatbot, ivr, agent, survey" in capsys.readouterr().err
    letters = place.records(DEAD_LETTERS)
    assert [(one.id, one.redriven) for one in letters] == [
        (letters[0].id, None),
        (letters[0].id, "refused"),
    ]
    assert redrive(place, *strict) == 0
    assert "1 refused again when they were sent before; --again" in capsys.readouterr().out
    assert len(place.values(DEAD_LETTERS)) == 2

    assert redrive(place, "--again", *mended) == 0
    assert len(place.values(TOUCHPOINTS)) == 1


def test_what_a_stage_failed_on_goes_back_as_the_bytes_it_was(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    _, key, value = touchpoint(1)
    letter = dead_letter(value, "stitch", LookupError(), NOON)
    place.append(DEAD_LETTERS, letter)

    assert redrive(place, "--reason", "processing_failed") == 0
    assert place.values(TOUCHPOINTS) == [value]
    place.append(DEAD_LETTERS, letter)  # the stage fails on it once more
    assert redrive(place) == 0

    assert place.values(TOUCHPOINTS) == [value]
    assert "1 refused again when they were sent before" in capsys.readouterr().out
    assert key == "anonymous_id:a"


def test_what_cannot_be_sent_is_counted_by_why(
    place: Place, mended: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    [letter] = refused(page_view(channel=None))
    place.append(
        DEAD_LETTERS,
        changed(letter, id="1", truncated=True),
        changed(letter, id="2", content=b""),
        changed(letter, id="3", reason="too_late", door=None),
    )

    assert redrive(place, *mended) == 0

    said = capsys.readouterr().out
    assert "0 dead letters sent again" in said
    assert "Not sent: 1 cut after 8192 bytes" in said
    assert "Not sent: 1 without content" in said
    assert "Not sent: 1 too late, for which a replay is the way" in said
    assert place.values(TOUCHPOINTS) == []
    assert len(place.values(DEAD_LETTERS)) == 3


def test_a_dry_run_prints_what_replay_reads_and_changes_nothing(
    place: Place, mended: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place.append(DEAD_LETTERS, *refused(page_view(channel=None), page_view(id="t-2", channel=None)))

    assert redrive(place, "--dry-run", *mended) == 0

    said = capfd.readouterr()
    lines = said.out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["t-1", "t-2"]
    assert "2 dead letters would be sent again" in said.err
    assert (len(place.values(DEAD_LETTERS)), place.values(TOUCHPOINTS)) == (2, [])
    (tmp_path / "again.ndjson").write_text(said.out)
    assert main(["replay", str(tmp_path / "again.ndjson"), "--topic", "verdicts"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry", "in-earnest"])
def test_nothing_is_sent_by_another_key_than_the_listeners(
    place: Place, mended: list[str], dry: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    sound = page_view(channel=None)
    foreign = page_view(id="t-2", channel=None, identifiers={"email": "ann@example.com"})
    [by_itself], [letter] = refused(sound), refused(foreign)
    other = changed(letter, door=changed(letter.door, hashed_by="00000000"))
    place.append(DEAD_LETTERS, by_itself, other)

    assert redrive(place, *dry) == 2
    assert redrive(place, *dry, *mended) == 2

    said = capfd.readouterr()
    assert said.out == ""
    assert (
        f"expected the identifier_hash_key of the listener that refused letter {by_itself.id}"
        in (said.err)
    )
    assert f"refused letter {letter.id} (source kiosk, 2026-11-22T12:00:00+00:00)" in said.err
    assert place.values(TOUCHPOINTS) == []
    assert len(place.values(DEAD_LETTERS)) == 2


def test_only_the_letters_that_are_chosen_need_the_key(place: Place, mended: list[str]) -> None:
    [letter] = refused(page_view(channel=None))
    other = changed(letter, id="2", source="shop", door=changed(letter.door, hashed_by="00000000"))
    place.append(DEAD_LETTERS, letter, other)

    assert redrive(place, "--source", "kiosk", *mended) == 0

    assert len(place.values(TOUCHPOINTS)) == 1
