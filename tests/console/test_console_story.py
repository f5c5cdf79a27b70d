"""The console as people have it: a browser before a real `up`, and a day's demo sent meanwhile."""

import asyncio
import json
import re
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from pipeline.demo.day import day
from tests.browser.chromium import PATIENCE, connected
from tests.integration.serving import Up, eventually, fetch

CUSTOMERS = 400
PAGES = ("/", "/missions", "/missions/pay-bill", "/touchpoints", "/touchpoints/pay-in-app",
         "/journeys", "/report", "/pipeline")  # fmt: skip
WIDTHS = (360, 1024, 1920)
TRANSFER_MAX = 150_000
FIRST_PAINT_MAX = 1_000.0


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with Up(tmp_path_factory.mktemp("console") / "data") as started:
        eventually(lambda: fetch(started.operations + "/").status == 200)
        yield started


@asynccontextmanager
async def tab_of(browser, up, path="/"):
    async with connected(browser) as connection:
        tab = await (await connection.person()).tab()
        await tab.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
        await tab.go(up.operations + path)
        yield tab
        assert tab.complaints() == []
        assert failures(tab) == []


def failures(tab):
    return [params for name, params in tab.heard if name == "Runtime.exceptionThrown"]


async def text(tab, selector="main"):
    return await tab.run(f"document.querySelector({selector!r}).innerText")


async def arrived(tab, condition):
    """Wait for a page that a click or a key leads to: on the way there is none to ask."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(AssertionError):
                if await tab.run(f"document.readyState === 'complete' && ({condition})"):
                    return
            await asyncio.sleep(0.05)


async def typed(tab, words):
    """Into the filter, which may be below what is in sight."""
    await tab.run("document.querySelector('#q').scrollIntoView({block: 'center'})")
    await tab.type("#q", words)


async def press(tab, key, code=0, shift=False):
    given = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
    typed = {"text": "\r"} if key == "Enter" else {}
    await tab.call("Input.dispatchKeyEvent", type="keyDown", **given, **typed)
    await tab.call("Input.dispatchKeyEvent", type="keyUp", **given)


def day_around_its_break():
    """The demo's day in two halves: until its break is under way, and from then on."""
    now = datetime.now(UTC)  # noqa: TID251 - the server's clock, too
    told = day(1, now, CUSTOMERS)
    middle = told.broken.starts_at + (told.broken.ends_at - told.broken.starts_at) / 2
    lines = [json.loads(line) for line in told.lines]
    at = next(n for n, one in enumerate(lines) if one["occurred_at"] > f"{middle:%Y-%m-%dT%H:%M}")
    return lines[:at], lines[at:]


async def send(up, lines):
    for at in range(0, len(lines), 100):
        answer = await asyncio.to_thread(up.post, lines[at : at + 100])
        assert answer.status == 200


async def test_the_break_of_a_day_appears_and_resolves_without_a_reload(browser, up):
    async with tab_of(browser, up) as tab:
        assert "No touchpoint has come in yet." in await text(tab)
        command = await text(tab, "#command-first")
        assert command.startswith(f"curl {up.url}/v1/touchpoints")
        await tab.run("window.loaded = 1")
        before, after = day_around_its_break()

        await send(up, before)
        await tab.until("document.querySelector('.incident.firing')")
        said = await text(tab, "#s-headline")
        await send(up, after)
        await tab.until("document.querySelector('.incident.resolved')")

        assert said.startswith("“Paying my bill in the app” is broken for “I want to pay my bill”.")
        assert await tab.run("window.loaded") == 1
        assert "Paying my bill in the app" in await text(tab, ".incident")
        assert "works again" in await text(tab, ".incident")
        assert await text(tab, "#connection") == "Live"


async def test_every_page_is_found_by_the_navigation_and_says_something(browser, up):
    async with tab_of(browser, up) as tab:
        links = await tab.run(
            "[...document.querySelectorAll('header nav a')].map((a) => a.getAttribute('href'))"
        )
        said = {}
        for path in (*links, "/missions/pay-bill", "/touchpoints/pay-in-app"):
            await tab.go(up.operations + path)
            await tab.until("!document.querySelector('.waiting')")
            said[path] = await text(tab)

    assert links == ["/", "/missions", "/touchpoints", "/journeys", "/report", "/pipeline"]
    assert "Paying my bill in the app" in said["/touchpoints"]
    assert "I want to pay my bill" in said["/missions"]
    assert "The ways they took" in said["/missions/pay-bill"]
    assert "Why it was judged broken" in said["/touchpoints/pay-in-app"]
    assert "Mend “Paying my bill in the app” first" in said["/report"]
    assert "It balances." in said["/pipeline"]


