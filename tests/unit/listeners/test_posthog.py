from datetime import timedelta

import pytest

from listeners.errors import Reason
from tests.unit.listeners.doors import NOON, SHOP, Door, properties, receipts, written
from tests.unit.listeners.posthog_events import BROWSER, PHONE, event, send, server


async def test_a_page_view_becomes_a_touchpoint_field_by_field():
    door = Door()

    await send(door, event(**{"$ip": "203.0.113.7"}), sent_at="2026-11-22T12:00:00Z")

    [touchpoint] = door.touchpoints
    assert (touchpoint.id, touchpoint.name, touchpoint.channel) == ("e-1", "page_view", "web")
    assert touchpoint.source == "shop-key"
    assert touchpoint.occurred_at == NOON - timedelta(seconds=59, milliseconds=877)
    assert (touchpoint.location, touchpoint.session_hint) == ("/billing", "s-1")
    assert touchpoint.identifiers == {"anonymous_id": "v-1"}
    kept = properties(touchpoint)
    assert kept["campaign"] == {"source": "mail", "name": "spring"}
    assert (kept["type"], kept["$window_id"]) == ("$pageview", "w-1")
    assert not kept.keys() & {"token", "$ip", "$sdk_debug_session_start"}


@pytest.mark.parametrize(
    ("written_event", "name", "channel", "signals"),
    [
        (event("$pageleave"), "page_leave", "web", ()),
        (event("$screen", of=PHONE), "screen_view", "app", ()),
        (event("$autocapture"), "autocapture", "web", ()),
        (event("bill paid"), "bill paid", "web", ()),
        (event("$rageclick"), "rageclick", "web", ("rage_click",)),
        (event("$dead_click"), "dead_click", "web", ("dead_click",)),
        (event("$exception"), "exception", "web", ("js_error",)),
        (
            event("$exception", of=PHONE, **{"$exception_level": "fatal"}),
            "exception",
            "app",
            ("crash",),
        ),
        (event("$exception", of=PHONE), "exception", "app", ()),
        (server("$exception", "u-1"), "exception", "web", ()),
        (event("$web_vitals", **{"$web_vitals_LCP_value": 4000}), "web_vitals", "web", ()),
        (event("$web_vitals", **{"$web_vitals_LCP_value": 4001}), "web_vitals", "web", ("slow",)),
        (event("$web_vitals", **{"$web_vitals_INP_value": 501}), "web_vitals", "web", ("slow",)),
        (event("request", status=502), "request", "web", ("http_5xx",)),
        (event("$set"), "set", "web", ("identity_only",)),
        (event("$groupidentify"), "groupidentify", "web", ("identity_only",)),
        (
            event("Application Backgrounded", of=PHONE),
            "Application Backgrounded",
            "app",
            ("background",),
        ),
    ],
)
async def test_each_event_has_its_name_channel_and_signals(written_event, name, channel, signals):
    door = Door()

    await send(door, written_event)

    [touchpoint] = door.touchpoints
    assert (touchpoint.name, touchpoint.channel, touchpoint.signals) == (name, channel, signals)


@pytest.mark.parametrize(
    ("written_event", "people"),
    [
        (event(), {"anonymous_id": "v-1"}),
        (event(**{"$device_id": "d-1"}), {"anonymous_id": "v-1", "device_id": "d-1"}),
        (
            event(distinct_id="u-1", **{"$is_identified": True, "$user_id": "u-1"}),
            {"user_id": "u-1", "device_id": "v-1"},
        ),
        (
            event(
                "$identify",
                distinct_id="u-1",
                **{"$is_identified": True, "$anon_distinct_id": "v-1", "$user_id": "u-1"},
            ),
            {"user_id": "u-1", "anonymous_id": "v-1"},
        ),
        (event("$create_alias", alias="other"), {"anonymous_id": "v-1", "previous_id": "other"}),
        (event("$create_alias", alias="v-1"), {"anonymous_id": "v-1"}),
        (event(of=PHONE, distinct_id="p-1"), {"anonymous_id": "p-1"}),
        (
            event("$identify", of=PHONE, distinct_id="u-1", **{"$anon_distinct_id": "p-1"}),
            {"user_id": "u-1", "anonymous_id": "p-1"},
        ),
        (event(of=PHONE, distinct_id="u-1", **{"$is_identified": True}), {"user_id": "u-1"}),
        (server("bill paid", "u-1"), {"user_id": "u-1"}),
        (server("bill paid", 42), {"user_id": "42"}),
        (server("x", "r-1", **{"$process_person_profile": False}), {"anonymous_id": "r-1"}),
        (
            server("x", "r-1", top={"options": {"process_person_profile": False}}),
            {"anonymous_id": "r-1"},
        ),
        (server("x", "anon-7"), {"anonymous_id": "anon-7"}),
        (
            server("$create_alias", "anon-7", alias="u-1"),
            {"user_id": "u-1", "previous_id": "anon-7"},
        ),
        (
            event("$create_alias", of={"$lib": "posthog-node"}, distinct_id="u-1", alias="anon-7"),
            {"user_id": "u-1", "previous_id": "anon-7"},
        ),
        (event("$identify", of={"$lib": "posthog-node"}, distinct_id="u-1"), {"user_id": "u-1"}),
    ],
)
async def test_a_distinct_id_is_a_persons_or_a_devices_as_its_event_says(written_event, people):
    door = Door(sources=[SHOP | {"channel": None, "anonymous_ids": "anon-.*"}])

    await send(door, written_event)

    assert [one.identifiers for one in door.touchpoints] == [people]


