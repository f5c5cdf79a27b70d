"""`who`, `unlink` and `erase`, as a person types them, on the data of a stopped or running `up`."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from listeners.listener import Delivery
from listeners.settings import ListenerSettings
from pipeline import bootstrap
from pipeline.cli.main import main
from pipeline.runtimes.embedded.reader import LogReader
from pipeline.stitching.ids import customer_of
from schemas.codec import decode
from schemas.records import Verdict
from schemas.topics import VERDICTS

SEEDS = Path(__file__).resolve().parents[3] / "seeds"
NOW = datetime.now(UTC)  # noqa: TID251  # the commands read the clock, too
TUESDAY = NOW - timedelta(hours=3)


def page(minute: int, **identifiers: str) -> dict[str, object]:
    occurred_at = (TUESDAY + timedelta(minutes=minute)).isoformat()
    return {
        **{"id": f"page-{minute}", "channel": "web", "name": "home"},
        **{"identifiers": identifiers, "occurred_at": occurred_at},
    }


def lived(folder: Path, *pages: dict[str, object], meanwhile: tuple[str, ...] = ()) -> int:
    async def live() -> int:
        running = bootstrap.embedded(folder, SEEDS, ListenerSettings())
        async with running.runtime:
            if pages:
                await running.listener.receive(json.dumps(pages).encode(), Delivery("native"))
            await running.runtime.advance(NOW)
            return await asyncio.to_thread(main, meanwhile) if meanwhile else 0

    return asyncio.run(live())


def customers(folder: Path) -> dict[str, str]:
    with LogReader(folder) as reader:
        verdicts = [decode(one.value, Verdict) for one in reader.read(VERDICTS, 0, 1_000)]
    return {one.id: one.customer for one in verdicts}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    lived(
        tmp_path,
        page(0, anonymous_id="tablet", user_id="ann"),
        page(60, anonymous_id="tablet", user_id="bob"),
        page(70, anonymous_id="tablet"),
        page(80, email="Eve@Example.com", user_id="eve"),
    )
    return tmp_path


def asked(folder: Path, *arguments: str) -> tuple[str, ...]:
    return (*arguments, "--data", str(folder), "--catalogue", str(SEEDS))


def test_who_was_this_tablet_then(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then = (TUESDAY + timedelta(minutes=30)).isoformat()

    assert main(asked(folder, "who", "anonymous_id:tablet", "--at", then)) == 0
    earlier = capsys.readouterr().out
    assert main(asked(folder, "who", "anonymous_id:tablet")) == 0
    now = capsys.readouterr().out

    assert f"user_id:ann's: customer {customer_of('user_id:ann')}" in earlier
    assert f"user_id:bob's: customer {customer_of('user_id:bob')}" in now
    assert now.splitlines()[1].startswith("  from the beginning until ")
    assert now.splitlines()[2].endswith(": user_id:bob")


def test_who_tells_of_one_that_always_stood_for_itself(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(folder, "who", "user_id:ann")) == 0

    said = capsys.readouterr().out
    assert f"user_id:ann stood for itself: customer {customer_of('user_id:ann')}." in said
    assert said.count("\n") == 1


def test_who_hashes_a_personal_value_as_the_listeners_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(folder, "who", "email: eve@example.com", "--json")) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["chain"][1:] == ["user_id:eve"]
    assert told["customer"] == customer_of("user_id:eve")
    assert "eve@" not in told["identifier"]


def test_who_says_that_nothing_is_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(asked(folder, "who", "user_id:nobody")) == 1
    assert "Nothing is known of user_id:nobody" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("who", "tablet"), "expected TYPE:VALUE"),
        (("who", "user_id:null"), "names somebody"),
        (("erase", "unlinked_from:x"), "expected TYPE:VALUE"),
        (("unlink", "anonymous_id:tablet"), "--owner to name one; found user_id:ann, user_id:bob"),
        (("unlink", "anonymous_id:tablet", "--owner", "user_id:eve"), "found user_id:eve"),
    ],
)
def test_misuse_says_what_was_expected(
    folder: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(folder, *arguments)) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("running", [True, False])
def test_unlink_hands_back_what_the_device_did(folder: Path, running: bool) -> None:
    order = asked(folder, "unlink", "anonymous_id:tablet", "--owner", "user_id:bob")
    before = customers(folder)["page-70"]

    if running:
        assert lived(folder, meanwhile=order) == 0
    else:
        assert main(order) == 0
        lived(folder)

    assert before == customer_of("user_id:bob")
    assert customers(folder)["page-70"] == customer_of("user_id:ann")
    assert customers(folder)["page-60"] == customer_of("user_id:bob")


def test_a_link_last_shown_a_month_ago_is_not_taken_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lived(tmp_path, page(-31 * 24 * 60, anonymous_id="old", user_id="ann"))

    assert main(asked(tmp_path, "unlink", "anonymous_id:old")) == 2
    assert "shown within 30 days" in capsys.readouterr().err


def test_a_receipt_is_printed_and_verified(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(folder, "erase", "user_id:eve")) == 0
    receipt = folder / "receipt.json"
    receipt.write_text(capsys.readouterr().out)

    assert main(asked(folder, "erase", "--verify", str(receipt))) == 0
    assert "Nothing is left" in capsys.readouterr().out
    receipt.write_text(receipt.read_text().replace('"shared": 0', '"shared": 1'))
    assert main(asked(folder, "erase", "--verify", str(receipt))) == 1
    assert "It was changed" in capsys.readouterr().err


def test_without_data_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(asked(tmp_path, "erase", "user_id:eve")) == 1
    assert "found no file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
