"""What the browser emitter does not record, and whom it leaves alone."""

import gzip
import re

import pytest
from aiohttp import ClientSession

from tests.browser.launching import until
from tests.browser.site import EMITTER, raw, told
from tests.unit.listeners.doors import Door

SECRET = "Xq7secret"


async def test_what_was_typed_never_leaves_the_page_and_is_not_stored(site):
    tab = await site.visit()
    for field in ("#email", "#card", "#note", "#editable"):
        await tab.locator(field).press_sequentially(SECRET)
    await tab.click("#submit")  # refused: not an address
    await tab.click("#fails")  # an error whose message quotes the note
    await tab.click("#editable", click_count=4)
    await tab.evaluate(f"void fetch('/api/503?q={SECRET}')")
    await tab.evaluate(f"history.pushState(null, '', '?q={SECRET}')")
    await tab.evaluate(f"history.pushState(null, '', '/found?q={SECRET}#{SECRET}')")
    await tab.evaluate(f"history.pushState(null, '', '/mail/{SECRET}@example.com/inbox')")
    await site.has("validation_error")
    await site.has("error_click")
    await site.has("request_failed")
    await site.has("page_view", 3)
    stored = await tab.evaluate("JSON.stringify([localStorage, sessionStorage])")
    await tab.close()
    await site.has("form_abandoned")

    assert SECRET not in raw(site)
    assert SECRET not in stored
    assert site.door.letters == []


@pytest.mark.parametrize(
    "objection",
    [
        "Object.defineProperty(navigator, 'doNotTrack', { value: '1' })",
        "Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })",
    ],
    ids=["do not track", "global privacy control"],
)
async def test_whoever_objects_is_left_alone(site, objection):
    tab = await site.visit(before=objection)
    await until(tab, "!Array.isArray(window.touchpoints)")
    await tab.evaluate("touchpoints.consent(true), touchpoints.track('asked'), touchpoints.flush()")
    await tab.click("#fails")
    await tab.close()
    await site.visit()
    await site.has("shop_opened")  # of the next visitor: the listener hears

    assert len(site.named("page_view")) == 1
    assert site.named("asked", "error_click") == []


async def test_where_consent_is_required_nothing_happens_before_it_or_after_it_is_taken_back(site):
    site.options += ' data-consent="required"'
    tab = await site.visit()
    await until(tab, "!Array.isArray(window.touchpoints)")
    await tab.evaluate("touchpoints.track('before')")
    assert await tab.evaluate("localStorage.length + sessionStorage.length") == 0
    await tab.evaluate("touchpoints.consent(true)")
    await site.has("page_view")
    await tab.evaluate("touchpoints.track('while')")
    await site.has("while")

    await tab.evaluate("touchpoints.track('lost'), touchpoints.consent(false)")
    await tab.evaluate("touchpoints.track('after')")
    await tab.click("#fails")
    assert await tab.evaluate("localStorage.length + sessionStorage.length") == 0
    await tab.evaluate("touchpoints.consent(true)")
    await site.has("page_view", 2)

    assert site.named("shop_opened", "before", "lost", "after", "error_click") == []
    first, second = (one.identifiers["anonymous_id"] for one in site.named("page_view"))
    assert first != second


async def test_a_log_in_names_the_user_and_a_log_out_ends_the_session(site):
    tab = await site.visit()
    await tab.evaluate("touchpoints.identify('u-1', { email: 'Ann@example.com' })")
    await tab.evaluate("touchpoints.intent('upgrade-phone')")
    await tab.evaluate(
        "touchpoints.track('survey', { page: 2 }, "
        "{ rating: { scale: 'ces', value: 2 }, location: '/survey', intent: 'order' })"
    )
    await tab.evaluate("touchpoints.reset(), touchpoints.track('afterwards')")
    (after,) = await site.has("afterwards")
    (identify,), (intent,), (survey,), (logout,) = map(
        site.named, ("identify", "intent", "survey", "logout")
    )

    assert identify.signals == ("identity_only",)
    assert identify.identifiers.keys() == {"anonymous_id", "user_id", "email"}
    assert "example.com" not in raw(site)
    assert (intent.intent, intent.identifiers["user_id"]) == ("upgrade-phone", "u-1")
    assert (survey.rating.value, survey.location, told(survey)) == (2, "/survey", {"page": 2})
    assert logout.signals == ("logout",)
    assert after.identifiers.keys() == {"anonymous_id"}
    assert after.identifiers["anonymous_id"] != logout.identifiers["anonymous_id"]
    assert after.session_hint != logout.session_hint


async def test_another_user_is_another_session(site):
    tab = await site.visit()
    await tab.evaluate("['u-1', 'u-1', 'u-2'].forEach((user) => touchpoints.identify(user))")
    first, again, other = await site.has("identify", 3)

    assert first.session_hint == again.session_hint != other.session_hint


async def test_the_types_name_what_a_website_may_call(site):
    tab = await site.visit()
    await until(tab, "!Array.isArray(window.touchpoints)")
    types = EMITTER.with_suffix(".d.ts").read_text()
    (interface,) = re.findall(r"interface Touchpoints \{(.*?)\n\}", types, re.DOTALL)

    assert set(re.findall(r"^  (\w+)\(", interface, re.MULTILINE)) == set(
        await tab.evaluate("Object.keys(touchpoints)")
    )


async def test_a_page_that_calls_it_wrongly_goes_on(site):
    tab = await site.visit()
    await until(tab, "!Array.isArray(window.touchpoints)")
    await tab.evaluate("const loop = {}; loop.loop = loop; touchpoints.track('loop', loop)")
    await tab.evaluate(
        "touchpoints.track('large', { text: 'x'.repeat(20000) }), touchpoints.track('x')"
    )

    (fine,) = await site.has("x")

    assert site.named("loop", "large") == []
    assert told(fine) == {"dropped_before": 1}


def test_the_script_is_less_than_8_kb_and_evaluates_nothing():
    source = EMITTER.read_bytes()

    assert len(gzip.compress(source, 9)) < 8_000
    assert (
        re.findall(rb"\beval\b|new Function|innerHTML|setTimeout\(['\"]|\bimport\b", source) == []
    )


async def test_a_listener_serves_the_script_to_any_page_and_says_when_it_is_known():
    async with Door().served() as listener, ClientSession() as client:
        address = listener + "/emitter.js"
        first = await client.get(address)
        again = await client.get(address, headers={"If-None-Match": first.headers["ETag"]})
        plain = await client.get(address, headers={"Accept-Encoding": "identity"})

        assert await first.read() == await plain.read() == EMITTER.read_bytes()
        assert (first.status, again.status, await again.read()) == (200, 304, b"")
        assert first.headers["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in plain.headers
        assert first.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert first.headers["Access-Control-Allow-Origin"] == "*"
        assert first.headers["Cache-Control"] == "public, max-age=3600"
