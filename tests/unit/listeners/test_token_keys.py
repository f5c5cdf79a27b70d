"""The keys that tokens are signed with: when they are read, and who waits for it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from listeners.errors import Reason, Unauthorised, Unavailable
from listeners.settings import is_safe
from tests.unit.listeners.test_tokens import (
    NOW,
    OTHER,
    OWN,
    Connector,
    public,
    receive,
    token,
)


async def until(true: Callable[[], object]) -> None:
    for _ in range(2_000):
        if true():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it did not come to that")


async def test_a_new_key_is_fetched_and_invented_ones_make_no_traffic() -> None:
    connector = Connector()
    async with connector.door() as door:
        await receive(door, token())
        connector.keys = [public(OTHER, "k-2")]
        door.later(seconds=61)
        await receive(door, token(OTHER, named="k-2"))
        assert connector.asked == 2
        for number in range(20):
            with pytest.raises(Unauthorised):
                await receive(door, token(OTHER, named=f"invented-{number}"))
        with pytest.raises(Unauthorised):  # It is no longer in the list.
            await receive(door, token())

    assert connector.asked == 2
    assert len(door.touchpoints) == 2


async def test_without_keys_nothing_is_taken_and_the_sender_comes_again() -> None:
    connector = Connector()
    connector.status = 500
    async with connector.door() as door:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await receive(door, token())
        assert connector.asked == 1
        connector.status = 200
        door.later(seconds=61)
        await receive(door, token())
        connector.status = 500
        door.later(hours=25)
        await receive(door, token(exp=NOW + 10**6))  # An old list is better than none.
        await until(lambda: connector.asked == 3)

    assert len(door.touchpoints) == 2


async def test_a_known_key_does_not_wait_while_its_list_is_read_anew() -> None:
    connector, lasting = Connector(), token(exp=NOW + 10**6)
    async with connector.door() as door:
        await receive(door, lasting)
        connector.answers.clear()
        connector.keys = [public(OTHER, "k-2")]
        door.later(hours=25)
        async with asyncio.timeout(5):
            await asyncio.gather(*(receive(door, lasting) for _ in range(10)))
            await until(lambda: connector.asked == 2)
            door.later(seconds=61)  # A reading that takes long is still the only one.
            await receive(door, lasting)
        waiting = asyncio.create_task(receive(door, token(OTHER, named="k-2", exp=NOW + 10**6)))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        connector.answers.set()
        await waiting
        assert connector.asked == 2
        with pytest.raises(Unauthorised):  # The new list is believed from now on.
            await receive(door, lasting)


async def test_who_comes_first_together_waits_for_the_same_reading() -> None:
    connector = Connector()
    async with connector.door() as door:
        await asyncio.gather(*(receive(door, token()) for _ in range(5)))

    assert connector.asked == 1


async def test_a_reading_that_is_under_way_ends_with_the_server() -> None:
    connector = Connector()
    async with connector.door() as door:
        async with door.served():
            await receive(door, token())
            connector.answers.clear()
            door.later(hours=25)
            await receive(door, token(exp=NOW + 10**6))
            await until(lambda: connector.asked == 2)
        left = [one for one in asyncio.all_tasks() if "keys" in one.get_name()]
        connector.answers.set()

    assert left == []


async def test_keys_may_stand_in_a_file(tmp_path: Any) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [public(OWN, "k-1"), {"kty": "EC", "kid": "k-3"}]}))
    async with Connector().door(token_keys=str(path)) as door:
        await receive(door, token())

    assert len(door.touchpoints) == 1


async def test_a_source_whose_keys_cannot_be_read_keeps_no_other_out() -> None:
    lost = {"name": "lost", "signed": "botframework", "app_ids": ["app-9"], "token_keys": "/no/f"}
    async with Connector().door(lost) as door:
        await receive(door, token())
        with pytest.raises(Unavailable):  # It may be for that source: neither yes nor no.
            await receive(door, token(aud="app-9"))
        with pytest.raises(Unauthorised) as refused:
            await receive(door, token(exp=NOW - 301))

    assert [one.source for one in door.touchpoints] == ["bot"]
    assert refused.value.reason == Reason.SIGNATURE_EXPIRED


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://keys.example.com/", True),
        ("http://localhost:8000/keys", True),
        ("http://localhost/keys", True),
        ("http://127.0.0.1:8000/keys", True),
        ("http://[::1]:8000/keys", True),
        ("http://localhost:x@evil.example.com/keys", False),
        ("http://127.0.0.1:80@evil.example.com/keys", False),
        ("http://localhost.example.com/keys", False),
        ("http://[::1", False),
        ("ftp://localhost/keys", False),
    ],
)
def test_plain_http_is_safe_to_this_machine_only(address: str, safe: bool) -> None:
    assert is_safe(address) == safe
