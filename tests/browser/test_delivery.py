"""What the browser emitter has seen arrives, once, whatever becomes of page and network."""

import asyncio

import pytest

from tests.browser.launching import PATIENCE, until
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
    await tab.context.set_offline(True)
    await tab.evaluate(track(0, 20))
    await until(tab, f"{COUNT} === 20")
    await asyncio.sleep(0.3)
    assert site.named("step") == []

    await tab.context.set_offline(False)
    await site.has("step", 20)

    assert steps(site) == list(range(20))
    assert len(set(ids(site))) == len(ids(site))
    await until(tab, f"{COUNT} === 0")


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
            await tab.context.set_offline(not yes)
        elif yes:
            await tab.unroute_all()
        else:  # The browser does not know, and says that it is online.
            await tab.route(f"{site.listener}/v1/**", lambda route: route.abort())

    tab = await site.visit(before=before)
    await site.has("shop_opened")
    await until(tab, f"{COUNT} === 0")
    failed = []
    tab.on("requestfailed", lambda request: failed.append(request.url))
    since = await tab.evaluate("performance.now()")
    await reachable(False)
    for number in range(20):
        await tab.evaluate(track(number, number + 1))
        await asyncio.sleep(pause)
    assert await tab.evaluate("performance.now()") - since >= 60_000
    assert site.named("step") == []
    assert await tab.evaluate(COUNT) == 20
    attempts = len(failed)

    await reachable(True)
    await site.has("step", 20)

    assert steps(site) == list(range(20))
    assert len(set(ids(site))) == len(ids(site))
    await until(tab, f"{COUNT} === 0")
    if cut == "offline":
        assert attempts == 0
    else:  # After 1 s, 2 s, ... of the page's: six times or so in a minute.
        assert 3 <= attempts <= 12


async def test_what_a_page_left_offline_is_sent_by_the_next_page(site):
    who = await site.person()
    tab = await site.visit(who=who)
    await site.has("shop_opened")
    await tab.context.set_offline(True)
    await tab.evaluate(track(0, 5))
    await until(tab, f"{COUNT} === 5")
    await tab.close()
    await who.set_offline(False)
    later = "const now = Date.now; Date.now = () => now() + 60000"  # a minute later
    tab = await site.visit(who=who, before=later)

    await site.has("step", 5)

    assert steps(site) == list(range(5))
    await until(tab, f"{COUNT} === 0")


async def test_a_tab_closed_in_mid_flight_has_said_its_last_and_nothing_twice(site):
    publish, begun = site.door.publisher.publish, asyncio.Event()

    async def slowly(records):
        begun.set()
        await asyncio.sleep(0.3)
        await publish(records)

    site.door.publisher.publish = slowly
    tab = await site.visit()
    await asyncio.wait_for(begun.wait(), 10)
    await tab.evaluate(track(0, 3))
    await tab.close()

    await site.has("step", 3)
    await site.has("page_view")
    await site.has("web_vitals")

    assert len(set(ids(site))) == len(ids(site))


async def test_nothing_is_lost_or_doubled_by_a_listener_that_answers_503_and_then_429(browser):
    async with served(browser, request_rate_max=1.0, request_burst_max=1) as site:
        statuses = []

        def heard(answer):
            if "/v1/touchpoints" in answer.url:
                statuses.append(answer.status)

        who = await site.person()
        who.on("response", heard)
        site.door.publisher.down = True
        tab = await site.visit(before=NEVER_LATER, who=who)
        await site.until(lambda: 503 in statuses)
        site.door.publisher.down = False
        await tab.evaluate(track(0, 20))
        async with asyncio.timeout(PATIENCE):
            while 429 not in statuses:
                await tab.evaluate("touchpoints.track('more'), touchpoints.flush()")
        await tab.evaluate("touchpoints.track('last')")
        await site.has("last")
        await site.has("step", 20)
        await site.until(lambda: 200 in statuses)  # the page hears it later than we

        assert {200, 429, 503} == set(statuses)
        assert steps(site) == list(range(20))
        assert len(set(ids(site))) == len(ids(site))


async def test_a_batch_that_is_too_large_for_the_listener_goes_in_parts(browser):
    async with served(browser, batch_items_max=3) as site:
        tab = await site.visit()
        await tab.evaluate(track(0, 20))

        await site.has("step", 20)

        assert steps(site) == list(range(20))


