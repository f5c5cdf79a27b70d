"""The console as people have it: a browser before a real `up`, and a day's demo sent meanwhile."""

import asyncio
import os
import re
import signal
import subprocess
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import expect

from pipeline.cli.main import parser_of
from pipeline.passwords import hashed
from tests.browser.budget import cost_of, newcomer
from tests.browser.launching import said_by, somebody
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
async def tab_of(browser, up, path="/", *, expected="nothing"):
    """A tab far from UTC; afterwards its console may have said nothing but what is expected."""
    async with await somebody(browser, timezone_id="Asia/Kolkata") as context:
        said = said_by(context)
        tab = await context.new_page()
        await tab.goto(up.operations + path)
        yield tab
    assert [text for text in said if expected not in text] == []


async def text(tab, selector="main"):
    return await tab.locator(selector).first.inner_text()


async def test_the_break_of_a_day_appears_and_resolves_without_a_reload(browser, up):
    async with tab_of(browser, up) as tab:
        assert "No touchpoint has come in yet." in await text(tab)
        command = await text(tab, "#command-first")
        demo = await text(tab, "#command-demo")
        await tab.evaluate("window.loaded = 1")
        ran = await asyncio.to_thread(
            subprocess.run, ["sh", "-c", command], capture_output=True, check=False
        )
        assert ran.returncode == 0, (command, ran.stderr)
        await tab.locator(".welcome").wait_for(state="detached")
        assert "Nothing is broken." in await text(tab)
        words = demo.split()
        assert words[0] == "touchpoints"
        assert parser_of(words[1:]).parse_args(words[1:]).url == up.url
        before, after = day_around_its_break()

        await send(up, before)
        await tab.locator(".incident.firing").first.wait_for()
        said = await text(tab, "#s-headline")
        await send(up, after)
        await tab.locator(".incident.resolved").first.wait_for()

        assert said.startswith("“Paying my bill in the app” is broken for “I want to pay my bill”.")
        assert await tab.evaluate("window.loaded") == 1
        assert "Paying my bill in the app" in await text(tab, ".incident")
        assert "works again" in await text(tab, ".incident")
        assert await text(tab, "#connection") == "Live"


async def test_every_page_is_found_by_the_navigation_and_says_something(browser, up):
    async with tab_of(browser, up) as tab:
        links = await tab.evaluate(
            "[...document.querySelectorAll('header nav a')].map((a) => a.getAttribute('href'))"
        )
        said = {}
        for path in (*links, "/missions/pay-bill", "/touchpoints/pay-in-app"):
            await tab.goto(up.operations + path)
            await tab.locator(".waiting").first.wait_for(state="detached")
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
        await tab.keyboard.press("Tab")
        assert await tab.evaluate("document.activeElement.textContent") == "Skip to the content"
        await tab.keyboard.press("Enter")

        async def tab_to(condition):
            for _ in range(60):
                await tab.keyboard.press("Tab")
                if await tab.evaluate(f"((at) => {condition})(document.activeElement)"):
                    return
            raise AssertionError(condition)

        async def enter():
            before = tab.url.partition("#")[0]
            await tab.keyboard.press("Enter")
            await tab.wait_for_url(lambda url: not url.startswith(before + "#") and url != before)

        await tab_to("at.closest('.incident') !== null")
        await enter()
        assert "What customers did next" in await text(tab)
        await tab_to("(at.getAttribute('href') || '').startsWith('/journeys/')")
        outlined = await tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        await enter()

        assert outlined == "solid"
        assert "What happened, in order" in await text(tab)


async def test_times_are_in_the_viewers_zone(browser, up):
    async with tab_of(browser, up) as tab:
        stated, shown = await tab.evaluate(
            "((t) => [t.dateTime, t.textContent])(document.querySelector('footer time'))"
        )

    hour, minute = map(int, re.search(r"T(\d\d):(\d\d)", stated).groups())
    clock = divmod(hour * 60 + minute + 330, 60)
    assert f"{clock[0] % 24:02}:{clock[1]:02}" in shown
    assert "UTC" not in shown


async def test_a_filter_is_typed_sent_and_in_the_address(browser, up):
    async with tab_of(browser, up) as tab:
        await tab.locator("#q").press_sequentially("shop")
        await tab.keyboard.press("Enter")
        await tab.wait_for_url("**/?*q=shop*")

        rows = await tab.evaluate(
            "[...document.querySelectorAll('.matrix tbody th[scope=row]')].map((h) => h.innerText)"
        )
    assert rows
    assert all("shop" in row for row in rows)


async def test_a_customer_is_found_by_what_is_typed_into_the_search(browser, up):
    up.post([{"channel": "web", "name": "home", "identifiers": {"user_id": "u-typed"}}])
    eventually(lambda: b"Newest" in fetch(up.operations + "/").body)
    async with tab_of(browser, up, "/journeys", expected="404 (Not Found)") as tab:
        await tab.locator("#identifier").press_sequentially("user_id:u-typed")
        await tab.keyboard.press("Enter")
        await tab.wait_for_url("**/journeys/*")
        told = await text(tab)
        await tab.goto(up.operations + "/journeys")
        await tab.locator("#identifier").press_sequentially("user_id:nobody-at-all")
        await tab.keyboard.press("Enter")

        assert "What happened, in order" in told
        assert "Nothing is known of it" in await text(tab, "#problem")


