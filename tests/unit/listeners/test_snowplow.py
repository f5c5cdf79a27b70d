import json
from datetime import UTC, datetime, timedelta

import pytest

from listeners.errors import Reason
from tests.unit.listeners.doors import NOON, Door, properties, receipts
from tests.unit.listeners.snowplow_events import (
    EVENT,
    NOBODY,
    client_session,
    contexts,
    described,
    encoded,
    event,
    millis,
    self_describing,
)


async def test_a_page_view_becomes_a_touchpoint_field_by_field():
    door = Door()

    await door.snowplow(event(uid="u-1", nuid="n-1", ua="Mozilla/5.0", ip="203.0.113.7"))

    [touchpoint] = door.touchpoints
    assert (touchpoint.id, touchpoint.name, touchpoint.channel) == ("e-1", "page_view", "web")
    assert touchpoint.source == "shop-app"
    assert touchpoint.occurred_at == NOON - timedelta(minutes=1)
    assert (touchpoint.location, touchpoint.session_hint) == ("/billing", "s-1")
    assert touchpoint.identifiers == {
        "anonymous_id": "d-1",
        "user_id": "u-1",
        "network_user_id": "n-1",
    }
    assert properties(touchpoint) == {
        "type": "pv",
        "aid": "shop-app",
        "p": "web",
        "tv": "js-4.10.1",
        "url": "https://shop.example.com/billing?utm_source=mail&utm_campaign=spring&x=1",
        "page": "Billing",
        "refr": "https://shop.example.com/",
        "vid": "3",
        "ua": "Mozilla/5.0",
        "campaign": {"source": "mail", "name": "spring"},
    }


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (event("pp", pp_mix="0", pp_may="400"), "page_ping"),
        (event("se", se_ca="billing", se_ac="pay", se_va="12.5"), "pay"),
        (event("tr", tr_id="o-1"), "transaction"),
        (event("ti", ti_id="o-1"), "transaction_item"),
        (described("bill_paid", {"amount": 12.5}), "bill_paid"),
    ],
)
async def test_each_kind_of_event_has_its_name_and_keeps_what_it_says(written, name):
    door = Door()

    await door.snowplow(written)

    [touchpoint] = door.touchpoints
    kept = properties(touchpoint)
    assert touchpoint.name == name
    own = {key: value for key, value in written.items() if key[:3] in ("pp_", "se_", "tr_", "ti_")}
    assert own.items() <= kept.items()


@pytest.mark.parametrize(
    "written",
    [
        {"ue_px": encoded({"schema": EVENT, "data": self_describing("a.b", "c", {"t": "ž☎"})})},
        {
            "ue_px": encoded(
                {"schema": EVENT, "data": self_describing("a.b", "c", {"t": "ž☎"})}, padded=False
            )
        },
        {"ue_pr": json.dumps({"schema": EVENT, "data": self_describing("a.b", "c", {"t": "ž☎"})})},
    ],
    ids=["padded", "unpadded", "plain"],
)
async def test_a_self_describing_event_is_read_in_every_writing(written):
    door = Door()

    await door.snowplow(event("ue", **written))

    [touchpoint] = door.touchpoints
    assert touchpoint.name == "c"
    assert properties(touchpoint)["t"] == "ž☎"
    assert properties(touchpoint)["schema"] == "iglu:a.b/c/jsonschema/1-0-0"


@pytest.mark.parametrize("key", ["cx", "co"])
async def test_contexts_are_kept_by_name_and_several_of_one_name_as_a_list(key):
    door = Door()
    told = contexts(
        self_describing("com.snowplowanalytics.snowplow", "web_page", {"id": "p-1"}),
        self_describing("com.example", "item", {"n": 1}),
        self_describing("com.example", "item", {"n": 2}),
        self_describing("com.example", "item", {"n": 3}),
    )

    await door.snowplow(event(**{key: encoded(told) if key == "cx" else json.dumps(told)}))

    assert properties(door.touchpoints[0])["contexts"] == {
        "web_page": {"id": "p-1"},
        "item": [{"n": 1}, {"n": 2}, {"n": 3}],
    }


