"""What the commands share that serve HTTP until they are told to stop."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Final

from aiohttp import web

from listeners import routes
from listeners.settings import ListenerSettings
from pipeline.cli.options import Misuse

FAILURE_POLL: Final = 0.5
"""Seconds between two looks at whether the process still works."""


async def serve_on(
    stack: AsyncExitStack,
    application: web.Application,
    host: str,
    number: int,
    option: str,
    chosen: ListenerSettings,
) -> str:
    """Serve an application until the stack unwinds; gives its address as a URL.

    Args:
        stack: What ends it.
        application: What is served.
        host: The address to bind.
        number: The port; 0 lets the system choose.
        option: The option that chooses the port, for the message.
        chosen: Limits of the connections.

    Raises:
        Misuse: The port is in use, or the address is not ours.
    """
    runner = routes.runner(application, chosen)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, host, number)
    try:
        await site.start()
    except OSError as error:
        # asyncio puts the address into the system's own words, which name it already.
        code = error.errno or 0
        found = os.strerror(code) if code > 0 else error.strerror or error
        message = (
            f"expected to listen on {host}:{number}; found: {found}. Choose another with {option}"
        )
        raise Misuse(message) from error
    got = int(runner.addresses[0][1])
    return f"http://[{host}]:{got}" if ":" in host else f"http://{host}:{got}"


def stop_signals() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set, from now on."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    return stopped


async def until_stopped(
    stopped: asyncio.Event,
    failure: Callable[[], Exception | None],
    *,
    uncollected_max: int = 50_000,
) -> None:
    """Return when told to stop, or once there is a failure that ends the process.

    Args:
        stopped: As `stop_signals` gives it.
        failure: What ends the process; None while nothing does.
        uncollected_max: New containers after which Python looks for cycles among them.
    """
    gc.freeze()
    gc.set_threshold(uncollected_max, 20, 100)
    while not stopped.is_set() and failure() is None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FAILURE_POLL):
                await stopped.wait()
    print("touchpoints: stopping", flush=True)
