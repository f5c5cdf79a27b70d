"""The bridge as a process, between an exchange that is not there and a listener that is."""

import ast
import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

from listeners.bridges import asterisk
from listeners.credentials import hashed
from tests.unit.listeners.doors import Door

CALL = """\
Event: Newchannel
Channel: PJSIP/trunk-1
CallerIDNum: +442079460042
Context: from-trunk
Exten: 18005551212
Priority: 1
Uniqueid: 17.1
Linkedid: 17.1

Event: Newexten
Channel: PJSIP/trunk-1
Context: ivr-main
Exten: s
Priority: 1
Uniqueid: 17.1
Linkedid: 17.1
Application: Answer

Event: Newexten
Channel: PJSIP/trunk-1
Context: ivr-main
Exten: s
Priority: 2
Uniqueid: 17.1
Linkedid: 17.1
Application: BackGround

Event: PeerStatus
Peer: PJSIP/agent-7

Event: Newexten
Channel: PJSIP/trunk-1
Context: ivr-main
Exten: t
Priority: 1
Uniqueid: 17.1
Linkedid: 17.1
Application: Playback

Event: Hangup
Timestamp: 1767323193.100000
Channel: PJSIP/trunk-1
Uniqueid: 17.1
Linkedid: 17.1
Cause: 16

"""
NAMES = ["call_started", "menu", "menu_choice", "call_ended"]


class Exchange:
    """A manager interface that lets one user in and says the same to whoever reads it."""

    def __init__(self, said=CALL):
        self.said = said
        self.logins = []

    async def _serve(self, reader, writer):
        writer.write(b"Asterisk Call Manager/9.0.0\r\n")
        login = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.logins.append(login)
        if "Secret: right\r\n" in login:
            writer.write(b"Response: Success\r\nMessage: Authentication accepted\r\n\r\n")
            writer.write(self.said.replace("\n", "\r\n").encode())
        else:
            writer.write(b"Response: Error\r\nMessage: Authentication failed\r\n\r\n")
        await writer.drain()
        if await reader.read(1) == b"":
            writer.close()

    @asynccontextmanager
    async def served(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()


@asynccontextmanager
async def bridge(port, url, secret="right"):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "listeners.bridges.asterisk",
        "--manager", f"127.0.0.1:{port}", "--user", "touchpoints",
        "--listener", f"{url}/ivr/asterisk", "--name", "pbx-1",
        env=os.environ | {"TOUCHPOINTS_BRIDGE_SECRET": secret, "TOUCHPOINTS_BRIDGE_KEY": "pbx-key"},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def eventually(true, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.05)


def pbx():
    door = Door(sources=[{"name": "pbx", "keys": [hashed("pbx-key")]}])
    door.now = door.now.replace(year=2099)
    return door


async def test_a_call_comes_through_once_though_the_listener_was_away_first():
    door, exchange = pbx(), Exchange()
    door.publisher.down = True
    async with exchange.served() as port, door.served() as url, bridge(port, url) as process:
        await eventually(lambda: door.counted("touchpoints_rejected_total", reason="unavailable"))
        door.publisher.down = False
        await eventually(lambda: door.touchpoints)
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 20)

    assert code == 0
    assert [one.name for one in door.touchpoints] == NAMES
    assert [one.signals for one in door.touchpoints] == [(), (), ("no_input",), ("hangup",)]
    assert {one.session_hint for one in door.touchpoints} == {"17.1"}
    assert len({one.id for one in door.touchpoints}) == 4
    assert all(one.id.startswith("pbx-1/") for one in door.touchpoints)
    assert door.touchpoints[-1].occurred_at.isoformat() == "2026-01-02T03:06:33.100000+00:00"
    assert "Username: touchpoints" in exchange.logins[0]


async def test_a_login_that_is_refused_ends_it_with_one_message():
    async with Exchange().served() as port, bridge(port, "http://127.0.0.1:1", "wrong") as process:
        _, said = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 1
    assert said.decode().count("refuses the login: Authentication failed") == 1
    assert "wrong" not in said.decode()


async def test_what_is_held_is_posted_when_it_is_told_to_stop():
    door = pbx()
    door.publisher.down = True
    async with Exchange().served() as port, door.served() as url, bridge(port, url) as process:
        await eventually(lambda: door.counted("touchpoints_rejected_total", reason="unavailable"))
        process.send_signal(signal.SIGTERM)
        door.publisher.down = False
        code = await asyncio.wait_for(process.wait(), 20)

    assert code == 0
    assert [one.name for one in door.touchpoints] == NAMES


def test_the_bridge_needs_nothing_but_python():
    tree = ast.parse(Path(asterisk.__file__).read_text())
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }

    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
