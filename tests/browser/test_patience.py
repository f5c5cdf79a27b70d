"""What the browser emitter can only tell after seconds: all of it is provoked at once."""

import asyncio
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.browser.site import served, told

UNHURRIED = "const ran = performance.now.bind(performance); performance.now = () => ran() / 10"
"""To the page a busy machine's pauses are short: after one of 500 ms no click counts as dead."""


async def clicks(site):
    """200 clicks on what is dead, one on the same, and some on what is not to be told."""
    angry, patient = [await site.visit(before=UNHURRIED) for _ in range(2)]
    calm = await site.visit()
    await angry.click("#nothing", click_count=200, delay=1)  # all at once is more than a hand does
    await patient.click("#nothing")
    await calm.click("#text", click_count=6)
    await calm.click("#plus", click_count=4)
    await calm.click("#terms", click_count=2)  # each is told twice, of the label and of its box
    for harmless in ("#works", "#note", "#email", "#editable"):
        await calm.click(harmless)
    await site.has("rage_click")
    await site.has("dead_click")
    await calm.close()
    await site.has("web_vitals")


async def requests(site):
    """By fetch and XHR: failed, refused, timed out, slow; and given up by the page itself."""
    tab = await site.visit()
    for call in (
        "'/api/200?after=4.2&secret=1'",
        "'/api/503?secret=1', { method: 'post' }",
        "'/api/503?secret=2', { method: 'post' }",
        "'/api/404'",
        "'http://127.0.0.1:1/gone'",
        "'/api/200?after=9', { signal: AbortSignal.timeout(50) }",
        "'/api/201?after=9', { signal: AbortSignal.abort() }",
    ):
        await tab.evaluate(f"void fetch({call}).catch(() => 0)")
    for path, more in (
        ("502", ""),
        ("202?after=9", "x.timeout = 50;"),
        ("203?after=9", "setTimeout(() => x.abort());"),
    ):
        await tab.evaluate(
            f"((x) => {{ x.open('GET', '/api/{path}'); {more} x.send() }})(new XMLHttpRequest())"
        )
    await site.has("request_failed", 6)
    await site.has("request_slow")


async def hanging(site):
    """Somebody leaves while the page still waits for an answer."""
    tab = await site.visit()
    await tab.evaluate("void fetch('/api/200?after=20')")
    await asyncio.sleep(4.1)
    await tab.close()
    await site.has("request_slow")


async def vitals(site):
    """A page that is quick, one whose picture comes late, one that is stuck after a click."""
    quick, late, stuck = await asyncio.gather(
        site.visit("/quick"), site.visit("/late?picture"), site.visit("/stuck")
    )
    await stuck.evaluate(
        "document.querySelector('#works').addEventListener('click', () => {"
        " const until = performance.now() + 600; while (performance.now() < until); })"
    )
    await stuck.click("#works")
    await stuck.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    for tab in (quick, late, stuck):
        await tab.close()
    await site.has("web_vitals", 3)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seen(browser):
    """The site of each of these, when it is over."""
    async with AsyncExitStack() as stack:
        sites = {}
        for play in (clicks, requests, hanging, vitals):
            sites[play] = await stack.enter_async_context(served(browser))
        await asyncio.gather(*(play(site) for play, site in sites.items()))
        yield sites


def test_200_clicks_on_what_is_dead_are_one_rage_click(seen):
    (rage,) = seen[clicks].named("rage_click")

    assert (rage.name, rage.signals) == ("rage_click", ("rage_click", "dead_click"))
    assert told(rage) == {"kind": "rage_click", "clicks": 200, "element": "button#nothing"}


def test_one_click_that_changes_nothing_is_dead_and_what_is_made_for_many_is_nothing(seen):
    (dead,) = seen[clicks].named("dead_click")
    (rage,) = seen[clicks].named("rage_click")

    assert (dead.name, dead.signals, dead.location) == ("dead_click", ("dead_click",), "/shop")
    assert told(dead) == {"kind": "dead_click", "clicks": 1, "element": "button#nothing"}
    assert dead.identifiers != rage.identifiers


def test_failed_requests_are_told_once_each_and_those_given_up_are_not(seen):
    failed = seen[requests].named("request_failed")

    def short(one):
        it = told(one)
        return (
            f"{it['method']} {it['url']} {it.get('status') or it.get('failure')} {one.signals[0]}"
        )

    assert sorted(short(one) for one in failed) == [
        "GET /api/200 timeout timeout",
        "GET /api/202 timeout timeout",
        "GET /api/404 404 http_4xx",
        "GET /api/502 502 http_5xx",
        "GET http://127.0.0.1:1/gone network timeout",
        "POST /api/503 503 http_5xx",
    ]


@pytest.mark.parametrize(("play", "outcome"), [(requests, 200), (hanging, "unanswered")])
def test_a_request_of_more_than_4_seconds_is_slow_also_when_somebody_leaves_before(
    seen, play, outcome
):
    (slow,) = seen[play].named("request_slow")

    assert slow.signals == ("slow",)
    assert told(slow)["duration_ms"] > 4000
    assert outcome in (told(slow).get("status"), told(slow).get("failure"))


def test_a_slow_page_is_slow_and_a_quick_one_is_a_measurement_that_is_not_judged(seen):
    """Quick is what the machine makes of it: a busy one may take its time for any page."""
    measured = {one.location: one for one in seen[vitals].named("web_vitals")}
    quick, late, stuck = (told(measured[place]) for place in ("/quick", "/late", "/stuck"))

    for one in measured.values():
        slow = told(one)["lcp_ms"] > 4000 or told(one).get("inp_ms", 0) > 500
        assert one.signals == (("slow",) if slow else ("identity_only",))
    assert late["lcp_ms"] > 4000
    assert stuck["inp_ms"] > 500
    assert 0 < quick["lcp_ms"] < late["lcp_ms"]
    assert 0 <= quick["cls"] < 1