async def test_one_logs_in_reads_and_logs_out_with_a_browser(browser, tmp_path):
    users = f'[[console.users]]\nname = "ann"\nrole = "viewer"\npassword = "{hashed(PASSWORD)}"\n'
    (tmp_path / "settings.toml").write_text(users)
    with Alone("--settings", tmp_path / "settings.toml", "--data", tmp_path / "data") as console:
        console.operations = console.operations.replace("127.0.0.1", "localhost")
        async with tab_of(browser, console, expected="403 (Forbidden)") as tab:
            assert await tab.evaluate("location.pathname") == "/login"
            for password in ("a wrong one altogether", PASSWORD):
                await tab.locator("#name").press_sequentially("ann")
                await tab.locator("#password").press_sequentially(password)
                await tab.keyboard.press("Enter")
                if password != PASSWORD:
                    await tab.locator(".problem").wait_for()
            await tab.wait_for_url(console.operations + "/")
            inside = await tab.evaluate("location.pathname")
            links = await tab.evaluate("document.querySelector('header nav').innerText")
            await tab.goto(console.operations + "/journeys")
            denied = await text(tab)
            await tab.click("header form button")
            await tab.wait_for_url("**/login")
            await tab.goto(console.operations + "/missions")
            outside = await tab.evaluate("location.pathname")

    assert (inside, outside) == ("/", "/login")
    assert "Journeys" not in links
    assert "Single customers are shown to operators only" in denied


async def test_somebody_who_types_is_not_interrupted_by_what_comes_in(browser, up):
    async with tab_of(browser, up) as tab:
        await tab.locator("#q").press_sequentially("half a wo")
        await tab.evaluate("new Promise((done) => setTimeout(done, 50))")
        up.post([{"channel": "web", "name": "home", "identifiers": {"anonymous_id": "late"}}])
        await tab.evaluate("new Promise((done) => setTimeout(done, 2500))")

        assert await tab.evaluate("document.activeElement.value") == "half a wo"


async def test_no_page_breaks_a_rule_of_accessibility(browser, axe, up):
    async with tab_of(browser, up) as tab:
        incident = await tab.evaluate("document.querySelector('.incident a').getAttribute('href')")
        found = {}
        for path in (*PAGES, incident):
            for width, theme in ((360, "dark"), (1440, "light")):
                await tab.set_viewport_size({"width": width, "height": 900})
                await tab.emulate_media(color_scheme=theme)
                await tab.goto(up.operations + path)
                await tab.locator(".waiting").first.wait_for(state="detached")
                # By the browser's own protocol: the page's policy keeps every other script out.
                await tab.evaluate(f"(() => {{ {axe} }})()")
                said = await tab.evaluate(
                    "axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations"
                    ".map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 200))]))"
                )
                if said:
                    found[path, width, theme] = said

    assert found == {}


async def test_no_page_is_wider_than_its_window_or_heavy_or_moves(browser, up):
    async with newcomer(browser) as tab:
        await tab.goto(up.operations + "/")
        incident = await tab.locator(".incident a").first.get_attribute("href")
        await tab.goto(up.operations + incident)
        place = await tab.locator('a[href^="/journeys/"]').first.get_attribute("href")
        story = place.partition("#")[0]  # going to a place on the same page loads nothing
        costs = {
            (path, width): await cost_of(tab, up.operations + path, width)
            for path in (*PAGES, incident, story)
            for width in WIDTHS
        }

    for where, cost in costs.items():
        assert cost.over == 0, where
        assert 0 < cost.transferred < TRANSFER_MAX, (where, cost)
        assert cost.moved < MOVED_MAX, (where, cost)


async def test_a_connection_that_is_lost_or_silent_is_said_and_found_again(browser, tmp_path):
    async def turns(tab, state):
        """A console that is started again takes its time, on a busy machine more than a page."""
        await expect(tab.locator("#connection")).to_have_class(state, timeout=90_000)

    with Up(tmp_path / "data") as up:
        eventually(lambda: fetch(up.operations + "/").status == 200)
        async with tab_of(browser, up, expected="Failed to load resource") as tab:
            await turns(tab, "live")
            os.kill(consoles(up)[0], signal.SIGKILL)
            await turns(tab, "lost")
            said = await text(tab, "#connection")
            await turns(tab, "live")
            # As if a minute had gone by in which nothing was heard.
            await tab.evaluate("((now) => { Date.now = () => now() + 60_000; })(Date.now)")
            await turns(tab, "lost")
            await turns(tab, "live")
            up.post([{"channel": "web", "name": "home", "identifiers": {"anonymous_id": "a"}}])
            await tab.locator("#s-headline .headline").first.wait_for()

    assert said == "Not live: no connection to the console. Trying again."


async def test_a_browser_asks_nobody_but_the_console(browser, up):
    async with tab_of(browser, up) as tab:
        asked = set()
        tab.on("request", lambda request: asked.add(request.url))
        for path in PAGES:
            await tab.goto(up.operations + path)

    assert len(asked) > len(PAGES)
    assert all(url.startswith(up.operations) for url in asked)
