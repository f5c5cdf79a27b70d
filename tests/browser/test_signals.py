"""Each thing that the browser emitter sees, provoked by real input events."""

import asyncio

from tests.browser.launching import until
from tests.browser.site import told


def button(place, attribute="title", value=""):
    """A script that puts one more button on the page, in a line of its own."""
    return (
        "((line, made) => { document.body.append(line); line.append(made);"
        f" made.textContent = 'More'; line.id = '{place}';"
        f" made.setAttribute('{attribute}', '{value}') }})"
        "(document.createElement('p'), document.createElement('button'))"
    )


async def test_a_page_view_tells_page_session_and_visitor_and_no_query(site):
    tab = await site.visit("/shop?name=ann#part")

    (view,) = await site.has("page_view")
    (opened,) = await site.has("shop_opened")

    assert (view.channel, view.location, view.source) == ("web", "/shop", "shop")
    assert view.identifiers.keys() == {"anonymous_id"}
    assert view.identifiers == opened.identifiers
    assert view.session_hint == opened.session_hint is not None
    assert (told(view), told(opened)) == ({}, {"plan": "gold"})
    await until(tab, "!Object.keys(localStorage).some((key) => key.startsWith('tp.q.'))")


async def test_each_page_of_a_single_page_application_is_a_view(site):
    tab = await site.visit()
    await tab.evaluate("history.pushState({}, '', '/basket')")
    await tab.evaluate("history.replaceState({}, '', '/basket?sort=up')")
    await tab.evaluate("location.hash = '#/pay/card?number=4711'")

    await site.has("page_view", 3)

    views = [one.location for one in site.named("page_view")]
    assert views == ["/shop", "/basket", "/basket/#/pay/card".replace("/#", "#")]
    assert len({one.session_hint for one in site.arrived}) == 1


async def test_rage_on_what_answers_is_rage_and_not_dead_and_two_clicks_are_none(site):
    angry, calm = await site.visit(), await site.visit()

    await angry.click("#works", click_count=3)
    await calm.click("#works", click_count=2)
    await angry.close()  # which settles at once what would have taken three seconds
    await calm.close()
    await site.has("web_vitals", 2)

    (rage,) = site.named("rage_click", "dead_click")
    assert (rage.signals, told(rage)["clicks"]) == (("rage_click",), 3)


async def test_clicks_apart_in_time_or_place_are_no_rage(site):
    slow, wandering = await site.visit(), await site.visit()
    await slow.click("#works", click_count=2)
    await slow.evaluate(
        "performance.now = ((was) => () => was.call(performance) + 1001)(performance.now)"
    )
    await slow.click("#works")
    await wandering.evaluate(button("here"))
    await wandering.evaluate(button("there"))
    await wandering.click("#here button", click_count=2)
    await wandering.click("#there button")
    await slow.close()
    await wandering.close()
    await site.has("web_vitals", 2)

    assert site.named("rage_click") == []


async def test_what_is_made_for_many_clicks_is_clicked_many_times(site):
    tab = await site.visit()
    marks = ("class", "calendar-next"), ("id", "my-player"), ("role", "slider"), ("role", "grid")
    for number, mark in enumerate(marks):
        await tab.evaluate(button(f"many-{number}", *mark))
        await tab.click(f"#many-{number} button", click_count=4)
    await tab.evaluate(button("few"))
    await tab.click("#few button", click_count=3)
    await tab.close()
    await site.has("web_vitals")

    (rage,) = site.named("rage_click")
    assert told(rage)["clicks"] == 3


async def test_an_error_right_after_a_click_is_an_error_click_told_once(site):
    tab = await site.visit()
    await tab.locator("#note").press_sequentially("my secret")
    await tab.click("#fails")
    await tab.click("#fails")
    (error,) = await site.has("error_click")
    await tab.close()
    (vitals,) = await site.has("web_vitals")

    assert error.signals == ("error_click", "js_error")
    assert told(error)["error"] == "SyntaxError"
    assert told(error)["element"] == "button#fails"
    assert told(error)["place"].startswith(site.home + "/shop.js:")
    assert told(vitals)["suppressed"] == 1


async def test_errors_without_a_click_are_script_errors_with_type_and_place(site):
    tab = await site.visit()
    await tab.click("#works")
    await asyncio.sleep(0.15)
    await tab.evaluate("void setTimeout(() => { throw new TypeError('my secret') })")
    await tab.evaluate(
        "void Promise.reject(new RangeError('my secret http://secret.example/1:2:3'))"
    )

    await site.has("js_error", 2)

    errors = {told(one)["error"]: one for one in site.named("js_error")}
    assert errors.keys() == {"TypeError", "RangeError"}
    assert {one.signals for one in errors.values()} == {("js_error",)}
    assert told(errors["RangeError"])["place"] == "unknown"


async def test_a_form_that_was_edited_and_left_is_abandoned(site):
    tab = await site.visit()
    await tab.locator("#email").press_sequentially("ann")
    await tab.locator("#card").press_sequentially("4711")
    await tab.close()

    (left,) = await site.has("form_abandoned")

    assert (left.name, left.signals) == ("order-online", ("form_abandoned",))
    assert (told(left)["form"], told(left)["fields"]) == ("form#order", 2)
    assert told(left)["last"] == "card"


async def test_a_form_that_was_sent_or_only_looked_at_is_not(site):
    sender, looker = await site.visit(), await site.visit()
    await sender.locator("#email").press_sequentially("ann@example.com")
    await sender.click("#submit")
    await looker.click("#email")
    await site.has("page_view", 3)
    await sender.close()
    await looker.close()
    await site.has("web_vitals", 3)

    assert site.named("form_abandoned", "validation_error") == []


async def test_refused_fields_are_counted_one_touchpoint_an_attempt(site):
    tab = await site.visit()
    await tab.click("#submit")
    await site.has("validation_error")
    await tab.click("#submit")
    await site.has("validation_error", 2)
    await tab.evaluate("document.querySelector('#card').setAttribute('aria-invalid', 'true')")
    await site.has("validation_error", 3)

    assert [told(one)["fields"] for one in site.named("validation_error")] == [
        {"email": 1},
        {"email": 2},
        {"card": 1},
    ]
    assert {one.name for one in site.named("validation_error")} == {"order-online"}


async def test_going_back_within_five_seconds_is_told_of_the_page_that_was_left(site):
    loaded, single = await site.visit(), await site.visit()
    await loaded.click("#help")
    await site.until(lambda: any(one.location == "/help.html" for one in site.arrived))
    await loaded.go_back()
    await single.evaluate("history.pushState({}, '', '/tariffs')")
    await single.evaluate("history.back()")

    await site.has("quick_back", 2)

    backs = {one.location: told(one)["back_to"] for one in site.named("quick_back")}
    assert backs == {"/help.html": "/shop", "/tariffs": "/shop"}


async def test_going_back_later_is_none(site):
    tab = await site.visit()
    await tab.evaluate("history.pushState({}, '', '/tariffs')")
    await tab.evaluate("Date.now = ((was) => () => was() + 5001)(Date.now)")
    await tab.evaluate("history.back()")
    await site.has("page_view", 3)

    assert site.named("quick_back") == []