@pytest.mark.parametrize(
    "vendor", ["com.snowplowanalytics.mobile", "com.snowplowanalytics.snowplow"]
)
async def test_a_phones_screen_is_a_location_and_its_session_a_context(vendor):
    door = Door()
    session = client_session(userId="phone-1", sessionId="s-9", sessionIndex=2, eventIndex=5)

    await door.snowplow(
        described(
            "screen_view",
            {"name": "Balance", "id": "x"},
            vendor,
            p="mob",
            url=None,
            duid=None,
            sid=None,
            cx=encoded(contexts(session)),
        )
    )

    [touchpoint] = door.touchpoints
    assert (touchpoint.name, touchpoint.channel) == ("screen_view", "app")
    assert (touchpoint.location, touchpoint.session_hint) == ("Balance", "s-9")
    assert touchpoint.identifiers == {"device_id": "phone-1"}
    assert properties(touchpoint)["contexts"]["client_session"]["sessionIndex"] == 2
    assert touchpoint.sequence == 5


@pytest.mark.parametrize(
    ("session", "sequence"),
    [
        ({"sessionId": "s-9", "eventIndex": 5}, 5),
        ({"sessionId": "s-9", "eventIndex": "5"}, 5),
        ({"sessionId": "another", "eventIndex": 5}, None),
        ({"sessionId": "s-9", "eventIndex": -1}, None),
        ({"sessionId": "s-9"}, None),
    ],
)
async def test_the_index_of_an_event_is_its_number_in_the_session_it_names(session, sequence):
    door = Door()

    await door.snowplow(event(sid="s-9", cx=encoded(contexts(client_session(**session)))))

    assert [one.sequence for one in door.touchpoints] == [sequence]


async def test_the_sessions_user_is_no_second_device_where_it_is_the_domain_user():
    door = Door()

    await door.snowplow(event(cx=encoded(contexts(client_session(userId="d-1", sessionId="s-1")))))

    assert door.touchpoints[0].identifiers == {"anonymous_id": "d-1"}


async def test_anonymous_tracking_is_kept_together_by_its_session_and_names_nobody():
    door = Door()
    session = client_session(userId=NOBODY, sessionId="s-1")

    await door.snowplow(
        event(duid=None, cx=encoded(contexts(session))),
        event(duid=None, sid=None, eid="e-2"),
    )

    assert [one.identifiers for one in door.touchpoints] == [
        {"anonymous_id": "session-s-1"},
        {"anonymous_id": "event-e-2"},
    ]


async def test_a_true_time_wins_and_no_clock_corrects_it():
    door = Door()
    slow = timedelta(hours=1)
    true = NOON - timedelta(days=3)

    for number in range(4):
        times = {"dtm": millis(door.now - slow), "stm": millis(door.now - slow)}
        await door.snowplow(
            event(eid=f"device-{number}", **times),
            event(eid=f"true-{number}", ttm=millis(true), **(times | {"dtm": None})),
        )
        door.later(seconds=30)

    by_device = [one for one in door.touchpoints if one.id.startswith("device")]
    assert [one.received_at - one.occurred_at for one in by_device] == [
        slow,
        slow,
        timedelta(0),
        timedelta(0),
    ]
    assert {one.occurred_at for one in door.touchpoints if one.id.startswith("true")} == {true}


async def test_a_send_time_cut_to_seconds_moves_nothing():
    door = Door()
    at = NOON - timedelta(milliseconds=447)

    await door.snowplow(event(dtm=millis(at), stm=millis(at.replace(microsecond=0))))

    assert door.touchpoints[0].occurred_at == at


async def test_without_any_time_the_arrival_counts_in_the_order_of_the_body():
    door = Door()

    await door.snowplow(event(dtm=None), event(dtm=None, eid="e-2"))

    assert [one.occurred_at - NOON for one in door.touchpoints] == [
        timedelta(0),
        timedelta(microseconds=1),
    ]


