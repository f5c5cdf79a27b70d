"""All SDKs at once, each against two listeners: one that takes everything, one in a bad mood.

The calm one is `touchpoints up`, a process of its own. The moody one answers each key's first
request by 503 although it is durable - an answer lost on the way - and the second by 429, nothing
of it taken; from then on it takes everything.
"""

import asyncio
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from listeners.dialects import DIALECTS
from listeners.errors import Reason, TooFast, Unavailable
from listeners.exchange import Delivery, Receipt
from listeners.listener import Listener
from schemas.topics import TOUCHPOINTS
from tests.browser.launching import launched
from tests.browser.site import LiveDoor
from tests.integration.sdks import packages
from tests.integration.serving import Up, records_of
from tests.unit.listeners.doors import Door

HERE = Path(__file__).parent
PAUSE = timedelta(seconds=1)
PATIENCE = 90.0
"""Seconds within which everything has to have come; generous, since machines may be busy."""

Records = dict[str, list[dict[str, Any]]]
"""Touchpoints by the key they came with, in the order in which they came."""


class Moody(Listener):
    """A listener that is in no state to take what comes first.

    Attributes:
        asked: Requests by key.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.asked: Counter[str] = Counter()

    async def receive(self, body: bytes, delivery: Delivery) -> Receipt:
        dialect = DIALECTS[delivery.dialect]
        text = dialect.opened(body, delivery, 10**7)
        key = delivery.key or dialect.adapter.unpack(text, delivery, self._limits).key or ""
        self.asked[key] += 1
        if self.asked[key] == 2:
            raise TooFast(reason=Reason.TOO_FAST, message="slower, please", retry_after=PAUSE)
        receipt = await super().receive(body, delivery)
        if self.asked[key] == 1:
            raise Unavailable(retry_after=PAUSE, reason="the answer was lost")
        return receipt


class Outcome:
    """What came of it.

    Attributes:
        calm: What `touchpoints up` has.
        moody: What the moody listener has, repeats included.
        asked: How often each key asked the moody one.
        told: What the calm page called its visitor, by key.
        told_moody: What the moody one's did.
        missing: Why an SDK could not be run, by `python`, `node`, `browser` or its name.
        began: Before all of it.
    """

    def __init__(self) -> None:
        self.calm: Records = {}
        self.moody: Records = {}
        self.asked: Counter[str] = Counter()
        self.told: dict[str, Any] = {}
        self.told_moody: dict[str, Any] = {}
        self.missing: dict[str, str] = {}
        self.began = datetime.now(UTC)  # noqa: TID251 - the SDKs' clock, too


def run(folder: Path, wanted: Callable[[Records], bool]) -> Outcome:
    """Run all that can be run; wait until the moody listener has what is wanted."""
    return asyncio.run(_run(folder, wanted))


async def _run(folder: Path, wanted: Callable[[Records], bool]) -> Outcome:
    outcome = Outcome()
    found = await asyncio.to_thread(_found, outcome)
    door = LiveDoor(listener=Moody)  # an SDK that sends late says so by the clock, too
    async with AsyncExitStack() as stack:
        up = await asyncio.to_thread(Up(folder / "calm").start)
        stack.callback(up.stop)
        moody = await stack.enter_async_context(door.served())
        work = [_python(up.url, found), _python(moody, found)]
        if "npm" in found:
            work += [_node(up.url, found), _node(moody, found)]
        if "browser" in found:
            work += [
                _page(up.url, found, outcome.told, leave=True),
                _page(moody, found, outcome.told_moody, until=lambda: wanted(_of(door))),
            ]
        await asyncio.gather(*work)
        outcome.calm = _by_key(records_of(up.data, "touchpoints"))
    outcome.moody = _of(door)
    assert isinstance(door.listener, Moody)
    outcome.asked = door.listener.asked
    return outcome


def _found(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, find in (
        ("pypi", packages.of_pypi),
        ("npm", packages.of_npm),
        ("browser", packages.browser),
    ):
        try:
            found[kind] = find()
        except packages.Missing as why:
            outcome.missing[kind] = str(why)
    if "npm" not in found:
        found.pop("browser", None)
    return found


async def _python(url: str, found: dict[str, Any]) -> None:
    variables = {**os.environ, "PYTHONPATH": str(found.get("pypi", ""))}
    without = [] if "pypi" in found else ["--without=snowplow"]
    await _process([sys.executable, str(HERE / "python_sdks.py"), url, *without], variables)


async def _node(url: str, found: dict[str, Any]) -> None:
    script = str(HERE / "node_sdks.mjs")
    await _process(["node", script, url, str(found["npm"])], dict(os.environ))


async def _process(command: list[str], variables: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, env=variables, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, said.decode()


async def _page(
    url: str,
    found: dict[str, Any],
    told: dict[str, Any],
    *,
    leave: bool = False,
    until: Callable[[], bool] = lambda: True,
) -> None:
    """Open the page in a browser; until it is left, or until what is wanted has come."""
    done, left = asyncio.Event(), asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        told.update(json.loads(await request.text()))
        done.set()
        return web.json_response({})

    async def bye(request: web.Request) -> web.Response:
        left.set()
        return web.Response(text="left")

    async def html(request: web.Request) -> web.FileResponse:
        return web.FileResponse(HERE / "page.html")

    app = web.Application()
    app.add_routes([web.get("/page.html", html), web.post("/done", take), web.get("/left", bye)])
    app.router.add_static("/packages", found["npm"] / "node_modules")
    wired = web.AppRunner(app, access_log=None)
    await wired.setup()
    await web.TCPSite(wired, "127.0.0.1", 0).start()
    where = f"http://127.0.0.1:{wired.addresses[0][1]}/page.html?{url}{'&leave' if leave else ''}"
    async with AsyncExitStack() as stack:
        stack.push_async_callback(wired.cleanup)
        browser = await stack.enter_async_context(launched(found["browser"]))
        page = await browser.new_page()
        with suppress(TimeoutError):  # What is missing, the comparison shows.
            async with asyncio.timeout(PATIENCE):
                await page.goto(where)
                await done.wait()
                if leave:
                    await left.wait()
                    await asyncio.sleep(1.0)  # What a beacon carries comes behind the next page.
                while not until():  # noqa: ASYNC110 - what another process sends
                    await asyncio.sleep(0.1)


def _of(door: Door) -> Records:
    return _by_key([json.loads(one.value) for one in door.publisher.of(TOUCHPOINTS)])


def _by_key(records: list[dict[str, Any]]) -> Records:
    found: Records = defaultdict(list)
    for record in records:
        found[record["source"]].append(record)
    return found
