"""How a test asks the console over HTTP: as a browser would, and logged in."""

import json

from pipeline.console.audit import AUDIT_NAME
from tests.unit.console.stores import Read

PASSWORD = "correct horse battery"


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
