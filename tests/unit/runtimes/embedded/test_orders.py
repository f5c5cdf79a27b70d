"""Orders to a running process: whoever gave one is told at once, whatever comes of it."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.ordering import OrderRefused
from pipeline.runtimes.embedded.orders import ORDERS_NAME
from pipeline.stitching.ids import customer_of
from tests.integration.serving import eventually
from tests.unit.runtimes.embedded.test_erasing import (
    erased,
    found,
    lived,
    page,
    told,
    verdicts,
    wired,
)

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    lived(made)
    return made


def broken(*_: Any) -> Any:
    message = "of a fault of ours"
    raise LookupError(message)


def test_a_running_process_that_cannot_erase_says_so_at_once_and_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        running = wired(folder)
        async with running.runtime:
            monkeypatch.setattr("pipeline.runtimes.embedded.erasing._Work.tell", broken)
            with pytest.raises(OrderRefused, match="found of a fault of ours"):
                await asyncio.to_thread(erased, folder)
            await told(running, [page("page-of-bob-2", 7, {"anonymous_id": "cookie-of-bob"})])
            monkeypatch.undo()
            receipt = await asyncio.to_thread(erased, folder)
            assert receipt.topics["touchpoints"]["0"].removed == 3

    asyncio.run(run())

    assert list((folder / ORDERS_NAME).iterdir()) == []
    assert verdicts(folder)["page-of-bob-2"].customer == customer_of("user_id:user-bob")


def test_a_disk_that_fails_over_an_order_stops_the_process_once_and_tells_who_waits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        message = "disk I/O error"
        raise sqlite3.OperationalError(message)

    async def run() -> None:
        running = wired(folder)
        async with running.runtime:
            monkeypatch.setattr("pipeline.runtimes.embedded.erasing._Work.tell", failing)
            with pytest.raises(OrderRefused, match="disk I/O error"):
                await asyncio.to_thread(erased, folder)
            await asyncio.to_thread(eventually, lambda: running.runtime.failure is not None)

    asyncio.run(run())

    assert list((folder / ORDERS_NAME).iterdir()) == []


def test_a_halted_pipeline_refuses_an_order_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        running = wired(folder)
        async with running.runtime:
            monkeypatch.setattr(running.runtime._processing, "halted", True)
            with pytest.raises(OrderRefused, match=r"that has halted, .* give the order again"):
                await asyncio.to_thread(erased, folder)

    asyncio.run(run())


def test_an_order_on_a_full_disk_is_refused_and_not_kept_waiting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    def refused(*_: Any) -> Any:
        raise full

    async def run() -> None:
        running = wired(folder)
        async with running.runtime:
            monkeypatch.setattr(running.runtime._processing, "tick", refused)
            monkeypatch.setattr(running.runtime, "_has_space", lambda: False)
            with pytest.raises(OrderRefused, match="room on the disk"):
                await asyncio.to_thread(erased, folder)

    asyncio.run(run())


def test_an_order_whose_process_ends_is_carried_out_by_who_gave_it(folder: Path) -> None:
    """It is killed while it holds the folder, and before it obeys."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from pipeline.runtimes.embedded.lock import FolderLock\n"
        "FolderLock(Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(erased, folder)
        while not any((folder / ORDERS_NAME).glob("order-*")):
            time.sleep(0.01)
        holder.kill()
        holder.wait()
        holder.stdout.close()
        receipt = waiting.result(20)

    assert receipt.topics["touchpoints"]["0"].removed == 3
    assert list((folder / ORDERS_NAME).iterdir()) == []
    assert found(folder) == []
