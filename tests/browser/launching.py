"""Debian's Chromium, driven by Playwright."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

PATIENCE = 60.0
"""Seconds that a page may take on a busy machine."""

FLAGS = ("--disable-dev-shm-usage",)  # containers have 64 MB of it

BLOCKED = ("Content Security Policy", "requires 'Trusted")
"""What the browser says of a page that did what its policy forbids."""


def found() -> str | None:
    """Where Chromium is, if anywhere. Playwright's own is never fetched."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@asynccontextmanager
async def launched(path: str) -> AsyncIterator[Browser]:
    """One browser, without a window and without a sandbox: it sees the tests' own pages alone."""
    async with async_playwright() as driver:
        launching = driver.chromium.launch(
            executable_path=path, args=FLAGS, timeout=PATIENCE * 1000
        )
        async with await launching as browser:
            yield browser


async def somebody(browser: Browser, **traits: str) -> BrowserContext:
    """A person with a storage of their own, who waits as long as a busy machine takes."""
    context = await browser.new_context(**traits)
    context.set_default_timeout(PATIENCE * 1000)
    return context


async def until(page: Page, condition: str) -> None:
    """Wait for what only a script can tell. `wait_for_function` evaluates in the page, which a
    strict policy forbids from its second look on."""
    async with asyncio.timeout(PATIENCE):
        while not await page.evaluate(condition):  # noqa: ASYNC110 - the page's own state
            await asyncio.sleep(0.02)


def said_by(context: BrowserContext) -> list[str]:
    """What the consoles of its pages say from now on, errors that nobody caught included."""
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    context.on("console", note)
    context.on("weberror", lambda fault: said.append(str(fault.error)))
    return said