async def test_by_keyboard_alone_one_gets_from_the_incident_to_a_customers_story(browser, up):
    async with tab_of(browser, up) as tab:
        await press(tab, "Tab", 9)
        assert await tab.run("document.activeElement.textContent") == "Skip to the content"
        await press(tab, "Enter", 13)

        async def tab_to(condition):
            for _ in range(60):
                await press(tab, "Tab", 9)
                if await tab.run(f"((at) => {condition})(document.activeElement)"):
                    return
            raise AssertionError(condition)

        async def enter():
            before = await tab.run("location.pathname")
            await press(tab, "Enter", 13)
            await arrived(tab, f"location.pathname !== {before!r}")

        await tab_to("at.closest('.incident') !== null")
        await enter()
        assert "What customers did next" in await text(tab)
        await tab_to("(at.getAttribute('href') || '').startsWith('/journeys/')")
        outlined = await tab.run("getComputedStyle(document.activeElement).outlineStyle")
        await enter()

        assert outlined == "solid"
        assert "What happened, in order" in await text(tab)


async def test_times_are_in_the_viewers_zone(browser, up):
    async with tab_of(browser, up) as tab:
        stated, shown = await tab.run(
            "((t) => [t.dateTime, t.textContent])(document.querySelector('footer time'))"
        )

    hour, minute = map(int, re.search(r"T(\d\d):(\d\d)", stated).groups())
    clock = divmod(hour * 60 + minute + 330, 60)
    assert f"{clock[0] % 24:02}:{clock[1]:02}" in shown
    assert "UTC" not in shown


async def test_a_filter_is_typed_sent_and_in_the_address(browser, up):
    async with tab_of(browser, up) as tab:
        await typed(tab, "shop")
        await press(tab, "Enter", 13)
        await arrived(tab, "location.search.includes('q=shop')")

        rows = await tab.run(
            "[...document.querySelectorAll('.matrix tbody th[scope=row]')].map((h) => h.innerText)"
        )
    assert rows
    assert all("shop" in row for row in rows)


async def test_somebody_who_types_is_not_interrupted_by_what_comes_in(browser, up):
    async with tab_of(browser, up) as tab:
        await typed(tab, "half a wo")
        await tab.run("new Promise((done) => setTimeout(done, 50))")
        up.post([{"channel": "web", "name": "home", "identifiers": {"anonymous_id": "late"}}])
        await tab.run("new Promise((done) => setTimeout(done, 2500))")

        assert await tab.run("document.activeElement.value") == "half a wo"


async def test_no_page_breaks_a_rule_of_accessibility(browser, axe, up):
    async with tab_of(browser, up) as tab:
        incident = await tab.run("document.querySelector('.incident a').getAttribute('href')")
        found = {}
        for path in (*PAGES, incident):
            for width, theme in ((360, "dark"), (1440, "light")):
                await shape(tab, width, theme)
                await tab.go(up.operations + path)
                await tab.until("!document.querySelector('.waiting')")
                # By the browser's own protocol: the page's policy keeps every other script out.
                await tab.run(f"(() => {{ {axe} }})()")
                said = await tab.run(
                    "axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations"
                    ".map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 200))]))"
                )
                if said:
                    found[path, width, theme] = said

    assert found == {}


async def shape(tab, width, theme):
    await tab.call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=900, deviceScaleFactor=1, mobile=False,
    )  # fmt: skip
    await tab.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}]
    )


async def test_no_page_is_wider_than_its_window_or_heavy_or_moves(browser, up):
    moved = (
        "new PerformanceObserver((list) => { for (const one of list.getEntries()) window.moved ="
        " (window.moved || 0) + one.value; }).observe({type: 'layout-shift', buffered: true});"
    )
    async with connected(browser) as connection:
        tab = await (await connection.person()).tab(before=moved)
        for path in PAGES:
            for width in WIDTHS:
                await shape(tab, width, "light")
                await tab.call("Network.clearBrowserCache")
                heard = len(tab.heard)
                await tab.go(up.operations + path)
                over = await tab.run(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                sent = sum(
                    params["encodedDataLength"]
                    for name, params in tab.heard[heard:]
                    if name == "Network.loadingFinished"
                )
                assert over == 0, (path, width)
                assert 0 < sent < TRANSFER_MAX, (path, sent)
                assert (await tab.run("window.moved || 0")) < 0.1, (path, width)


async def test_a_browser_asks_nobody_but_the_console(browser, up):
    async with tab_of(browser, up) as tab:
        for path in PAGES:
            await tab.go(up.operations + path)

        asked = {
            params["request"]["url"]
            for name, params in tab.heard
            if name == "Network.requestWillBeSent"
        }
    assert all(url.startswith(up.operations) for url in asked)
