"""Erasing on the embedded runtime: afterwards no byte of the folder holds what was erased."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from listeners.credentials import hash_identifier
from listeners.listener import Delivery
from listeners.settings import ListenerSettings
from pipeline import bootstrap
from pipeline.cli.ordering import OrderRefused, carry_out
from pipeline.receipts import Receipt, ReceiptInvalid
from pipeline.replay import results_of
from pipeline.runtimes.embedded.database import open_reader, open_writer
from pipeline.runtimes.embedded.log import Log
from pipeline.runtimes.embedded.orders import ORDERS_NAME, Erase
from pipeline.runtimes.embedded.reader import LogReader
from pipeline.runtimes.embedded.traces import traces
from pipeline.runtimes.memory import in_memory
from pipeline.stitching.ids import customer_of
from pipeline.topology import STAGES
from schemas.codec import decode, decode_touchpoint, encode
from schemas.letters import DeadLetter
from schemas.records import IdentityChange, Touchpoint, Verdict
from schemas.topics import DEAD_LETTERS, IDENTITY_CHANGES, TOUCHPOINTS, VERDICTS
from tests.builders import NO_MISSIONS, touchpoint

SEEDS = Path(__file__).resolve().parents[4] / "seeds"
SETTINGS = ListenerSettings(identifier_hash_key="a key of some length")
SEAL = bootstrap.seal(SETTINGS)
START = datetime(2026, 11, 22, 10, tzinfo=UTC)
MAIL = "ann.smith@example.com"
HERS = {"anonymous_id": "cookie-of-ann", "user_id": "user-ann", "email": MAIL}
HIS = {"anonymous_id": "cookie-of-bob", "user_id": "user-bob"}
SECRETS = (
    *("cookie-of-ann", "user-ann", MAIL, "Ann.Smith", "page-of-ann", "diary"),
    hash_identifier(MAIL, SETTINGS.hash_key),
)


def page(
    name: str, minute: int, identifiers: dict[str, str], **fields: object
) -> dict[str, object]:
    occurred_at = (START + timedelta(minutes=minute)).isoformat()
    given = {"id": name, "channel": "web", "name": "home", "identifiers": identifiers}
    return {**given, "occurred_at": occurred_at, **fields}


STORY = [
    page("page-of-ann-0", 0, {"anonymous_id": "cookie-of-ann"}, properties={"note": "diary"}),
    page("page-of-ann-1", 1, HERS, signals=["http_5xx"]),
    page("page-of-bob-0", 2, HIS),
    page("page-of-ann-2", 3, {"anonymous_id": "cookie-of-ann"}),
    page("page-of-bob-1", 4, {"anonymous_id": "cookie-of-bob"}),
    page("page-of-ann-3", 5, {"email": MAIL}, channel="fax"),  # refused: kept in clear
    page("Ann.Smith", 5, {"email": "Ann.Smith@Example.com "}, channel="fax"),
    page("page-of-eve-0", 6, {"user_id": "user-eve"}, channel="fax"),
]


def wired(folder: Path) -> bootstrap.Wired:
    return bootstrap.embedded(folder, SEEDS, SETTINGS, clock=lambda: START + timedelta(minutes=30))


async def told(running: bootstrap.Wired, items: Sequence[dict[str, object]]) -> None:
    await running.listener.receive(json.dumps(items).encode(), Delivery("native"))
    await running.runtime.advance(START + timedelta(minutes=31))


def lived(folder: Path, items: Sequence[dict[str, object]] = STORY) -> None:
    async def live() -> None:
        running = wired(folder)
        async with running.runtime:
            await told(running, items)

    asyncio.run(live())


def erased(folder: Path, identifier: str = "user_id:user-ann", id_: str | None = None) -> Receipt:
    rules = wired(folder / "unused").rules
    order = Erase(id_ or f"order-{identifier[-3:]}", identifier)
    given = carry_out(folder, order, bootstrap.erasing(rules, SETTINGS), 30)
    return msgspec.json.decode(given.done, type=Receipt)


def found(folder: Path, *secrets: str) -> list[str]:
    everything = b"".join(one.read_bytes() for one in folder.rglob("*") if one.is_file())
    with LogReader(folder) as reader:  # the content of dead letters is in base64
        letters = [decode(one.value, DeadLetter) for one in reader.read(DEAD_LETTERS, 0, 1_000)]
    everything += b"".join(one.content for one in letters)
    return [one for one in secrets or SECRETS if one.encode() in everything]


def verdicts(folder: Path) -> dict[str, Verdict]:
    with LogReader(folder) as reader:
        records = [decode(one.value, Verdict) for one in reader.read(VERDICTS, 0, 1_000)]
    return {one.id: one for one in records}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    lived(made)
    return made


def test_before_it_is_erased_everything_is_there(folder: Path) -> None:
    assert found(folder) == list(SECRETS)


@pytest.mark.parametrize("by", ["user_id:user-ann", "anonymous_id:cookie-of-ann"])
def test_no_byte_of_the_folder_holds_what_was_erased(folder: Path, by: str) -> None:
    receipt = erased(folder, by)

    assert found(folder) == []
    assert receipt.topics["touchpoints"]["0"].removed == 3
    assert receipt.topics["dead-letters"]["0"].removed == 2
    assert receipt.states["identify"].removed == 3


def test_what_others_did_stays_as_it_was(folder: Path) -> None:
    before = {name: one for name, one in verdicts(folder).items() if "bob" in name}

    erased(folder)

    assert verdicts(folder) == before
    assert found(folder, "page-of-bob-1", "page-of-eve-0", "user-eve") != []


def test_a_running_process_erases_and_goes_on(folder: Path) -> None:
    async def run() -> None:
        running = wired(folder)
        async with running.runtime:
            receipt = await asyncio.to_thread(erased, folder)
            assert receipt.topics["verdicts"]["0"].removed >= 3
            assert found(folder) == []
            assert list((folder / ORDERS_NAME).iterdir()) == []
            await told(running, [page("page-of-bob-2", 7, {"anonymous_id": "cookie-of-bob"})])

    asyncio.run(run())

    assert found(folder) == []
    assert verdicts(folder)["page-of-bob-2"].customer == customer_of("user_id:user-bob")


@pytest.fixture
def reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """Somebody amid reading, for whom the write-ahead log has to stay."""
    monkeypatch.setattr("pipeline.runtimes.embedded.erasing.CHECKPOINT_TRIES", 2)
    connection = open_reader(folder)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM chunks").fetchone()
    yield connection
    connection.close()


@pytest.mark.parametrize("again", ["order-1", "order-2"])
def test_an_erasure_that_a_reader_kept_from_finishing_tells_all_it_did_when_asked_again(
    folder: Path, tmp_path: Path, reading: sqlite3.Connection, again: str
) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    at_once = erased(tmp_path / "copy")
    with pytest.raises(OrderRefused, match=r"somebody who reads .* erase again"):
        erased(folder, id_="order-1")
    assert found(folder) != []

    reading.execute("COMMIT")
    receipt = erased(folder, id_=again)

    assert found(folder) == []
    assert receipt.identifiers == at_once.identifiers
    assert receipt.customers == at_once.customers
    assert receipt.states["identify"].removed == at_once.states["identify"].removed
    for topic, done in at_once.topics.items():
        if topic != IDENTITY_CHANGES:  # says once more that they were erased
            assert receipt.topics[topic] == done
    assert SEAL.opened(msgspec.json.encode(receipt)) == receipt


def test_an_order_that_is_obeyed_again_after_a_crash_has_the_same_receipt(folder: Path) -> None:
    first = erased(folder, id_="order-1")

    assert erased(folder, id_="order-1") == first
    assert erased(folder, id_="order-2").topics["touchpoints"]["0"].removed == 0


def test_a_reader_does_not_stop_a_running_process_that_erases(
    folder: Path, reading: sqlite3.Connection
) -> None:
    async def run() -> None:
        running = wired(folder)
        async with running.runtime:
            with pytest.raises(OrderRefused, match="erase again"):
                await asyncio.to_thread(erased, folder, id_="order-1")
            await told(running, [page("page-of-bob-2", 7, {"anonymous_id": "cookie-of-bob"})])
            assert verdicts(folder)["page-of-bob-2"].customer == customer_of("user_id:user-bob")
            await told(running, [page("new-page", 20, {"anonymous_id": "cookie-of-ann"})])
            anew = customer_of("anonymous_id:cookie-of-ann")
            assert verdicts(folder)["new-page"].customer == anew
            reading.execute("COMMIT")
            receipt = await asyncio.to_thread(erased, folder, id_="order-2")
            assert receipt.topics["touchpoints"]["0"].removed == 3

    asyncio.run(run())

    assert found(folder, *(one for one in SECRETS if one != "cookie-of-ann")) == []


def test_a_restart_and_later_touchpoints_of_the_device_fall_back_to_the_device(
    folder: Path,
) -> None:
    erased(folder)

    lived(folder, [page("new-page", 20, {"anonymous_id": "cookie-of-ann"})])

    assert verdicts(folder)["new-page"].customer == customer_of("anonymous_id:cookie-of-ann")


def test_a_replay_of_the_log_knows_nothing_of_it(folder: Path) -> None:
    erased(folder)
    with LogReader(folder) as reader:
        log = [decode_touchpoint(one.value) for one in reader.read(TOUCHPOINTS, 0, 1_000)]

    lines = b"".join(results_of(log, in_memory(NO_MISSIONS), frozenset({VERDICTS})))

    assert [one.id for one in log] == ["page-of-bob-0", "page-of-bob-1"]
    assert b"-of-ann" not in lines


def test_subscribers_are_told_by_the_derived_id_alone(folder: Path) -> None:
    erased(folder)

    with LogReader(folder) as reader:
        changes = [decode(r.value, IdentityChange) for r in reader.read(IDENTITY_CHANGES, 0, 100)]
    gone = [one for one in changes if one.change == "erased"]
    assert customer_of("user_id:user-ann") in {one.customer for one in gone}
    assert {one.identifier for one in gone} == {None}


def test_a_tablet_that_another_person_uses_too_stays_theirs(tmp_path: Path) -> None:
    tablet = {"anonymous_id": "tablet"}
    story = [
        page("page-of-ann-0", 0, {**tablet, "user_id": "user-ann"}),
        page("page-of-ann-1", 1, tablet),
        page("page-of-bob-0", 10, {**tablet, "user_id": "user-bob"}),
        page("page-of-bob-1", 11, tablet),
    ]
    lived(tmp_path, story)

    receipt = erased(tmp_path)
    lived(
        tmp_path,
        [page("late, hers", 5, tablet), page("late, his", 12, tablet)],
    )

    assert found(tmp_path, "user-ann", "page-of-ann") == []
    assert receipt.shared == 1
    now = {name: one.customer for name, one in verdicts(tmp_path).items()}
    assert now["page-of-bob-1"] == now["late, his"] == customer_of("user_id:user-bob")
    assert now["late, hers"] == customer_of("anonymous_id:tablet")


def test_a_device_that_was_unlinked_from_the_customer_stays_with_all_it_did_since(
    tmp_path: Path,
) -> None:
    wrongly_hers = {"anonymous_id": "cookie-of-bob"}
    lived(tmp_path, [page("page-of-ann-0", 0, {**wrongly_hers, "user_id": "user-ann"})])
    parted = {"anonymous_id": "cookie-of-bob", "unlinked_from": "user_id:user-ann"}
    unlink = msgspec.structs.replace(
        touchpoint("10:05", "identity_only", id="unlink"), identifiers=parted
    )
    _append(tmp_path, [unlink])
    lived(tmp_path, [page("page-of-bob-0", 10, wrongly_hers)])

    receipt = erased(tmp_path)

    assert found(tmp_path, "user-ann", "page-of-ann") == []
    assert (len(receipt.identifiers), receipt.shared) == (1, 1)
    assert found(tmp_path, "cookie-of-bob", "page-of-bob-0") == ["cookie-of-bob", "page-of-bob-0"]
    assert verdicts(tmp_path)["page-of-bob-0"].customer == customer_of("anonymous_id:cookie-of-bob")


def test_whose_is_to_be_erased_has_to_be_said_of_a_shared_device(tmp_path: Path) -> None:
    for number, name in enumerate(("user-ann", "user-bob")):
        lived(tmp_path, [page(name, number, {"anonymous_id": "tablet", "user_id": name})])

    with pytest.raises(OrderRefused, match="user_id:user-ann, user_id:user-bob"):
        erased(tmp_path, "anonymous_id:tablet")
    assert found(tmp_path, "user-ann") == ["user-ann"]


def test_what_waits_to_be_processed_is_erased_and_nothing_is_processed_twice(
    folder: Path,
) -> None:
    waiting = [
        touchpoint("10:20", id="page-of-ann-9", anonymous_id="phone-of-ann", user_id="user-ann"),
        touchpoint("10:21", id="page-of-bob-9", user_id="user-bob"),
        touchpoint("10:22", id="page-of-ann-8", anonymous_id="phone-of-ann"),
    ]
    _append(folder, waiting)

    erased(folder)
    lived(folder, [])

    assert found(folder, *SECRETS, "phone-of-ann") == []
    assert verdicts(folder)["page-of-bob-9"].revision == 1
    with LogReader(folder) as reader:
        assert all(b"page-of-ann" not in one.value for one in reader.read(VERDICTS, 0, 100))


def _append(folder: Path, touchpoints: Sequence[Touchpoint]) -> None:
    connection = open_writer(folder, [stage.name for stage in STAGES])
    log = Log(connection)
    connection.execute("BEGIN IMMEDIATE")
    for one in touchpoints:
        log.append(TOUCHPOINTS, next(iter(one.identifiers.values())), encode(one))
    log.write(START)
    connection.execute("COMMIT")
    connection.close()


def test_a_receipt_names_nobody_and_can_be_verified(folder: Path) -> None:
    receipt = erased(folder)
    text = msgspec.json.encode(receipt)

    assert [one for one in SECRETS if one.encode() in text] == []
    assert SEAL.opened(text) == receipt
    assert _left(folder, receipt) == []


def test_a_receipt_that_was_changed_is_not_believed(folder: Path) -> None:
    receipt = erased(folder)

    for changed in (
        msgspec.structs.replace(receipt, shared=7),
        msgspec.structs.replace(receipt, identifiers=receipt.identifiers[1:]),
        msgspec.structs.replace(receipt, signature="0" * 64),
    ):
        with pytest.raises(ReceiptInvalid):
            SEAL.opened(msgspec.json.encode(changed))
    with pytest.raises(ReceiptInvalid):
        bootstrap.seal(ListenerSettings()).opened(msgspec.json.encode(receipt))


def test_a_copy_from_before_is_found_out_by_the_receipt(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "backup")
    receipt = erased(folder)

    left = " ".join(_left(tmp_path / "backup", receipt))

    for where in ("touchpoints", "links", "verdicts", "sessions", "identify", "stitch"):
        assert where in left


def test_what_came_after_an_erasure_is_new_and_no_trace(folder: Path) -> None:
    receipt = msgspec.structs.replace(erased(folder), erased_at=START + timedelta(minutes=29))

    lived(folder, [page("again", 29, HERS)])

    assert _left(folder, receipt) == []


def _left(folder: Path, receipt: Receipt) -> list[str]:
    connection = open_reader(folder)
    try:
        return traces(connection, receipt, SEAL)
    finally:
        connection.close()


def test_letters_of_devices_too_many_go_with_their_owner_whatever_ids_look_like(folder):
    hers = [{"anonymous_id": f"device-{n}", "user_id": "user-ann"} for n in range(14)]
    lived(folder, [page(f"diary of ann {n}", n, shown) for n, shown in enumerate(hers)])
    with LogReader(folder) as reader:
        letters = [decode(one.value, DeadLetter) for one in reader.read(DEAD_LETTERS, 0, 100)]
    assert "identifier_cap" in {one.reason for one in letters}

    erased(folder)

    assert found(folder, "diary of ann") == []


def test_no_log_line_says_who_was_erased(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    test_a_running_process_erases_and_goes_on(folder)

    assert "order-ann: erase done" in caplog.text
    said = caplog.text.replace(str(folder), "")
    assert [one for one in SECRETS if one in said] == []
