"""What each page of the console costs a browser, with the demo's day in it.

    python -m tests.benchmarks.first_paint

A real `touchpoints up`, a day of 400 customers, Debian's Chromium without a cache, three widths.
Targets: first content painted within 1 s, less than 150 KB transferred, nothing moves.
"""

import asyncio
import re
import tempfile
from pathlib import Path

from tests.benchmarks.load.measuring import machine
from tests.browser.budget import Cost, cost_of, newcomer
from tests.browser.launching import found, launched
from tests.console.demo_day import send, whole_day
from tests.integration.serving import Up, eventually, fetch

WIDTHS = (360, 1024, 1920)
PAGES = ("/", "/missions", "/missions/pay-bill", "/touchpoints", "/touchpoints/pay-in-app",
         "/journeys", "/report", "/pipeline")  # fmt: skip


async def measured(path: str, up: Up, pages: list[str]) -> None:
    worst = Cost(0, 0, 0, 0, 0)
    print(f"{'page':44}{'painted':>11}{'answered':>11}{'KB':>8}{'moved':>9}")
    async with launched(path) as browser, newcomer(browser) as tab:
        await cost_of(tab, up.operations + "/", WIDTHS[0])  # the browser's start is no page's cost
        for page in pages:
            costs = [await cost_of(tab, up.operations + page, width) for width in WIDTHS]
            most = Cost(*map(max, zip(*costs, strict=True)))
            worst = Cost(*map(max, zip(worst, most, strict=True)))
            print(told(page, most))
    print(told("the worst of each", worst))


def told(name: str, cost: Cost) -> str:
    return (
        f"{name[:43]:44}{cost.painted:8.0f} ms{cost.answered:8.0f} ms"
        f"{cost.transferred / 1e3:8.0f}{cost.moved:9.4f}"
    )


def main() -> None:
    path = found()
    if path is None:
        print("not measured: no Chromium (apt-get install chromium)")
        return
    print(machine())
    with tempfile.TemporaryDirectory() as folder, Up(Path(folder) / "data") as up:
        eventually(lambda: fetch(up.operations + "/").status == 200)
        asyncio.run(send(up, whole_day()))
        eventually(lambda: b"/incidents/" in fetch(up.operations + "/").body)
        incident = re.search(r"/incidents/[0-9a-f-]+", fetch(up.operations + "/").body.decode())
        assert incident is not None
        story = re.search(r"/journeys/[0-9a-f-]+", fetch(up.operations + incident[0]).body.decode())
        assert story is not None
        asyncio.run(measured(path, up, [*PAGES, incident[0], story[0]]))


if __name__ == "__main__":
    main()
