"""Every SDK of the makers that we speak for, unchanged, told no more than our address and a key.

What each did stands in `sdks/`; here stands what has to come of it, field by field. First against
`touchpoints up`, then against a listener whose first answers are 503 and 429: nothing may be lost,
and what comes twice must come with the same id. What is not installed and cannot be fetched is
skipped, with its reason.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from listeners.credentials import hash_identifier
from listeners.settings import OPEN_HASH_KEY
from tests.integration.sdks import running

HAPPENED = datetime(2026, 11, 22, 11, 30, tzinfo=UTC)
EMAIL = hash_identifier("ann@example.com", OPEN_HASH_KEY.encode())
SHOP, PAGE = "/billing", "/page.html"
KNOWN = ("identity_only",)
FAILED = ("http_5xx",)
ANONYMOUS, SESSION = "the visitor's id", "the visit's id"


class Seen(NamedTuple):
    """What must come of one call."""

    name: str
    people: dict[str, str]
    channel: str = "web"
    location: str | None = None
    session: str | None = None
    signals: tuple[str, ...] = ()
    then: bool = False  # it happened when the caller said, else while the test ran
    kept: dict[str, Any] = {}  # noqa: RUF012 - read only


A, U = {"anonymous_id": "a-1"}, {"user_id": "u-1"}
OLD = {"previous_id": "a-1"}

CAMPAIGN = {"campaign": {"name": "spring", "source": "mail"}}

SERVER_CALLS = [
    Seen("Billing", A, location=SHOP, session="s-1", then=True, kept=CAMPAIGN),
    Seen("Balance", A, "app", "Balance", then=True),
    Seen("Paid", A | U, signals=FAILED, kept={"status": 502, "type": "track"}),
    Seen("identify", A | U | {"email": EMAIL}, signals=KNOWN),
    Seen("alias", U | OLD, signals=KNOWN),
    Seen("group", U, signals=KNOWN, kept={"groupId": "g-1"}),
]

TRACKED = A | U | {"network_user_id": "n-1"}
TITLE = {"page": "Billing \u260e", "contexts": {"mission": {"step": 1}}} | CAMPAIGN
TRACKER = [
    Seen("page_view", TRACKED, "web", SHOP, "s-1", then=True, kept=TITLE),
    Seen("pay", TRACKED, session="s-1", kept={"se_ca": "billing", "se_va": "12.5"}),
    Seen("bill_paid", TRACKED, session="s-1", signals=FAILED, kept={"status": 502}),
    Seen("screen_view", TRACKED, location="Balance", session="s-1"),
]
PINGS = [Seen("page_ping", TRACKED, location=SHOP, session="s-1")] * 4

VIEW = {"type": "$pageview"} | CAMPAIGN
HOG = [
    Seen("page_view", U, location=SHOP, session="s-1", then=True, kept=VIEW),
    Seen("Paid", U, signals=FAILED, kept={"status": 502}),
    Seen("create_alias", U | OLD, signals=KNOWN),
]
HOG_PYTHON = [
    *HOG,
    Seen("set", U | {"email": EMAIL}, signals=KNOWN, kept={"$set": {"plan": "gold"}}),
    Seen("quiet", {"anonymous_id": "a-2"}),
]
HOG_NODE = [
    *HOG,
    Seen("identify", U | {"email": EMAIL}, signals=KNOWN, kept={"$set": {"plan": "gold"}}),
]

CLOUD = [
    Seen("com.example.bill_paid", U, location="/pay", session="s-1", signals=FAILED, then=True)
] * 2

V = {"anonymous_id": ANONYMOUS}
DEVICE = {"device_id": ANONYMOUS}
MAIL = {"email": EMAIL}


def visit(session: str | None, traits_stay: bool) -> list[Seen]:
    """What the pages of Segment and RudderStack do; the latter's traits stay from then on."""
    stays = MAIL if traits_stay else {}
    return [
        Seen("Billing", V, location=PAGE, session=session),
        Seen("Paid", V, location=PAGE, session=session, signals=FAILED, kept={"status": 502}),
        Seen("identify", V | U | MAIL, location=PAGE, session=session, signals=KNOWN),
        Seen("group", V | U | stays, location=PAGE, session=session, signals=KNOWN),
    ]


