"""What a page costs a browser, by its own account: paint, bytes, shifts of what is in sight."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from playwright.async_api import Browser, Page

from tests.browser.launching import somebody

WATCH = (
    "new PerformanceObserver((list) => { for (const one of list.getEntries()) window.moved ="
    " (window.moved || 0) + one.value; }).observe({type: 'layout-shift', buffered: true});"
)
"""Runs before a page's own scripts."""

ASKED = """(() => {
  const sent = [...performance.getEntriesByType('navigation'),
                ...performance.getEntriesByType('resource')];
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  const {scrollWidth, clientWidth} = document.documentElement;
  return [paint ? paint.startTime : -1,
          performance.getEntriesByType('navigation')[0].responseEnd,
          sent.reduce((sum, one) => sum + one.transferSize, 0),
          window.moved || 0,
          scrollWidth - clientWidth];
})()"""


class Cost(NamedTuple):
    """Of one page that was opened with an empty cache."""

    painted: float
    """Milliseconds until its first content was painted; from when it was asked for."""
    answered: float
    """Milliseconds until the whole of its HTML had come."""
    transferred: int
    """Bytes, with headers, of everything it asked for."""
    moved: float
    """Its cumulative layout shift; nought where nothing moved."""
    over: int
    """By how many pixels it is wider than its window."""


@asynccontextmanager
async def newcomer(browser: Browser) -> AsyncIterator[Page]:
    """A tab of somebody far from UTC, in which what moves is watched."""
    async with await somebody(browser, timezone_id="Asia/Kolkata") as context:
        tab = await context.new_page()
        await tab.add_init_script(WATCH)
        yield tab


async def cost_of(tab: Page, address: str, width: int) -> Cost:
    """Open a page with an empty cache, and ask what it cost."""
    wire = await tab.context.new_cdp_session(tab)  # Playwright has no word for it
    await wire.send("Network.clearBrowserCache")
    await wire.detach()
    await tab.set_viewport_size({"width": width, "height": 900})
    await tab.goto(address)
    # Scripts have put times into the viewer's zone, and fonts and styles have come.
    await tab.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 300)))")
    return Cost(*await tab.evaluate(ASKED))
