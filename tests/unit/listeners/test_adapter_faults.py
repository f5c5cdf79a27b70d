"""An adapter that fails on an item: the fault is ours, and costs that item and no other."""

import json
import logging
from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import ClientSession
from msgspec.structs import replace

from listeners.adapters import native
from listeners.dialects import DIALECTS
from listeners.errors import Unreadable
from listeners.redriving import Redriving
from schemas.codec import decode
from schemas.letters import DeadLetter
from tests.unit.listeners.doors import NOON, Door, page_view, receipts, written

POISON = page_view(id="bad", name="poison")
SENT = "4111111111111111"


@pytest.fixture(params=["adapt", "encode"])
def failing(request, monkeypatch):
    """The native dialect, whose adapter fails on poison, or makes what is no record."""

    def adapt(item, context):
        touchpoint = native.adapt(item, context)
        if touchpoint.name != "poison":
            return touchpoint
        if request.param == "adapt":
            raise TypeError(SENT)
        return replace(touchpoint, name=object())

    adapter = SimpleNamespace(**{**vars(native), "adapt": adapt})
    row = DIALECTS["native"]._replace(adapter=adapter)
    monkeypatch.setitem(cast(dict, DIALECTS), "native", row)
    return monkeypatch


async def test_its_neighbours_are_taken_and_it_is_a_dead_letter(failing):
    door = Door()

    receipt = await door.native(page_view(id="1"), POISON, page_view(id="2"))

    assert [one["status"] for one in receipts(receipt)] == ["accepted", "rejected", "accepted"]
    assert receipts(receipt)[1]["id"] == "bad"
    assert [one.id for one in door.touchpoints] == ["1", "2"]
    [letter] = door.letters
    assert (letter.reason, json.loads(letter.content)) == ("processing_failed", POISON)
    assert letter.found.startswith("TypeError at ")
    assert door.counted("touchpoints_rejected_total", reason="processing_failed") == 1


async def test_it_is_logged_once_as_ours_without_what_was_sent(failing, caplog):
    door = Door()

    receipt = await door.native(POISON, POISON | {"id": "worse"})
    await door.native(POISON, page_view())

    [line] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert line.getMessage().startswith("the adapter of native fails by our fault: TypeError at ")
    assert SENT not in caplog.text
    assert SENT.encode() not in receipt.body()


async def test_over_http_the_others_are_answered_as_taken(failing):
    door = Door()
    body = written([page_view(), POISON])

    async with (
        door.served() as url,
        ClientSession() as client,
        client.post(f"{url}/v1/touchpoints", data=body) as answer,
    ):
        told = answer.status, (await answer.json())["accepted"]

    assert told == (200, 1)


async def test_its_letter_is_sent_again_once_that_is_mended_and_no_sooner(failing):
    door = Door()
    await door.native(POISON, page_view())
    [letter] = door.letters
    redriving = Redriving(door.settings)

    again = redriving.judged(letter, NOON)
    failing.undo()
    mended = redriving.judged(letter, NOON)

    assert [decode(one.value, DeadLetter).redriven for one in again.letters] == ["refused"]
    assert [json.loads(one.value)["id"] for one in mended.touchpoints] == ["bad"]


@pytest.fixture(params=["opened", "unpack"])
def uncut(request, monkeypatch):
    """The native dialect, which fails on a body before there are any items."""

    def fail(*_):
        raise TypeError(SENT)

    row = DIALECTS["native"]
    if request.param == "opened":
        row = row._replace(opened=fail)
    else:
        row = row._replace(adapter=SimpleNamespace(**{**vars(native), "unpack": fail}))
    monkeypatch.setitem(cast(dict, DIALECTS), "native", row)
    return monkeypatch


async def test_a_body_that_cannot_be_cut_by_our_fault_is_refused_and_a_dead_letter(uncut, caplog):
    door = Door()
    body = written(page_view(id="1"))

    async with door.served() as url, ClientSession() as client:
        for _ in range(2):
            async with client.post(f"{url}/v1/touchpoints", data=body) as answer:
                told = answer.status, (await answer.json())["code"], await answer.text()

    assert told[:2] == (400, "processing_failed")
    assert "TypeError at test_adapter_faults.py" in told[2]
    assert {one.id for one in door.letters} == {door.letters[0].id}
    assert (door.letters[0].content, door.letters[0].door.body) == (body, True)
    [line] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert "the adapter of native fails by our fault" in line.getMessage()
    assert SENT not in caplog.text + told[2]


async def test_its_letter_is_sent_again_whole_once_that_is_mended(uncut):
    door = Door()
    with pytest.raises(Unreadable):
        await door.native(page_view(id="1"), page_view(id="2"))
    [letter] = door.letters
    redriving = Redriving(door.settings)

    again = redriving.judged(letter, NOON)
    uncut.undo()
    mended = redriving.judged(letter, NOON)

    assert [decode(one.value, DeadLetter).redriven for one in again.letters] == ["refused"]
    assert [json.loads(one.value)["id"] for one in mended.touchpoints] == ["1", "2"]