PAGE_TRACKER = [
    Seen("page_view", V | U, location=PAGE, session=SESSION, kept={"page": "Billing \u260e"}),
    Seen("pay", V | U, location=PAGE, session=SESSION, kept={"se_ca": "billing"}),
    Seen("bill_paid", V | U, location=PAGE, session=SESSION, signals=FAILED),
    *[Seen("later", V | U, location=PAGE, session=SESSION)] * 4,
]
PAGE_HOG = [
    Seen("page_view", V, location=PAGE, session=SESSION),
    Seen("Paid", V, location=PAGE, session=SESSION, signals=FAILED),
    *[Seen("autocapture", V, location=PAGE, session=SESSION)] * 3,
    Seen("rageclick", V, location=PAGE, session=SESSION, signals=("rage_click",)),
    Seen("exception", V, location=PAGE, session=SESSION, signals=("js_error",)),
    Seen("identify", V | U | MAIL, location=PAGE, session=SESSION, signals=KNOWN),
    Seen(
        "create_alias",
        DEVICE | U | {"previous_id": "u-1-of-old"},
        location=PAGE,
        session=SESSION,
        signals=KNOWN,
    ),
    Seen("Seen", DEVICE | U, location=PAGE, session=SESSION),
]
LEFT = [
    Seen("Leaving", DEVICE | U, location=PAGE, session=SESSION),
    Seen("page_leave", DEVICE | U, location=PAGE, session=SESSION),
]

EXPECTED: dict[str, list[Seen]] = {
    "segment-python": SERVER_CALLS,
    "rudderstack-python": SERVER_CALLS,
    "rudderstack-python-plain": SERVER_CALLS,
    "snowplow-python": TRACKER,
    "snowplow-python-get": TRACKER,
    "posthog-python": HOG_PYTHON,
    "posthog-python-gzip": HOG_PYTHON,
    "posthog-python-v1": HOG_PYTHON,
    "cloudevents-python": CLOUD,
    "segment-node": SERVER_CALLS,
    "rudderstack-node": SERVER_CALLS,
    "rudderstack-node-plain": SERVER_CALLS,
    "snowplow-node": [*TRACKER, *PINGS],
    "snowplow-node-get": [*TRACKER, *PINGS],
    "posthog-node": HOG_NODE,
    "segment-browser": visit(None, traits_stay=False),
    "rudderstack-browser": visit(SESSION, traits_stay=True),
    "snowplow-browser": PAGE_TRACKER,
    "snowplow-browser-get": PAGE_TRACKER,
    "posthog-browser": PAGE_HOG,
}


SENT_LATER = {
    "segment-browser": [
        one._replace(people=V | U) if one.name == "Paid" else one
        for one in EXPECTED["segment-browser"]
    ]
}
"""Segment's page reads the user's id as it sends: what was turned away carries the later one."""


def needs(key: str) -> tuple[str, ...]:
    """What has to be there for an SDK to be run."""
    if key.endswith("-browser") or "-browser-" in key:
        return ("npm", "browser")
    if "-node" in key:
        return ("npm",)
    return ("pypi",) if key.startswith("snowplow-python") else ()


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> running.Outcome:
    browsers = [key for key in EXPECTED if "browser" in needs(key)]

    def complete(records: running.Records) -> bool:
        return all(
            len({one["id"] for one in records.get(key, ())}) >= len(EXPECTED[key])
            for key in browsers
        )

    return running.run(tmp_path_factory.mktemp("sdks"), complete)


def skip_unless_run(outcome: running.Outcome, key: str) -> None:
    for need in needs(key):
        if need in outcome.missing:
            pytest.skip(outcome.missing[need])


