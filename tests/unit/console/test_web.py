"""Who may see what, from where a browser may ask, and what every answer forbids."""

import json

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from pipeline import passwords
from pipeline.cli.console import check_address, typed_identifier
from pipeline.cli.options import Misuse
from pipeline.console import access as access_module
from pipeline.console.access import Access, Account
from pipeline.console.audit import AUDIT_NAME, Audit
from pipeline.console.rendering import Renderer
from pipeline.console.web import Console, application
from pipeline.passwords import hashed, matches, problem_of
from pipeline.settings import ConsoleSettings, ConsoleUser
from tests.builders import RULES
from tests.unit.console.stores import CAUGHT_UP, NOW, Kept, Read, alert, change, everything

PASSWORD = "correct horse battery"


@pytest.fixture
def cheap(monkeypatch):
    """Passwords that cost nothing to check."""
    monkeypatch.setitem(passwords.SCRYPT, "n", 2**4)


@pytest.fixture
async def served(tmp_path, cheap):
    """Serves a console; `operator` and `viewer` where somebody has to log in."""
    clients = []

    async def serve(*, logins=False, records=None):
        kept = Kept(tmp_path).keep(*(everything() if records is None else records))
        kept.keep(change("linked", identifier="user_id:u-1"))
        accounts = {
            name: Account(name, hashed(PASSWORD)) for name in ("operator", "viewer") if logins
        }
        console = Console(
            renderer=Renderer(tmp_path, RULES, lambda: CAUGHT_UP, lambda: NOW),
            access=Access(accounts, frozenset({"console.example"})),
            audit=Audit(tmp_path, lambda name: f"digest of {name}", lambda: NOW),
            identifier_of=lambda text: text,
        )
        # Over plain HTTP a client keeps no cookie that is `Secure`; the tests carry it themselves.
        client = TestClient(TestServer(application(console)), cookie_jar=CookieJar(unsafe=True))
        await client.start_server()
        clients.append(client)
        return client

    yield serve
    for client in clients:
        await client.close()


async def read(answer):
    return Read(await answer.text())


def token_of(page):
    found = dict(enumerate(page.attributes))
    at = next(n for n, one in found.items() if one == ("name", "csrf"))
    return found[at + 1][1]


async def logged_in(client, name):
    form = await read(await client.get("/login"))
    answer = await client.post(
        "/login",
        data={"name": name, "password": PASSWORD, "csrf": token_of(form)},
        allow_redirects=False,
    )
    assert answer.status == 303
    cookie = answer.cookies["__Host-touchpoints"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Strict")
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    return {"Cookie": f"__Host-touchpoints={cookie.value}"}


def audited(tmp_path):
    lines = (tmp_path / AUDIT_NAME).read_text().splitlines()
    return [(one["user"], one["action"], one["customer"]) for one in map(json.loads, lines)]


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


async def test_a_customer_is_found_by_what_is_typed_and_that_is_written_down(served, tmp_path):
    client = await served()
    form = await read(await client.get("/journeys"))

    asked = {"identifier": " user_id:u-1 ", "csrf": token_of(form)}
    answer = await client.post("/journeys", data=asked)

    assert answer.status == 200
    assert answer.url.path == "/journeys/ann"
    assert "One customer's story" in (await read(answer)).text
    assert audited(tmp_path) == [
        ("local", "searched", "digest of ann"),
        ("local", "read", "digest of ann"),
    ]
    assert "u-1" not in (tmp_path / AUDIT_NAME).read_text()
    assert (tmp_path / AUDIT_NAME).stat().st_mode & 0o777 == 0o600


async def test_a_story_that_cannot_be_written_down_is_not_shown(served, tmp_path):
    client = await served()
    (tmp_path / AUDIT_NAME).mkdir()

    answer = await client.get("/journeys/ann")

    assert answer.status == 500
    assert "Paying" not in await answer.text()


async def test_a_customer_who_was_erased_is_not_found(served):
    client = await served(records=(*everything(), change("erased")))
    form = await read(await client.get("/journeys"))

    asked = {"identifier": "ann", "csrf": token_of(form)}
    found = await client.post("/journeys", data=asked)

    assert found.status == 404
    assert "erased" in (await read(found)).text
    assert (await client.get("/journeys/ann")).status == 404


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_a_form_of_another_page_is_refused(served, headers):
    client = await served()
    form = await read(await client.get("/journeys"))

    asked = {"identifier": "ann", "csrf": token_of(form)}
    assert (await client.post("/journeys", data=asked, headers=headers)).status == 403


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


def test_what_is_typed_is_hashed_as_the_topics_have_it():
    from listeners.settings import ListenerSettings

    chosen = ListenerSettings()

    hashed_once = typed_identifier("email:Ann@Example.com", chosen=chosen)
    assert "example" not in hashed_once
    assert typed_identifier("email: ann@example.com ", chosen=chosen) == hashed_once
    assert typed_identifier("5f0e6a52-9d0c-5b55", chosen=chosen) == "5f0e6a52-9d0c-5b55"
    with pytest.raises(ValueError, match="names somebody"):
        typed_identifier("user_id:null", chosen=chosen)
