"""Who may see what, from where a browser may ask, and what every answer forbids."""

import json

import pytest
from yarl import URL

from pipeline.cli.console import check_address
from pipeline.cli.options import Misuse
from pipeline.console import access as access_module
from pipeline.console.access import Access, Account
from pipeline.passwords import hashed, matches, problem_of
from pipeline.settings import ConsoleSettings, ConsoleUser
from tests.unit.console.asking import PASSWORD, audited, logged_in, read, token_of
from tests.unit.console.stores import (
    NOW,
    Kept,
    alert,
    outcome,
    verdict,
)


@pytest.mark.parametrize("path", ["/", "/nope", "/static/console.js", "/journeys", "/live?page=/"])
async def test_every_answer_forbids_scripts_and_frames_of_others(served, path):
    client = await served()

    async with client.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:1234", 200),
        ("127.0.0.1", 200),
        ("[::1]:8081", 200),
        ("console.example", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ],
)
async def test_a_name_that_is_not_ours_is_answered_with_nothing(served, host, status):
    client = await served()

    answer = await client.get("/", headers={"Host": host})

    assert answer.status == status
    assert ("Paying" in await answer.text()) is (status == 200)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_the_console_only_reads(served, method):
    client = await served()

    assert (await client.request(method, "/")).status == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
        {"Sec-Fetch-Site": "none", "Origin": "null"},
        {"Origin": "null"},
    ],
)
async def test_a_form_of_another_page_is_refused(served, headers):
    client = await served()
    form = await read(await client.get("/journeys"))

    asked = {"identifier": "ann", "csrf": token_of(form)}
    assert (await client.post("/journeys", data=asked, headers=headers)).status == 403


async def test_a_form_of_our_own_is_taken_as_browsers_send_it(served):
    client = await served()
    form = await read(await client.get("/journeys"))

    # What Chromium sends from a page whose policy is to tell no referrer.
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
    asked = {"identifier": "user_id:u-1", "csrf": token_of(form)}
    answer = await client.post("/journeys", data=asked, headers=headers)

    assert (answer.status, answer.url.path) == (200, "/journeys/ann")


@pytest.mark.parametrize("token", ["", "0" * 64, "\N{SNOWMAN}"])
async def test_a_form_without_its_token_is_refused(served, token):
    client = await served()

    asked = {"identifier": "ann", "csrf": token}
    assert (await client.post("/journeys", data=asked)).status == 403


