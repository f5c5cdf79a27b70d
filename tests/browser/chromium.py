"""A headless Chromium, driven by its own protocol over a websocket: no package beside aiohttp."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any

from aiohttp import ClientSession, WSMsgType

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows", "--disable-extensions", "--disable-sync",
    "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE = 60.0


def found() -> str | None:
    """Where Chromium is, if anywhere."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def running(path: str) -> Iterator[str]:
    """Start it; yields the address of its websocket."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | {"HOME": profile},
            start_new_session=True,
        )
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if said := re.search(rb"DevTools listening on (ws://\S+)", line):
                    break
            else:
                message = f"{path} ended with {process.wait()} at its start"
                raise AssertionError(message)
            yield said[1].decode()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stderr.close()


class Chromium:
    """A connection to it; many tabs, each with a session of its own."""

    def __init__(self, wire: Any) -> None:
        self._wire = wire
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.tabs: dict[str, Tab] = {}

    async def read(self) -> None:
        async for message in self._wire:
            if message.type is not WSMsgType.TEXT:
                break
            said = message.json()
            if "id" in said:
                if not (answer := self._waiting.pop(said["id"])).done():
                    answer.set_result(said)
            elif (tab := self.tabs.get(said.get("sessionId", ""))) is not None:
                tab.heard.append((said["method"], said["params"]))
                tab.hears.set()

    async def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        target = {"sessionId": session} if session else {}
        await self._wire.send_json({"id": number, "method": method, "params": params} | target)
        said = await asyncio.wait_for(answer, PATIENCE)
        if "error" in said:
            message = f"{method}: {said['error']}"
            raise AssertionError(message)
        return said["result"]

    async def person(self) -> "Person":
        """Storage of one's own, as in another browser."""
        made = await self.call("Target.createBrowserContext", disposeOnDetach=True)
        return Person(self, made["browserContextId"])


class Person:
    """Somebody with a browser: tabs that share their storage and nothing with other people."""

    def __init__(self, browser: Chromium, context: str) -> None:
        self._browser = browser
        self._context = context

    async def tab(self, address: str | None = None, before: str = "") -> "Tab":
        """Open a tab.

        Args:
            address: Where to go; None stays at the blank page.
            before: A script that runs before those of each page.
        """
        made = await self._browser.call(
            "Target.createTarget",
            url="about:blank",
            browserContextId=self._context,
            newWindow=True,
        )
        attached = await self._browser.call(
            "Target.attachToTarget", targetId=made["targetId"], flatten=True
        )
        tab = Tab(self._browser, attached["sessionId"], made["targetId"])
        self._browser.tabs[attached["sessionId"]] = tab
        for domain in ("Page", "Runtime", "Network", "Log", "Audits"):
            await tab.call(f"{domain}.enable")
        if before:
            await tab.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        if address is not None:
            await tab.go(address)
        return tab


class Tab:
    """One page after another; clicks and keys as the browser's own input events.

    Attributes:
        heard: Every event of its page, network and console, in order.
        hears: Set with each.
    """

    def __init__(self, browser: Chromium, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.hears = asyncio.Event()

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        return await self._browser.call(method, self._session, **params)

    async def run(self, script: str) -> Any:
        """The value of an expression; promises are awaited."""
        said = await self.call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=False,
        )
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression is true."""
        await self.run(
            "new Promise((done) => { const ask = () => "
            f"({condition}) ? done() : setTimeout(ask, 20); ask() }})"
        )

    async def go(self, address: str) -> None:
        said = len(self.heard)
        answer = await self.call("Page.navigate", url=address)
        assert "errorText" not in answer, answer
        await self._loaded(said)

    async def back(self) -> None:
        history = await self.call("Page.getNavigationHistory")
        entry = history["entries"][history["currentIndex"] - 1]
        await self.call("Page.navigateToHistoryEntry", entryId=entry["id"])

    async def _loaded(self, since: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while not any(name == "Page.loadEventFired" for name, _ in self.heard[since:]):
                self.hears.clear()
                await self.hears.wait()

    async def place(self, selector: str) -> tuple[float, float]:
        x, y = await self.run(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
            f"(document.querySelector({selector!r}).getBoundingClientRect())"
        )
        return x, y

    async def click(self, selector: str, times: int = 1) -> None:
        """Press and release the mouse there, the browser counting doubles as it would."""
        x, y = await self.place(selector)
        for number in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                await self.call(
                    "Input.dispatchMouseEvent",
                    type=kind,
                    x=x,
                    y=y,
                    button="left",
                    clickCount=number,
                )

    async def type(self, selector: str, text: str) -> None:
        """Click into a field and write, key by key."""
        await self.click(selector)
        for letter in text:
            await self.call("Input.dispatchKeyEvent", type="keyDown", text=letter, key=letter)
            await self.call("Input.dispatchKeyEvent", type="keyUp", key=letter)

    async def online(self, yes: bool) -> None:
        await self.call(
            "Network.emulateNetworkConditions",
            offline=not yes,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    async def close(self) -> None:
        """As a person does: the page may say its last."""
        await self._browser.call("Target.closeTarget", targetId=self._target)

    def complaints(self) -> list[str]:
        """What the policy of the page blocked, or the browser complained of."""
        blocked = [
            str(params["issue"])
            for name, params in self.heard
            if name == "Audits.issueAdded"
            and params["issue"]["code"] == "ContentSecurityPolicyIssue"
        ]
        logged = [
            params["entry"]["text"]
            for name, params in self.heard
            if name == "Log.entryAdded" and params["entry"]["source"] == "security"
        ]
        return blocked + logged


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Chromium]:
    async with ClientSession() as client, client.ws_connect(address, max_msg_size=0) as wire:
        browser = Chromium(wire)
        reading = asyncio.create_task(browser.read())
        try:
            yield browser
        finally:
            reading.cancel()