def comparable(record: dict[str, Any], kept: set[str], began: datetime) -> tuple[Any, ...]:
    occurred = datetime.fromisoformat(record["occurred_at"])
    now = datetime.now(UTC)  # noqa: TID251 - the SDKs' clock, too
    if occurred == HAPPENED:
        when = "then"
    else:
        when = "now" if began - timedelta(seconds=2) <= occurred <= now else occurred.isoformat()
    return (
        record["name"],
        sorted(record["identifiers"].items()),
        record["channel"],
        record.get("location"),
        record.get("session_hint"),
        list(record.get("signals") or ()),
        when,
        sorted((name, str(record["properties"].get(name))) for name in kept),
    )


def assert_seen(
    records: list[dict[str, Any]], expected: list[Seen], told: dict[str, str], began: datetime
) -> None:
    """Every call came out as it must, and nothing else did."""
    ids = {ANONYMOUS: told.get("anonymous"), SESSION: told.get("session")}
    kept = {one.name: set(one.kept) for one in expected}
    wanted = [
        (
            one.name,
            sorted((kind, ids.get(value, value)) for kind, value in one.people.items()),
            one.channel,
            one.location,
            ids.get(one.session, one.session),
            list(one.signals),
            "then" if one.then else "now",
            sorted((name, str(value)) for name, value in one.kept.items()),
        )
        for one in expected
    ]
    found = [comparable(one, kept.get(one["name"], set()), began) for one in records]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)


def contexts_aside(key: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the contexts that a tracker adds by itself, once they are known to be there."""
    for record in records:
        if key.startswith("snowplow-browser"):
            contexts = record["properties"]["contexts"]
            assert contexts["web_page"]["id"]
            assert contexts["client_session"]["sessionId"] == record["session_hint"]
            assert contexts["client_session"]["userId"] == record["identifiers"]["anonymous_id"]
    return records


def visitor(key: str, told: dict[str, Any], records: list[dict[str, Any]]) -> dict[str, str]:
    """What a page called its visitor; Snowplow's does not say, so all must say the same."""
    if not key.startswith("snowplow-browser"):
        return told.get(key, {})
    assert len({one["identifiers"]["anonymous_id"] for one in records}) == 1
    assert len({one["session_hint"] for one in records}) == 1
    first = records[0]
    return {"anonymous": first["identifiers"]["anonymous_id"], "session": first["session_hint"]}


@pytest.mark.parametrize("key", EXPECTED)
def test_an_sdk_arrives_field_by_field(outcome: running.Outcome, key: str) -> None:
    skip_unless_run(outcome, key)
    records = contexts_aside(key, outcome.calm.get(key, []))

    expected = [*EXPECTED[key], *(LEFT if key == "posthog-browser" else ())]
    assert_seen(records, expected, visitor(key, outcome.told, records), outcome.began)
    assert len({one["id"] for one in records}) == len(records)


@pytest.mark.parametrize("key", EXPECTED)
def test_an_sdk_that_is_turned_away_loses_and_doubles_nothing(
    outcome: running.Outcome, key: str
) -> None:
    skip_unless_run(outcome, key)
    came = outcome.moody.get(key, [])
    once = list({one["id"]: one for one in reversed(came)}.values())  # The first of each.
    expected = SENT_LATER.get(key, EXPECTED[key])

    assert_seen(once, expected, visitor(key, outcome.told_moody, once), outcome.began)
    assert outcome.asked[key] >= 3
    assert len(came) > len(once)  # What was durable and not acknowledged came again.
    same = {(one["id"], one["occurred_at"]) for one in came}
    assert len(same) == len(once)


def test_no_sdk_of_a_page_failed(outcome: running.Outcome) -> None:
    skip_unless_run(outcome, "posthog-browser")

    assert (outcome.told["faults"], outcome.told_moody["faults"]) == ([], [])
