"""A website with a strict policy, and the listener it tells of its customers."""

import asyncio
import json
import random
import re
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from struct import pack
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page

from schemas.records import Touchpoint
from tests.browser.launching import BLOCKED, said_by, somebody
from tests.unit.listeners.doors import SHOP, Door, properties

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
EMITTER = ROOT / "listeners" / "emitters" / "touchpoints.js"
PATIENCE = 20.0


def picture(side: int = 400) -> bytes:
    """A PNG of noise: what is nearly empty is no "largest contentful paint" to a browser."""
    noise = random.Random(1)
    rows = b"".join(b"\0" + noise.randbytes(side) for _ in range(side))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    head = pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


PICTURE = picture()


class LiveDoor(Door):
    """A listener whose clock goes."""

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - a browser has a clock of its own

    @now.setter
    def now(self, at: datetime) -> None:
        """Not to be set."""


class Site:
    """The website, its listener and one browser.

    Attributes:
        door: The listener; what arrived stands in its publisher.
        options: What stands in the script tag beside the key.
        slow: Seconds after which `/slow` and `/picture.png` answer.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.options = 'data-flush-after="50"'
        self.slow = 4.2
        self.home = self.listener = ""
        self.people: list[BrowserContext] = []
        self.said: list[list[str]] = []
        self.door = Door()

    async def person(self) -> BrowserContext:
        """Somebody whose tabs share their storage, and nothing with other people."""
        person = await somebody(self.browser)
        self.people.append(person)
        self.said.append(said_by(person))
        return person

    async def visit(
        self, path: str = "/shop", before: str = "", who: BrowserContext | None = None
    ) -> Page:
        """Open a tab, in which a script runs before those of each page."""
        tab = await (who or await self.person()).new_page()
        await tab.add_init_script(before)
        await tab.goto(self.home + path)
        return tab

    def complaints(self) -> list[str]:
        """What the policies of the pages blocked."""
        return [
            text for said in self.said for text in said if any(part in text for part in BLOCKED)
        ]

    async def close(self) -> None:
        for person in self.people:
            await person.close()

    # --- What has arrived

    @property
    def arrived(self) -> list[Touchpoint]:
        return self.door.touchpoints

    def named(self, *names: str) -> list[Touchpoint]:
        """Touchpoints of these kinds, whatever an attribute in the page calls them."""
        return [one for one in self.arrived if {one.name, properties(one).get("kind")} & {*names}]

    async def until(self, met: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not met():  # noqa: ASYNC110 - of what arrives, nothing tells
                await asyncio.sleep(0.02)

    async def has(self, name: str, times: int = 1) -> list[Touchpoint]:
        """Wait for touchpoints of a kind."""
        try:
            await self.until(lambda: len(self.named(name)) >= times)
        except TimeoutError:
            message = f"no {name} among {[one.name for one in self.arrived]}"
            raise AssertionError(message) from None
        return self.named(name)

    # --- What is served

    async def page(self, request: web.Request) -> web.Response:
        text = (EXAMPLES / "shop.html").read_text()
        tag = f'src="{self.listener}/emitter.js" {self.options}'
        text = re.sub(r'src="https://\S+/emitter.js"', tag, text)
        if "picture" in request.query:
            text = text.replace("<h1>", '<img src="/picture.png" width="400" height="400"><h1>')
        return web.Response(text=text, content_type="text/html", headers=self.policy())

    def policy(self) -> dict[str, str]:
        """Nothing inline, nothing evaluated, nobody else."""
        return {
            "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'self'; "
            f"img-src 'self'; script-src 'self' {self.listener}; "
            f"connect-src 'self' http://127.0.0.1:1 {self.listener}; "
            "require-trusted-types-for 'script'; trusted-types 'none'",
            "Referrer-Policy": "no-referrer",
        }

    async def script(self, request: web.Request) -> web.Response:
        return web.Response(text=(EXAMPLES / "shop.js").read_text(), content_type="text/javascript")

    async def answer(self, request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query.get("after", 0)))
        return web.Response(status=int(request.match_info["status"]), text="{}")

    async def picture(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.slow)
        return web.Response(body=PICTURE, content_type="image/png")


def told(one: Touchpoint) -> dict[str, Any]:
    return properties(one)


@asynccontextmanager
async def served(browser: Browser, **settings: Any) -> AsyncIterator[Site]:
    """A website whose origin the listener knows; afterwards no page may have a complaint."""
    async with AsyncExitStack() as stack:
        site = Site(browser)
        app = web.Application()
        app.router.add_get("/shop.js", site.script)
        app.router.add_get("/picture.png", site.picture)
        app.router.add_route("*", "/api/{status}", site.answer)
        app.router.add_route("*", "/{page:.*}", site.page)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        door = web.TCPSite(runner, "127.0.0.1", 0)
        await door.start()
        site.home = f"http://127.0.0.1:{runner.addresses[0][1]}"
        settings.setdefault("sources", [SHOP | {"origins": [site.home]}])
        site.door = LiveDoor(**settings)
        site.listener = await stack.enter_async_context(site.door.served())
        stack.push_async_callback(site.close)
        yield site
        assert not site.complaints(), site.complaints()


def raw(site: Site) -> str:
    """All that arrived, as bytes on the topics, in one text."""
    return "\n".join(
        json.dumps(record.value.decode(errors="replace")) for record in site.door.publisher.records
    )
