"""What a page costs a browser, by its own account: paint, bytes, shifts of what is in sight."""

from typing import NamedTuple

from tests.browser.chromium import Tab

WATCH = (
    "new PerformanceObserver((list) => { for (const one of list.getEntries()) window.moved ="
    " (window.moved || 0) + one.value; }).observe({type: 'layout-shift', buffered: true});"
)
"""Runs before a page's own scripts."""

ASKED = """(() => {
  const sent = [...performance.getEntriesByType('navigation'),
                ...performance.getEntriesByType('resource')];
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  return [paint ? paint.startTime : -1,
          performance.getEntriesByType('navigation')[0].responseEnd,
          sent.reduce((sum, one) => sum + one.transferSize, 0),
          window.moved || 0];
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


async def cost_of(tab: Tab, address: str) -> Cost:
    """Open a page as somebody who was never here before, and ask what it cost."""
    await tab.call("Network.clearBrowserCache")
    await tab.go(address)
    # Scripts have put times into the viewer's zone, and fonts and styles have come.
    await tab.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 300)))")
    return Cost(*await tab.run(ASKED))