async def test_text_of_many_bytes_goes_in_requests_that_may_outlive_their_page(site):
    tab = await site.visit()
    await tab.evaluate(
        "for (let n = 0; n < 40; n++) touchpoints.track('step', { n, text: '\u8a9e'.repeat(1000) })"
    )

    await site.has("step", 40)

    assert steps(site) == list(range(40))


async def test_what_others_wrote_into_the_storage_harms_nothing(site):
    who = await site.person()
    tab = await site.visit(who=who)
    old = "(hours) => JSON.stringify({ occurred_at: Date.now() - hours * 3600e3 })"
    await tab.evaluate(
        f"(old => {{ localStorage['tp.q.1'] = 'rubbish'; localStorage['tp.q.2'] = '~' + old(13);"
        f" localStorage['tp.session'] = 'rubbish' }})({old})"
    )
    await site.visit(who=who)
    await site.has("page_view", 2)
    await until(tab, f"{COUNT} === 0")

    assert {one.name for one in site.arrived} <= {"page_view", "shop_opened"}
    assert site.door.letters == []


async def test_a_script_that_is_included_twice_tells_once(site):
    again = f"<script async src='{site.listener}/emitter.js' {site.options}"
    site.options += f" data-key='shop-key'></script>{again}"
    tab = await site.visit()
    await tab.evaluate("touchpoints.track('last')")
    await site.has("last")

    assert len(await tab.evaluate("[...document.scripts].map((one) => one.src)")) == 3
    assert len(site.named("page_view")) == 1


async def test_the_queue_is_bounded_the_oldest_goes_and_is_counted(site):
    tab = await site.visit()
    await site.has("shop_opened")
    await tab.context.set_offline(True)
    await tab.evaluate(track(0, 210))
    await tab.context.set_offline(False)

    await site.has("step", 200)

    assert steps(site) == list(range(10, 210))
    assert sum(told(one).get("dropped_before", 0) for one in site.named("step")) >= 9


async def test_a_page_of_another_origin_keeps_what_is_refused(browser):
    async with served(browser) as allowed, served(browser) as site:
        site.listener, address = allowed.listener, site.home
        tab = await site.visit()
        await site.until(lambda: allowed.door.counted(
            "touchpoints_rejected_total", reason="origin_refused"
        ))  # fmt: skip

        assert address != allowed.home
        assert allowed.arrived == []
        assert await tab.evaluate(COUNT) == 2


async def test_two_tabs_are_one_visitor_and_one_session_and_30_minutes_of_silence_end_it(site):
    who = await site.person()
    first = await site.visit(who=who)
    await site.visit(who=who)
    await site.has("page_view", 2)

    await first.evaluate(_silence(minutes=29.9))
    await first.evaluate("touchpoints.track('same')")
    await first.evaluate(_silence(minutes=30.1))
    await first.evaluate("touchpoints.track('another')")
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


async def test_what_waits_for_a_connection_outlives_its_page(site):
    """A browser opens six connections to a host; the page is gone before there is one for it.

    Nothing but `keepalive` brings it: no page of theirs looks later at what was left behind.
    """
    publish, reached, let_go = site.door.publisher.publish, [], asyncio.Event()

    async def held(records):
        reached.append(records)
        await let_go.wait()
        await publish(records)

    who = await site.person()
    tab, other = [await site.visit(who=who, before=NEVER_LATER) for _ in range(2)]
    await site.has("shop_opened", 2)
    await until(tab, f"{COUNT} === 0")
    site.door.publisher.publish = held
    filler = "{channel: 'web', name: 'filler', identifiers: {anonymous_id: 'a'}}"
    address = f"{site.listener}/v1/touchpoints?writeKey=shop-key"
    await other.evaluate(
        f"for (let n = 0; n < 6; n++)"
        f" void fetch('{address}', {{ method: 'POST', body: JSON.stringify({filler}) }})"
    )
    await site.until(lambda: len(reached) == 6)
    async with tab.expect_request("**/v1/touchpoints*"):
        await tab.evaluate("touchpoints.track('step'), void touchpoints.flush()")
    await tab.goto("about:blank")
    assert len(reached) == 6
    let_go.set()

    await site.has("step")
    await site.has("web_vitals")


async def test_a_browser_whose_requests_end_with_their_page_sends_a_beacon(site):
    tab = await site.visit(before="delete Request.prototype.keepalive")
    await site.has("shop_opened")
    await until(tab, f"{COUNT} === 0")
    await tab.close()

    await site.has("web_vitals")