@pytest.mark.parametrize(
    ("name", "data", "platform", "signals"),
    [
        ("application_error", {"message": "x is not a function"}, "web", ("js_error",)),
        ("application_error", {"message": "x", "isFatal": True}, "mob", ("crash",)),
        ("application_error", {"message": "x"}, "srv", ()),
        ("web_vitals", {"lcp": 4000, "inp": 500}, "web", ()),
        ("web_vitals", {"lcp": 4000.1}, "web", ("slow",)),
        ("web_vitals", {"lcp": None, "inp": 501}, "web", ("slow",)),
        ("request_failed", {"status": 502}, "web", ("http_5xx",)),
        ("request_failed", {"timeout": True}, "web", ("timeout",)),
    ],
)
async def test_errors_and_vitals_are_signals(name, data, platform, signals):
    door = Door()

    await door.snowplow(described(name, data, p=platform))

    assert door.touchpoints[0].signals == signals


@pytest.mark.parametrize(
    ("platform", "channel"),
    [("web", "web"), ("mob", "app"), ("app", "app"), ("tv", "app"), ("srv", "web"), (None, "web")],
)
async def test_the_platform_says_the_channel(platform, channel):
    door = Door()

    await door.snowplow(event(p=platform))

    assert door.touchpoints[0].channel == channel


async def test_an_intent_and_a_rating_stand_in_the_events_data():
    door = Door()

    await door.snowplow(
        described("asked", {"intent": "pay", "rating": {"scale": "nps", "value": 9}})
    )

    [touchpoint] = door.touchpoints
    assert (touchpoint.intent, touchpoint.rating.value) == ("pay", 9)


@pytest.mark.parametrize(
    ("written", "reason", "where"),
    [
        (event("zz"), Reason.CALL_UNKNOWN, "$.e"),
        (event(None), Reason.CALL_UNKNOWN, "$.e"),
        (event("se"), Reason.FIELD_MISSING, "$.se_ac"),
        (event("ue"), Reason.FIELD_MISSING, "$.ue_pr"),
        (event("ue", ue_px="!!!"), Reason.FIELD_INVALID, "$.ue_px"),
        (event("ue", ue_px=encoded([1])), Reason.FIELD_INVALID, "$.ue_px"),
        (event("ue", ue_px=encoded({"data": {}})), Reason.FIELD_MISSING, "$.ue_px.data.schema"),
        (event("ue", ue_pr="{"), Reason.NOT_JSON, "$.ue_pr"),
        (event(cx=encoded({"data": {}})), Reason.FIELD_INVALID, "$.cx.data"),
        (event(cx=encoded({"data": [1]})), Reason.FIELD_INVALID, "$.cx.data[0]"),
        (event(dtm="yesterday"), Reason.TIME_INVALID, "$.dtm"),
        (event(ttm="nan"), Reason.TIME_INVALID, "$.ttm"),
        (event(url={"a": 1}), Reason.FIELD_INVALID, "$.url"),
        (event(uid="u\x07"), Reason.CONTROL_CHARACTER, "$.uid"),
        (event(aid="other-app"), Reason.KEY_MISMATCH, "$.aid"),
    ],
)
async def test_an_event_that_cannot_be_one_is_refused_with_its_place_and_spoils_no_other(
    written, reason, where
):
    door = Door()

    receipt = await door.snowplow(event(), written, event(eid="e-3"))

    assert [one.id for one in door.touchpoints] == ["e-1", "e-3"]
    assert [(one.reason, one.where) for one in door.letters] == [(reason, where)]
    assert receipts(receipt)[1]["status"] == "rejected"


async def test_a_time_of_the_future_becomes_the_arrival():
    door = Door()

    await door.snowplow(event(dtm=millis(datetime(2030, 1, 1, tzinfo=UTC))))

    assert door.touchpoints[0].occurred_at == NOON