async def test_traits_identify_by_hash_and_are_not_kept_in_the_clear():
    door = Door()
    traits = {"email": "Ann@Example.com", "phone": "+442079460042", "plan": "gold"}

    await send(
        door,
        server("$set", "u-1", top={"$set": traits, "uuid": "outside"}),
        server("$set", "u-1", **{"$set": traits}),
    )

    first, second = door.touchpoints
    assert first.identifiers == second.identifiers
    assert first.identifiers.keys() == {"user_id", "email", "phone"}
    for one in (first, second):
        assert properties(one)["$set"] == {"plan": "gold"}
        assert b"xample.com" not in bytes(one.properties)


async def test_what_stands_beside_the_properties_is_kept_too():
    door = Door()

    await send(door, server("x", "u", top={"window_id": "w", "$set_once": {"a": 1}, "new": [1]}))

    kept = properties(door.touchpoints[0])
    assert (kept["window_id"], kept["$set_once"], kept["new"]) == ("w", {"a": 1}, [1])


async def test_a_servers_group_names_nobody_and_is_refused_with_its_reason():
    door = Door()

    receipt = await send(door, server("$groupidentify", "$company_acct-9"), event())

    assert [one["status"] for one in receipts(receipt)] == ["rejected", "accepted"]
    assert [(one.reason, one.where) for one in door.letters] == [
        (Reason.NO_IDENTIFIER, "$.distinct_id")
    ]


@pytest.mark.parametrize(
    ("change", "minutes"),
    [
        ({"timestamp": "2026-11-22T11:00:00"}, 60),
        ({"timestamp": "2026-11-22T12:00:00+01:00"}, 60),
        ({"timestamp": 1795345200000}, 60),
        ({"timestamp": None, "properties": BROWSER | {"$time": 1795345200.0}}, 60),
        ({"timestamp": None, "offset": 120_000}, 2),
        ({"timestamp": ""}, 0),
    ],
)
async def test_the_time_is_read_in_every_writing(change, minutes):
    door = Door()

    await send(door, event() | change)

    assert door.touchpoints[0].occurred_at == NOON - timedelta(minutes=minutes)


async def test_a_clock_that_is_wrong_again_and_again_is_corrected_by_either_send_time():
    door = Door()
    slow = timedelta(hours=1)

    for number in range(3):
        sent = (door.now - slow).isoformat()
        await send(door, event() | {"uuid": f"v0-{number}", "timestamp": sent}, sent_at=sent)
        v1 = server("x", "u-9", top={"uuid": f"v1-{number}", "timestamp": sent})
        await door.raw(
            written({"batch": [v1], "created_at": sent}),
            "posthog",
            headers={"PostHog-Request-Timestamp": sent},
            key="shop-key",
        )
        door.later(seconds=30)

    behind = {one.id: one.received_at - one.occurred_at for one in door.touchpoints}
    assert (behind["v0-0"], behind["v0-2"]) == (slow, timedelta(0))
    assert (behind["v1-0"], behind["v1-2"]) == (slow, timedelta(0))


@pytest.mark.parametrize(
    "change",
    [
        {"event": None},
        {"event": ""},
        {"event": {"a": 1}},
        {"properties": [1]},
        {"timestamp": "soon"},
        {"timestamp": True},
        {"distinct_id": None, "properties": {}},
        {"distinct_id": "v\x07"},
        {"uuid": [1]},
    ],
)
async def test_an_event_that_cannot_be_one_spoils_no_other(change):
    door = Door()

    receipt = await send(door, event(), event() | change)

    assert [one["status"] for one in receipts(receipt)] == ["accepted", "rejected"]
    assert len(door.letters) == 1


async def test_a_library_that_is_no_text_is_none():
    door = Door()

    receipt = await send(door, event(), event(**{"$lib": [1]}), event(**{"$lib": {"a": 1}}))

    assert (receipt.accepted, receipt.rejected) == (3, 0)
