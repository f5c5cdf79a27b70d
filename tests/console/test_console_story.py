"""The console as people have it: a browser before a real `up`, and a day's demo sent meanwhile."""

import asyncio
import os
import re
import signal
import subprocess
from contextlib import asynccontextmanager, suppress

import pytest

from pipeline.cli.main import parser_of
from pipeline.passwords import hashed
from tests.browser.budget import WATCH, cost_of
from tests.browser.chromium import PATIENCE, connected
from tests.console.demo_day import day_around_its_break, send
from tests.integration.serving import Up, eventually, fetch
from tests.integration.test_console import Alone, consoles
from tests.unit.console.asking import PASSWORD

PAGES = ("/", "/missions", "/missions/pay-bill", "/touchpoints", "/touchpoints/pay-in-app",
         "/journeys", "/report", "/pipeline")  # fmt: skip
WIDTHS = (360, 1024, 1920)
TRANSFER_MAX = 150_000
MOVED_MAX = 0.001


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


async def test_the_break_of_a_day_appears_and_resolves_without_a_reload(browser, up):
    async with tab_of(browser, up) as tab:
        assert "No touchpoint has come in yet." in await text(tab)
        command = await text(tab, "#command-first")
        demo = await text(tab, "#command-demo")
        await tab.run("window.loaded = 1")
        ran = await asyncio.to_thread(
            subprocess.run, ["sh", "-c", command], capture_output=True, check=False
        )
        assert ran.returncode == 0, (command, ran.stderr)
        await tab.until("!document.querySelector('.welcome')")
        assert "Nothing is broken." in await text(tab)
        words = demo.split()
        assert words[0] == "touchpoints"
        assert parser_of(words[1:]).parse_args(words[1:]).url == up.url
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


async def test_a_customer_is_found_by_what_is_typed_into_the_search(browser, up):
    up.post([{"channel": "web", "name": "home", "identifiers": {"user_id": "u-typed"}}])
    eventually(lambda: b"Newest" in fetch(up.operations + "/").body)
    async with tab_of(browser, up, "/journeys") as tab:
        await tab.type("#identifier", "user_id:u-typed")
        await press(tab, "Enter", 13)
        await arrived(tab, "location.pathname.startsWith('/journeys/')")
        told = await text(tab)
        await tab.go(up.operations + "/journeys")
        await tab.type("#identifier", "user_id:nobody-at-all")
        await press(tab, "Enter", 13)
        await arrived(tab, "document.querySelector('#problem') !== null")

        assert "What happened, in order" in told
        assert "Nothing is known of it" in await text(tab, "#problem")


async def test_one_logs_in_reads_and_logs_out_with_a_browser(browser, tmp_path):
    users = f'[[console.users]]\nname = "ann"\nrole = "viewer"\npassword = "{hashed(PASSWORD)}"\n'
    (tmp_path / "settings.toml").write_text(users)
    with Alone("--settings", tmp_path / "settings.toml", "--data", tmp_path / "data") as console:
        console.operations = console.operations.replace("127.0.0.1", "localhost")
        async with tab_of(browser, console) as tab:
            assert await tab.run("location.pathname") == "/login"
            for password in ("a wrong one altogether", PASSWORD):
                await tab.type("#name", "ann")
                await tab.type("#password", password)
                await press(tab, "Enter", 13)
                said = "document.querySelector('.problem') !== null"
                await arrived(tab, said if password != PASSWORD else "location.pathname === '/'")
            inside = await tab.run("location.pathname")
            links = await tab.run("document.querySelector('header nav').innerText")
            await tab.go(console.operations + "/journeys")
            denied = await text(tab)
            await tab.click("header form button")
            await arrived(tab, "location.pathname === '/login'")
            await tab.go(console.operations + "/missions")
            outside = await tab.run("location.pathname")

    assert (inside, outside) == ("/", "/login")
    assert "Journeys" not in links
    assert "Single customers are shown to operators only" in denied


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
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    async with connected(browser) as connection:
        tab = await (await connection.person()).tab(before=WATCH)
        await tab.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
        await tab.go(up.operations + "/")
        incident = await tab.run("document.querySelector('.incident a').getAttribute('href')")
        await tab.go(up.operations + incident)
        story = await tab.run("document.querySelector('a[href^=\"/journeys/\"]').pathname")
        for path in (*PAGES, incident, story):
            for width in WIDTHS:
                await shape(tab, width, "light")
                cost = await cost_of(tab, up.operations + path)

                assert await tab.run(over) == 0, (path, width)
                assert 0 < cost.transferred < TRANSFER_MAX, (path, width, cost)
                assert cost.moved < MOVED_MAX, (path, width, cost)


async def test_a_connection_that_is_lost_or_silent_is_said_and_found_again(browser, tmp_path):
    async def turns(tab, state):
        """A console that is started again takes its time, on a busy machine more than a page."""
        async with asyncio.timeout(90):
            asked = "document.querySelector('#connection').className"
            while await tab.run(asked) != state:  # noqa: ASYNC110 - the browser's own state
                await asyncio.sleep(0.1)

    with Up(tmp_path / "data") as up:
        eventually(lambda: fetch(up.operations + "/").status == 200)
        async with tab_of(browser, up) as tab:
            await turns(tab, "live")
            os.kill(consoles(up)[0], signal.SIGKILL)
            await turns(tab, "lost")
            said = await text(tab, "#connection")
            await turns(tab, "live")
            # As if a minute had gone by in which nothing was heard.
            await tab.run("((now) => { Date.now = () => now() + 60_000; })(Date.now)")
            await turns(tab, "lost")
            await turns(tab, "live")
            up.post([{"channel": "web", "name": "home", "identifiers": {"anonymous_id": "a"}}])
            await tab.until("document.querySelector('#s-headline .headline')")

    assert said == "Not live: no connection to the console. Trying again."


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
