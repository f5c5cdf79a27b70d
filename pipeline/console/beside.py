"""Beside: `touchpoints up` runs the console as a process of its own, behind its operations port.

So no page, however it is asked for, takes the pipeline's time: it runs at a lower priority, hears
once a second how the pipeline stands, and ends with it. The operations port answers metrics and
health itself and passes everything else on, over a socket that only this user can open.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict

from pipeline.console.socket_folder import SocketFolder
from pipeline.console.standing import Vitals

TELL_EVERY: Final = 1.0
"""Seconds between two words on how the pipeline stands."""

RESTART_AFTER: Final = 2.0
"""Seconds until a console that ended is started again."""

STOP_MAX: Final = 5.0
"""Seconds that a console may take to end; then it is killed."""

BODY_MAX: Final = 64 * 1024

NOT_PASSED: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "content-length"}
)
"""Header fields that are between two neighbours only (RFC 9110, 7.6.1)."""

WAITING: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The console is starting - Touchpoints</title></head>
<body><main><h1>The console is starting</h1>
<p role="status">It will be here in a moment. The pipeline runs without it.</p></main></body></html>
"""

_logger: Final = logging.getLogger("touchpoints.console")


class Beside:
    """The console's process, as long as it is entered.

    Args:
        command: What starts it, without its socket.
        vitals: How the pipeline stands.
    """

    def __init__(self, command: Sequence[str], vitals: Callable[[], Vitals]) -> None:
        self._command = command
        self._vitals = vitals
        self._folder = SocketFolder()
        self._socket = self._folder.socket
        self._session: aiohttp.ClientSession | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Beside":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(self._socket), limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        self._folder.close()

    def routes(self) -> web.Application:
        """Passes everything on."""
        routes = web.Application(client_max_size=BODY_MAX)
        routes.router.add_route("*", "/{path:.*}", self.passed_on)
        return routes

    async def passed_on(self, request: web.Request) -> web.StreamResponse:
        """What the console answers; a page that waits while it starts."""
        assert self._session is not None
        headers = _passed(request.headers)
        try:
            async with self._session.request(
                request.method,
                f"http://console{request.raw_path}",
                headers=headers,
                data=await request.read(),
                allow_redirects=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            ) as answer:
                given = web.StreamResponse(
                    status=answer.status, reason=answer.reason, headers=_passed(answer.headers)
                )
                await given.prepare(request)
                with contextlib.suppress(ConnectionError):
                    try:
                        async for part in answer.content.iter_any():
                            await given.write(part)
                    except aiohttp.ClientPayloadError:  # it ended: half a page is not to look whole
                        if request.transport is not None:
                            request.transport.abort()
                return given
        except (aiohttp.ClientConnectionError, OSError):
            return web.Response(
                status=503,
                text=WAITING,
                content_type="text/html",
                headers={
                    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
                    "Cache-Control": "no-store",
                    "Retry-After": "1",
                },
            )

    async def _keep(self) -> None:
        """Start it, tell it how the pipeline stands, start it again where it ends."""
        while True:
            self._socket.unlink(missing_ok=True)
            process = await asyncio.create_subprocess_exec(
                *self._command,
                "--beside",
                str(self._socket),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
            )
            try:
                await self._tell(process)
                _logger.warning("the console ended with %s", process.returncode)
            finally:
                await _ended(process)
            await asyncio.sleep(RESTART_AFTER)

    async def _tell(self, process: asyncio.subprocess.Process) -> None:
        """Tell it once a second, until it has ended."""
        assert process.stdin is not None
        while process.returncode is None:
            try:
                process.stdin.write(msgspec.json.encode(self._vitals()) + b"\n")
                await process.stdin.drain()
            except ConnectionError:
                await process.wait()
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TELL_EVERY):
                    await process.wait()


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End it by closing what it listens to; by force where that does not do."""
    if process.returncode is not None:
        return
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(STOP_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _passed(headers: Mapping[str, str]) -> CIMultiDict[str]:
    given = CIMultiDict(headers)
    for name in NOT_PASSED:
        given.popall(name, None)
    return given


async def heard(take: Callable[[Vitals], None]) -> None:
    """In the console's process: hear how the pipeline stands, until nobody says so any more."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**22)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        take(msgspec.json.decode(line, type=Vitals))


def lower_priority() -> None:
    """Let the pipeline go first, where both want the processor."""
    with contextlib.suppress(OSError):
        os.nice(10)
