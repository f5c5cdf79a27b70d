"""Tokens of the Bot Connector: made here, with a key of our own on a server of our own."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric import rsa

from listeners.credentials import hashed
from listeners.errors import Reason, SettingsInvalid, Unauthorised, Unavailable
from listeners.settings import load
from tests.unit.listeners.doors import NOON, Door, written
from tests.unit.listeners.signing import request
from tests.unit.listeners.test_botframework import activity

SERVICE = "https://directline.botframework.com/"
ISSUER = "https://api.botframework.com"
OWN, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


def public(key: rsa.RSAPrivateKey, named: str, **more: Any) -> dict[str, Any]:
    told = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**told, "kid": named, "use": "sig", **more}


def token(
    key: Any = OWN, *, named: str = "k-1", algorithm: str = "RS256", **claims: Any
) -> dict[str, str]:
    told = {
        "iss": ISSUER,
        "aud": "app-1",
        "exp": int(NOON.timestamp()) + 3600,
        "nbf": int(NOON.timestamp()) - 10,
        "serviceurl": SERVICE,
        **claims,
    }
    told = {name: value for name, value in told.items() if value is not None}
    shown = jwt.encode(told, key, algorithm=algorithm, headers={"kid": named})
    return {"Authorization": f"Bearer {shown}"}


class Connector:
    """Where the keys stand: an OpenID configuration, and the list it names."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys) or [public(OWN, "k-1")]
        self.asked = 0
        self.status = 200

    @asynccontextmanager
    async def door(self, **source: Any) -> AsyncIterator[Door]:
        app = web.Application()
        app.add_routes([web.get("/config", self._config), web.get("/keys", self._listed)])
        wired = web.AppRunner(app, access_log=None)
        await wired.setup()
        await web.TCPSite(wired, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{wired.addresses[0][1]}"
        bot = {"name": "bot", "signed": "botframework", "app_ids": ["app-1", "app-2"]}
        keyed = {"name": "keyed", "keys": [hashed("keyed-key")]}
        try:
            yield Door(sources=[{**bot, "token_keys": f"{self.url}/config", **source}, keyed])
        finally:
            await wired.cleanup()

    async def _config(self, _: web.Request) -> web.Response:
        return web.json_response({"issuer": ISSUER, "jwks_uri": f"{self.url}/keys"})

    async def _listed(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response({"keys": self.keys}, status=self.status)


BODY = written(activity("message", text="my secret words", serviceUrl=SERVICE))


async def receive(door: Door, headers: dict[str, str], body: bytes = BODY) -> None:
    bearer = headers.get("Authorization", "").removeprefix("Bearer ") or None
    await door.listener.receive(body, request("botframework", headers, key=bearer))


@pytest.mark.parametrize("audience", ["app-1", "app-2"])
async def test_a_request_of_the_connector_is_its_sources(audience: str) -> None:
    async with Connector().door() as door:
        await receive(door, token(aud=audience))
        await receive(door, token(aud=audience))

    assert {(one.source, one.id) for one in door.touchpoints} == {("bot", "conv-1/act-1")}


NOW = int(NOON.timestamp())


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (token(OTHER), Reason.SIGNATURE_INVALID),
        (token(named="k-2"), Reason.SIGNATURE_INVALID),
        (token(iss="https://elsewhere.example.com"), Reason.SIGNATURE_INVALID),
        (token(iss=None), Reason.SIGNATURE_INVALID),
        (token(aud="another-bot"), Reason.SIGNATURE_INVALID),
        (token(aud=None), Reason.SIGNATURE_INVALID),
        (token(exp=None), Reason.SIGNATURE_INVALID),
        (token(exp="soon"), Reason.SIGNATURE_INVALID),
        (token(exp=NOW - 301), Reason.SIGNATURE_EXPIRED),
        (token(nbf=NOW + 301), Reason.SIGNATURE_EXPIRED),
        (token(serviceurl="https://evil.example.com/"), Reason.SIGNATURE_INVALID),
        (token(serviceurl=None), Reason.SIGNATURE_INVALID),
        (token("a secret of thirty-two bytes, or so", algorithm="HS256"), Reason.SIGNATURE_INVALID),
        (token(None, algorithm="none"), Reason.SIGNATURE_INVALID),
        ({"Authorization": "Bearer a.b.c"}, Reason.SIGNATURE_INVALID),
        ({"Authorization": "Bearer unknown-key"}, Reason.KEY_UNKNOWN),
        ({}, Reason.KEY_MISSING),
    ],
    ids=[
        *("forged", "unknown-key", "issuer", "no-issuer", "audience", "no-audience", "endless"),
        *("no-number", "expired", "early", "service", "no-service", "symmetric", "unsigned"),
        *("no-token", "write-key", "nothing"),
    ],
)
async def test_what_is_forged_or_over_is_refused_and_counted(
    headers: dict[str, str], reason: Reason
) -> None:
    async with Connector().door() as door:
        with pytest.raises(Unauthorised) as refused:
            await receive(door, headers)

    assert refused.value.reason == reason
    assert door.publisher.records == []
    assert door.counted("touchpoints_rejected_total", reason=reason) == 1