async def test_where_users_are_named_nobody_else_sees_anything(served):
    client = await served(logins=True)

    for path in ("/", "/missions", "/pipeline", "/journeys/ann", "/?table=matrix&format=csv"):
        answer = await client.get(path, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/login")
    assert (await client.get("/live?page=/")).status == 401


async def test_a_viewer_sees_sums_and_no_single_customer(served):
    client = await served(logins=True)
    viewer = await logged_in(client, "viewer")

    assert (await client.get("/", headers=viewer)).status == 200
    for path in ("/journeys", "/journeys/ann"):
        assert (await client.get(path, headers=viewer)).status == 403
    for path in ("/incidents/a-1", "/touchpoints/pay-online", "/"):
        assert "/journeys" not in await (await client.get(path, headers=viewer)).text()


async def test_an_operator_sees_single_customers_and_is_written_down_by_name(served, tmp_path):
    client = await served(logins=True)
    operator = await logged_in(client, "operator")

    assert (await client.get("/journeys/ann", headers=operator)).status == 200
    assert audited(tmp_path)[-1] == ("operator", "read", "digest of ann")


async def test_a_person_who_may_not_or_is_lost_is_told_so_on_a_page_with_a_way_back(served):
    client = await served(logins=True)
    viewer = {**await logged_in(client, "viewer"), "Accept": "text/html"}

    for path, status, said in (
        ("/journeys/ann", 403, "Single customers are shown to operators only"),
        ("/journeys", 403, "ask whoever runs the console for the role operator"),
        ("/nope", 404, "There is no such page"),
        ("/incidents/long-gone", 404, "no longer kept"),
        ("/touchpoints/never-met", 404, "no longer kept"),
    ):
        answer = await client.get(path, headers=viewer)
        page = await read(answer)
        assert (answer.status, said in page.text) == (status, True), path
        assert ("href", "/") in page.attributes
        assert "ann" not in page.text.replace("cannot", "")
        assert answer.headers["Content-Security-Policy"]


async def test_who_has_logged_out_is_out(served):
    client = await served(logins=True)
    viewer = await logged_in(client, "viewer")
    page = await read(await client.get("/", headers=viewer))

    asked = {"csrf": token_of(page)}
    left = await client.post("/logout", data=asked, headers=viewer, allow_redirects=False)

    assert left.status == 303
    again = await client.get("/", headers=viewer, allow_redirects=False)
    assert again.headers["Location"] == "/login"


async def test_a_name_is_locked_after_five_wrong_passwords(served):
    client = await served(logins=True)
    token = token_of(await read(await client.get("/login")))

    async def tried(name, password):
        asked = {"name": name, "password": password, "csrf": token}
        return (await client.post("/login", data=asked, allow_redirects=False)).status

    assert [await tried("viewer", "wrong") for _ in range(5)] == [403] * 5
    assert await tried("viewer", PASSWORD) == 429
    assert await tried("operator", PASSWORD) == 303


def test_a_session_ends_by_itself(monkeypatch, cheap):
    clock = [0.0]
    monkeypatch.setattr(access_module, "monotonic", lambda: clock[0])
    access = Access({"ann": Account("viewer", hashed(PASSWORD))}, frozenset())
    cookie = access.begin("ann")

    for at in (0, access_module.IDLE_MAX - 1):
        clock[0] = at
        assert access.user_of(cookie) is not None
    clock[0] += access_module.IDLE_MAX + 1
    assert access.user_of(cookie) is None


async def test_a_table_comes_as_a_file_with_its_filters(served):
    client = await served()

    answer = await client.get("/missions/pay-bill?window=7d&table=costs&format=csv")

    assert answer.headers["Content-Disposition"] == ('attachment; filename="touchpoints-costs.csv"')
    assert await answer.text() == "touchpoint,lost,value\r\npay-online,1,38.5\r\n"
    assert (await client.get("/missions/pay-bill?table=nope&format=csv")).status == 404
    assert (await client.get("/missions/pay-bill?table=costs&format=exe")).status == 404


async def test_a_thing_is_reached_by_its_links_whatever_its_name_is(served):
    name = "/pay?now=1#here/..//%2F & \N{RIGHT-TO-LEFT OVERRIDE}"
    client = await served(
        records=[verdict(name, touchpoint=name, mission=name), outcome(mission=name)]
    )
    for path in ("/touchpoints", "/missions"):
        (first,) = await links_below(client, path, f"{path}/")
        page = await links_below(client, first, f"{path}/")

        assert len(page) > 4, path  # other times, other filters, downloads
        for link in page:
            answer = await client.get(URL(link, encoded=True))
            assert (answer.status, name in answer.url.path) == (200, True), link


async def links_below(client, address, path):
    """The links of a page to what is below a path."""
    found = await read(await client.get(URL(address, encoded=True)))
    return [
        value for key, value in found.attributes if key == "href" and (value or "").startswith(path)
    ]


async def test_what_changes_is_sent_to_who_looks(served, tmp_path):
    client = await served()
    page = await read(await client.get("/"))
    seq = dict(page.attributes)["data-live"]

    async with client.get(f"/live?page=/&seq={seq}") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert await stream.content.readline() == b"retry: 2000\n"
        Kept(tmp_path).keep(alert("resolved", version=2, resolved_at=NOW))
        await stream.content.readline()
        assert await stream.content.readline() == b"event: sections\n"
        told = json.loads((await stream.content.readline()).removeprefix(b"data: "))

    assert told["order"] == ["s-notice", "s-headline", "s-incidents", "s-cost", "s-matrix"]
    assert "works again" in told["changed"]["s-incidents"]
    assert "s-cost" not in told["changed"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "console.example"])
def test_an_address_that_others_reach_needs_users(host, cheap):
    with pytest.raises(Misuse, match="expected loopback while nobody has to log in"):
        check_address(host, ConsoleSettings())


def test_with_users_any_address_will_do():
    user = ConsoleUser(name="ann", role="viewer", password=hashed(PASSWORD))

    check_address("0.0.0.0", ConsoleSettings(users=(user,)))
    check_address("::1", ConsoleSettings())
    check_address("localhost", ConsoleSettings())


def test_a_password_is_kept_so_that_only_it_matches():
    kept = hashed(PASSWORD)

    assert problem_of(kept) is None
    assert PASSWORD not in kept
    assert matches(PASSWORD, kept)
    assert not matches(PASSWORD + " ", kept)
    assert hashed(PASSWORD) != kept


@pytest.mark.parametrize("kept", [PASSWORD, "scrypt:2:8:1:AAAA:AAAA", "scrypt:x", ""])
def test_a_password_that_is_not_hashed_is_refused_by_the_settings(kept):
    with pytest.raises(ValueError, match="hash-password"):
        ConsoleUser(name="ann", role="viewer", password=kept)
