"""A console that is served, and closed afterwards."""

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from pipeline import passwords
from pipeline.console.access import Access, Account
from pipeline.console.audit import Audit
from pipeline.console.rendering import Renderer
from pipeline.console.web import Console, application
from pipeline.passwords import hashed
from tests.builders import RULES
from tests.unit.console.asking import PASSWORD
from tests.unit.console.stores import CAUGHT_UP, NOW, Kept, change, everything


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