@pytest.mark.parametrize(
    "headers", [token(exp=NOW - 299), token(nbf=NOW + 299)], ids=["exp", "nbf"]
)
async def test_clocks_may_differ_by_five_minutes(headers: dict[str, str]) -> None:
    async with Connector().door() as door:
        await receive(door, headers)

    assert len(door.touchpoints) == 1


async def test_a_token_is_for_the_service_that_the_activity_names() -> None:
    async with Connector().door() as door:
        for body in (
            written(activity("message", serviceUrl="https://elsewhere.example.com/")),
            written(activity("message")),
            written([activity("message", serviceUrl=SERVICE)]),
            b"{",
        ):
            with pytest.raises(Unauthorised):
                await receive(door, token(), body)

    assert door.publisher.records == []


async def test_a_key_speaks_for_the_channels_that_it_is_endorsed_for() -> None:
    connector = Connector(
        public(OWN, "k-1", endorsements=["msteams"]),
        public(OTHER, "k-2", endorsements=["directline"]),
    )
    async with connector.door() as door:
        with pytest.raises(Unauthorised):
            await receive(door, token())
        await receive(door, token(OTHER, named="k-2"))

    assert len(door.touchpoints) == 1


async def test_another_source_shows_its_key_beside() -> None:
    async with Connector().door() as door:
        await receive(door, {"Authorization": "Bearer keyed-key"})

    assert [one.source for one in door.touchpoints] == ["keyed"]


async def test_a_key_of_its_own_lets_a_source_with_tokens_in_no_more() -> None:
    async with Connector().door(keys=[hashed("bot-key")]) as door:
        with pytest.raises(Unauthorised) as refused:
            await receive(door, {"Authorization": "Bearer bot-key"})

    assert refused.value.reason == Reason.SIGNATURE_MISSING


async def test_a_new_key_is_fetched_and_invented_ones_make_no_traffic() -> None:
    connector = Connector()
    async with connector.door() as door:
        await receive(door, token())
        connector.keys = [public(OTHER, "k-2")]
        door.later(seconds=61)
        await receive(door, token(OTHER, named="k-2"))
        assert connector.asked == 2
        for number in range(20):
            with pytest.raises(Unauthorised):
                await receive(door, token(OTHER, named=f"invented-{number}"))
        with pytest.raises(Unauthorised):  # It is no longer in the list.
            await receive(door, token())

    assert connector.asked == 2
    assert len(door.touchpoints) == 2


async def test_without_keys_nothing_is_taken_and_the_sender_comes_again() -> None:
    connector = Connector()
    connector.status = 500
    async with connector.door() as door:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await receive(door, token())
        assert connector.asked == 1
        connector.status = 200
        door.later(seconds=61)
        await receive(door, token())
        connector.status = 500
        door.later(hours=25)
        await receive(door, token(exp=NOW + 10**6))  # An old list is better than none.

    assert len(door.touchpoints) == 2
    assert connector.asked == 3


async def test_keys_may_stand_in_a_file(tmp_path: Any) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [public(OWN, "k-1"), {"kty": "EC", "kid": "k-3"}]}))
    async with Connector().door(token_keys=str(path)) as door:
        await receive(door, token())

    assert len(door.touchpoints) == 1


async def test_over_http_a_forgery_is_a_401_that_is_logged_without_what_was_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Connector().door() as door, door.served() as url, ClientSession() as client:
        told = []
        for headers in (token(), token(OTHER), token(exp=NOW - 301)):
            async with client.post(
                f"{url}/chatbot/botframework", data=BODY, headers=headers
            ) as answer:
                told.append((answer.status, (await answer.json()).get("code")))

    assert told == [(200, None), (401, "signature_invalid"), (401, "signature_expired")]
    assert "signature_invalid" in caplog.text
    assert "my secret words" not in caplog.text
    assert token(OTHER)["Authorization"] not in caplog.text


@pytest.mark.parametrize(
    "told",
    [
        'signed = "botframework"',
        'signed = "botframework"\napp_ids = ["a"]\nsecrets = ["one of some length"]',
        'signed = "botframework"\napp_ids = ["a"]\ntoken_keys = "http://keys.example.com/"',
    ],
    ids=["no-app", "secrets", "no-tls"],
)
def test_settings_that_cannot_hold_are_refused(told: str, tmp_path: Any) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(
        f'identifier_hash_key = "a key of some length"\n[[sources]]\nname = "b"\n{told}'
    )

    with pytest.raises(SettingsInvalid):
        load(path)
