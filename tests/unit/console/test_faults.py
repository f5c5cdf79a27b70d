"""One request that is nonsense, one page that fails: neither is everybody else's trouble."""

import asyncio
import threading
from typing import Any

import pytest

from pipeline.console import access as access_module
from pipeline.console import live as live_module
from pipeline.console.access import Access, Account, Locked
from pipeline.console.live import Live
from pipeline.console.pages import report as report_module
from pipeline.console.pieces import Page, Section
from pipeline.console.rendering import Key, Rendered
from pipeline.console.standing import Standing
from pipeline.passwords import hashed
from pipeline.reporting.markup import element
from tests.unit.console.stores import Kept, everything


async def test_a_stream_of_an_address_that_is_none_is_refused(served):
    client = await served()

    assert (await client.get("/live?page=//[")).status == 404


async def test_a_form_from_an_origin_that_is_none_is_refused(served):
    client = await served()

    answer = await client.post("/journeys", data={}, headers={"Origin": "http://["})

    assert answer.status == 403


def test_wrong_passwords_at_the_same_moment_all_count(cheap, monkeypatch):
    access = Access({"ann": Account("operator", hashed("right"))}, frozenset())
    together = threading.Barrier(access_module.FAILURES_MAX)
    matches = access_module.matches

    def checked(*given):
        together.wait(10)
        return matches(*given)

    monkeypatch.setattr(access_module, "matches", checked)
    asked = [
        threading.Thread(target=access.check, args=("ann", "wrong"))
        for _ in range(access_module.FAILURES_MAX)
    ]
    for one in asked:
        one.start()
    for one in asked:
        one.join()

    with pytest.raises(Locked):
        access.check("ann", "right")


class Pages:
    """Pages that change at every look; one of them cannot be made."""

    def __init__(self) -> None:
        self.seq = 0

    async def look(self) -> bool:
        self.seq += 1
        return True

    async def rendered(self, key: Key) -> Rendered:
        if key.path == "/bad" and self.seq:
            message = "this page cannot be made"
            raise LookupError(message)
        content = element("p", str(self.seq))
        return Rendered(self.seq, Page("", "", (Section("a", content),)), Standing(level="fine"))


async def test_a_page_that_cannot_be_made_keeps_no_other_from_being_renewed(monkeypatch):
    monkeypatch.setattr(live_module, "LOOK_EVERY", 0.01)
    pages: Any = Pages()
    live = Live(pages, "")
    bad, good = (live.follow(Key(path, (), operator=True), 0) for path in ("/bad", "/good"))
    for stream in (bad, good):
        await anext(stream)
    waits = asyncio.create_task(anext(bad))
    news = asyncio.create_task(anext(good))
    await asyncio.sleep(0)
    looking = asyncio.create_task(live.run())

    said = await asyncio.wait_for(news, 10)

    assert b"sections" in said.plain
    for task in (looking, waits):
        task.cancel()
    await asyncio.gather(looking, waits, return_exceptions=True)
    await bad.aclose()
    await good.aclose()


async def test_a_report_that_fails_by_a_fault_of_the_program_says_so(tmp_path, monkeypatch):
    def broken(*_: Any) -> Any:
        message = "of a fault of ours"
        raise LookupError(message)

    monkeypatch.setattr(report_module, "report_of", broken)
    kept = Kept(tmp_path).keep(*everything())

    async with asyncio.timeout(20):
        page = await kept.page("/report")

    assert "No report could be made: LookupError" in page.text
