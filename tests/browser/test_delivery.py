"""What the browser emitter has seen arrives, once, whatever becomes of page and network."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.browser.chromium import connected
from tests.browser.site import served, told

NEVER_LATER = (  # what looks again after 16 s is not to mend what should have been sent before
    "const wait = setTimeout;"
    " setTimeout = (work, after, ...more) => after === 16000 || wait(work, after, ...more)"
)
THIRTY_TIMES = (  # as quick: two seconds are a minute to the page
    "const wait = setTimeout, date = Date.now, ran = performance.now.bind(performance);"
    " const began = date(); Date.now = () => began + (date() - began) * 30;"
    " performance.now = () => ran() * 30;"
    " setTimeout = (work, after, ...more) => wait(work, after / 30, ...more)"
)
COUNT = "Object.keys(localStorage).filter((key) => key.startsWith('tp.q.')).length"


def ids(site):
    return [one.id for one in site.arrived]


def steps(site):
    return [told(one)["n"] for one in site.named("step")]


def track(first, last):
    return f"for (let n = {first}; n < {last}; n++) touchpoints.track('step', {{ n }})"


async def test_what_happens_offline_arrives_when_the_network_is_back(site):
    tab = await site.visit()
    await site.has("shop_opened")
    await tab.online(False)
    await tab.run(track(0, 20))
    await tab.until(f"{COUNT} === 20")
    await asyncio.sleep(0.3)
    assert site.named("step") == []

    await tab.online(True)
    await site.has("step", 20)

    assert steps(site) == list(range(20))
    assert len(set(ids(site))) == len(ids(site))
    await tab.until(f"{COUNT} === 0")


@pytest.mark.parametrize(
    ("cut", "before", "pause"),
    [
        ("offline", THIRTY_TIMES, 0.1),
        ("unreachable", THIRTY_TIMES, 0.1),
        pytest.param("offline", "", 3.0, marks=pytest.mark.torture),
    ],
    ids=["offline", "unreachable", "offline-for-a-true-minute"],
)
async def test_a_minute_without_a_network_loses_and_doubles_nothing(site, cut, before, pause):
    async def reachable(yes):
        if cut == "offline":
            await tab.online(yes)
        else:  # The browser does not know, and says that it is online.
            blocked = [] if yes else [f"{site.listener}/v1/*"]
            await tab.call("Network.setBlockedURLs", urls=blocked)

    tab = await site.visit(before=before)
    await site.has("shop_opened")
    await tab.until(f"{COUNT} === 0")
    since, said = await tab.run("performance.now()"), len(tab.heard)
    await reachable(False)
    for number in range(20):
        await tab.run(track(number, number + 1))
        await asyncio.sleep(pause)
    assert await tab.run("performance.now()") - since >= 60_000
    assert site.named("step") == []
    assert await tab.run(COUNT) == 20
    failed = [name for name, _ in tab.heard[said:] if name == "Network.loadingFailed"]

    await reachable(True)
    await site.has("step", 20)

    assert steps(site) == list(range(20))
    assert len(set(ids(site))) == len(ids(site))
    await tab.until(f"{COUNT} === 0")
    if cut == "offline":
        assert failed == []
    else:  # After 1 s, 2 s, ... of the page's: six times or so in a minute.
        assert 3 <= len(failed) <= 12


async def test_what_a_page_left_offline_is_sent_by_the_next_page(site):
    who = await site.person()
    tab = await site.visit(who=who)
    await site.has("shop_opened")
    await tab.online(False)
    await tab.run(track(0, 5))
    await tab.until(f"{COUNT} === 5")
    await tab.close()
    later = "const now = Date.now; Date.now = () => now() + 60000"  # a minute later
    tab = await site.visit(who=who, before=later)

    await site.has("step", 5)

    assert steps(site) == list(range(5))
    await tab.until(f"{COUNT} === 0")


async def test_a_tab_closed_in_mid_flight_has_said_its_last_and_nothing_twice(site):
    publish, begun = site.door.publisher.publish, asyncio.Event()

    async def slowly(records):
        begun.set()
        await asyncio.sleep(0.3)
        await publish(records)

    site.door.publisher.publish = slowly
    tab = await site.visit()
    await asyncio.wait_for(begun.wait(), 10)
    await tab.run(track(0, 3))
    await tab.close()

    await site.has("step", 3)
    await site.has("page_view")
    await site.has("web_vitals")

    assert len(set(ids(site))) == len(ids(site))


async def test_nothing_is_lost_or_doubled_by_a_listener_that_answers_503_and_then_429(browser):
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connected(browser))
        limits = {"request_rate_max": 1.0, "request_burst_max": 1}
        site = await stack.enter_async_context(served(connection, **limits))
        statuses = []
        site.door.publisher.down = True
        tab = await site.visit(before=NEVER_LATER)
        await site.until(lambda: 503 in answers(tab, statuses))
        site.door.publisher.down = False
        await tab.run(track(0, 20))
        while 429 not in answers(tab, statuses):
            await tab.run("touchpoints.track('more'), touchpoints.flush()")
        await tab.run("touchpoints.track('last')")
        await site.has("last")
        await site.has("step", 20)
        await site.until(lambda: 200 in answers(tab, statuses))  # the page hears it later than we

        assert {200, 429, 503} == set(statuses)
        assert steps(site) == list(range(20))
        assert len(set(ids(site))) == len(ids(site))


def answers(tab, statuses):
    """The status of each answer that the page had from the listener."""
    statuses[:] = [
        params["response"]["status"]
        for name, params in tab.heard
        if name == "Network.responseReceived" and "/v1/touchpoints" in params["response"]["url"]
    ]
    return statuses


async def test_a_batch_that_is_too_large_for_the_listener_goes_in_parts(browser):
    async with connected(browser) as connection, served(connection, batch_items_max=3) as site:
        tab = await site.visit()
        await tab.run(track(0, 20))

        await site.has("step", 20)

        assert steps(site) == list(range(20))


async def test_text_of_many_bytes_goes_in_requests_that_may_outlive_their_page(site):
    tab = await site.visit()
    await tab.run(
        "for (let n = 0; n < 40; n++) touchpoints.track('step', { n, text: '\u8a9e'.repeat(1000) })"
    )

    await site.has("step", 40)

    assert steps(site) == list(range(40))


async def test_what_others_wrote_into_the_storage_harms_nothing(site):
    who = await site.person()
    tab = await site.visit(who=who)
    old = "(hours) => JSON.stringify({ occurred_at: Date.now() - hours * 3600e3 })"
    await tab.run(
        f"(old => {{ localStorage['tp.q.1'] = 'rubbish'; localStorage['tp.q.2'] = '~' + old(13);"
        f" localStorage['tp.session'] = 'rubbish' }})({old})"
    )
    await site.visit(who=who)
    await site.has("page_view", 2)
    await tab.until(f"{COUNT} === 0")

    assert {one.name for one in site.arrived} <= {"page_view", "shop_opened"}
    assert site.door.letters == []


async def test_a_script_that_is_included_twice_tells_once(site):
    again = f"<script async src='{site.listener}/emitter.js' {site.options}"
    site.options += f" data-key='shop-key'></script>{again}"
    tab = await site.visit()
    await tab.run("touchpoints.track('last')")
    await site.has("last")

    assert len(await tab.run("[...document.scripts].map((one) => one.src)")) == 3
    assert len(site.named("page_view")) == 1


async def test_the_queue_is_bounded_the_oldest_goes_and_is_counted(site):
    tab = await site.visit()
    await site.has("shop_opened")
    await tab.online(False)
    await tab.run(track(0, 210))
    await tab.online(True)

    await site.has("step", 200)

    assert steps(site) == list(range(10, 210))
    assert sum(told(one).get("dropped_before", 0) for one in site.named("step")) >= 9


async def test_a_page_of_another_origin_keeps_what_is_refused(browser):
    async with connected(browser) as one, served(one) as allowed, served(one) as site:
        site.listener, address = allowed.listener, site.home
        tab = await site.visit()
        await site.until(lambda: allowed.door.counted(
            "touchpoints_rejected_total", reason="origin_refused"
        ))  # fmt: skip

        assert address != allowed.home
        assert allowed.arrived == []
        assert await tab.run(COUNT) == 2


async def test_two_tabs_are_one_visitor_and_one_session_and_30_minutes_of_silence_end_it(site):
    who = await site.person()
    first = await site.visit(who=who)
    await site.visit(who=who)
    await site.has("page_view", 2)

    await first.run(_silence(minutes=29.9))
    await first.run("touchpoints.track('same')")
    await first.run(_silence(minutes=30.1))
    await first.run("touchpoints.track('another')")
    (same,), (another,) = await site.has("same"), await site.has("another")

    assert {one.session_hint for one in site.named("page_view")} == {same.session_hint}
    assert another.session_hint != same.session_hint
    assert len({one.identifiers["anonymous_id"] for one in site.arrived}) == 1


def _silence(*, minutes):
    """As though the last touchpoint had been so long ago."""
    return (
        "(([id, started]) => localStorage.setItem('tp.session', "
        f"[id, started, Date.now() - {minutes} * 60000].join(' ')))"
        "(localStorage.getItem('tp.session').split(' '))"
    )
