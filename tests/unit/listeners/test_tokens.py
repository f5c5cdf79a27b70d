"""Tokens of the Bot Connector: made here, with a key of our own on a server of our own."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric import rsa

from listeners.credentials import hashed
from listeners.errors import Reason, SettingsInvalid, Unauthorised
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


def shown(header: Any, rest: str = ".e30.AAAA") -> dict[str, str]:
    """Something with a token's header, whatever follows."""
    text = header if isinstance(header, bytes) else written(header)
    return {"Authorization": "Bearer " + urlsafe_b64encode(text).decode().rstrip("=") + rest}


class Connector:
    """Where the keys stand: an OpenID configuration, and the list it names."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys) or [public(OWN, "k-1")]
        self.asked = 0
        self.status = 200
        self.answers = asyncio.Event()
        self.answers.set()

    @asynccontextmanager
    async def door(self, *beside: dict[str, Any], **source: Any) -> AsyncIterator[Door]:
        app = web.Application()
        app.add_routes([web.get("/config", self._config), web.get("/keys", self._listed)])
        wired = web.AppRunner(app, access_log=None)
        await wired.setup()
        await web.TCPSite(wired, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{wired.addresses[0][1]}"
        bot = {"name": "bot", "signed": "botframework", "app_ids": ["app-1", "app-2"]}
        keyed = {"name": "keyed", "keys": [hashed("keyed-key")]}
        try:
            yield Door(
                sources=[*beside, {**bot, "token_keys": f"{self.url}/config", **source}, keyed]
            )
        finally:
            await wired.cleanup()

    async def _config(self, _: web.Request) -> web.Response:
        return web.json_response({"issuer": ISSUER, "jwks_uri": f"{self.url}/keys"})

    async def _listed(self, _: web.Request) -> web.Response:
        self.asked += 1
        await self.answers.wait()
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
        (token(exp=253402300799), Reason.SIGNATURE_INVALID),
        (token(nbf=-62135596800), Reason.SIGNATURE_INVALID),
        (shown({"alg": "RS256", "kid": "k-1"}), Reason.SIGNATURE_INVALID),
        (shown({"alg": "RS256", "kid": "k-1"}, ".\udcff.b"), Reason.SIGNATURE_INVALID),
        (shown({"kid": "k-1"}), Reason.KEY_UNKNOWN),
        (shown(["alg"]), Reason.KEY_UNKNOWN),
        (shown(b'{"alg":"RS256","a":' + b"[" * 5000), Reason.KEY_UNKNOWN),
        ({"Authorization": "Bearer a.\udcff.b"}, Reason.KEY_UNKNOWN),
        ({"Authorization": "Bearer \udcff.a.b"}, Reason.KEY_UNKNOWN),
        ({"Authorization": "Bearer a.b.c"}, Reason.KEY_UNKNOWN),
        ({"Authorization": "Bearer unknown-key"}, Reason.KEY_UNKNOWN),
        ({}, Reason.KEY_MISSING),
    ],
    ids=[
        *("forged", "unknown-key", "issuer", "no-issuer", "audience", "no-audience", "endless"),
        *("no-number", "expired", "early", "service", "no-service", "symmetric", "unsigned"),
        *("year-9999", "year-1", "no-claims", "no-ascii", "no-algorithm", "no-object", "deep"),
        *("key-no-ascii", "key-no-ascii-first", "no-token", "write-key", "nothing"),
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
            written({"serviceUrl": SERVICE, "transcript": [activity("message")]}),
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


async def test_a_channel_that_is_no_text_is_none_that_a_key_is_endorsed_for() -> None:
    async with Connector(public(OWN, "k-1", endorsements=["msteams"])).door() as door:
        for channel in (["msteams"], {"msteams": 1}, None, 1):
            with pytest.raises(Unauthorised):
                await receive(
                    door,
                    token(),
                    written(activity("message", serviceUrl=SERVICE, channelId=channel)),
                )

    assert door.publisher.records == []


OUTSIDE = activity("message", serviceUrl="https://elsewhere.example.com/", channelId="other")
HONEST = b'{"serviceUrl": "%s", "channelId": "directline", ' % SERVICE.encode()


@pytest.mark.parametrize(
    "body",
    [
        HONEST + b'"transcript": [' + written(OUTSIDE) + b"]}",
        HONEST + b'"transcript": [' + BODY + b"," + BODY + b"]}",
        HONEST + b'"more": [{}\n,\n' + written(OUTSIDE) + b"\n,\n{}]}",
    ],
    ids=["transcript", "transcript-of-its-own", "lines"],
)
async def test_a_token_lets_in_nothing_but_the_activity_that_it_was_compared_with(
    body: bytes,
) -> None:
    async with Connector(public(OWN, "k-1", endorsements=["directline"])).door() as door:
        with pytest.raises(Unauthorised) as refused:
            await receive(door, token(), body)
        await receive(door, token(), BODY + b"\n")

    assert refused.value.reason == Reason.SIGNATURE_INVALID
    assert len(door.touchpoints) == len(door.publisher.records) == 1


@pytest.mark.parametrize("key", ["keyed-key", "v1.keyed.key", "e30.keyed.key"])
async def test_another_source_shows_its_key_beside(key: str) -> None:
    keyed = {"name": "other", "keys": [hashed(key)]}
    async with Connector().door(*([keyed] if "." in key else [])) as door:
        await receive(door, {"Authorization": f"Bearer {key}"})

    assert [one.source for one in door.touchpoints] == ["other" if "." in key else "keyed"]


async def test_a_key_of_its_own_lets_a_source_with_tokens_in_no_more() -> None:
    async with Connector().door(keys=[hashed("bot-key")]) as door:
        with pytest.raises(Unauthorised) as refused:
            await receive(door, {"Authorization": "Bearer bot-key"})

    assert refused.value.reason == Reason.SIGNATURE_MISSING


async def test_over_http_what_is_no_text_is_a_401() -> None:
    async with Connector().door() as door, door.served() as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        for bearer in (b"a.\xff.b", b"eyJhbGciOiJSUzI1NiIsImtpZCI6ImstMSJ9.\xff.b"):
            writer.write(
                b"POST /chatbot/botframework HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer "
                + bearer
                + b"\r\nContent-Length: %d\r\n\r\n" % len(BODY)
                + BODY
            )
            told = await reader.readuntil(b"\r\n\r\n")
            assert told.startswith(b"HTTP/1.1 401 ")
            length = told.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
        writer.close()


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
        'signed = "botframework"\napp_ids = ["a"]\n'
        'token_keys = "http://localhost:x@evil.example.com/"',
        'signed = "botframework"\napp_ids = ["a"]\ntoken_keys = "http://[::1"',
    ],
    ids=["no-app", "secrets", "no-tls", "no-tls-either", "no-address"],
)
def test_settings_that_cannot_hold_are_refused(told: str, tmp_path: Any) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(
        f'identifier_hash_key = "a key of some length"\n[[sources]]\nname = "b"\n{told}'
    )

    with pytest.raises(SettingsInvalid):
        load(path)
