"""`touchpoints up`: listeners, pipeline and operations port in one process; data in one folder."""

import argparse
import asyncio
import gc
import logging
import signal
import sys
from contextlib import AsyncExitStack, suppress
from typing import Final

from aiohttp import web

from listeners import routes, settings
from pipeline import bootstrap
from pipeline.cli.options import (
    Misuse,
    Subparsers,
    add_catalogue,
    add_data,
    add_port,
    add_settings,
    command,
    port,
)
from pipeline.console import routes as console
from schemas.topics import TOPICS

EXAMPLE = """
touchpoints up --data ./data --port 8080
curl localhost:8080/v1/touchpoints \\
  -d '{"channel": "web", "name": "home", "identifiers": {"user_id": "u-1"}}'
"""

FAILURE_POLL: Final = 0.5
"""Seconds between two looks at whether the pipeline still works."""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = command(
        subparsers,
        "up",
        "listeners, pipeline and console in one process",
        "Takes touchpoints over HTTP, stitches them, and keeps everything in one SQLite file. "
        "Needs no broker. Stops on Ctrl-C or SIGTERM, and goes on where it was when started again.",
        EXAMPLE,
    )
    add_data(parser)
    add_port(parser)
    parser.add_argument(
        "--console-port", type=port, default=8081, help="the operations port (default: 8081)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="the listeners' address (default: 127.0.0.1)"
    )
    add_catalogue(parser)
    add_settings(parser, "sources, keys and limits")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    return asyncio.run(serve(arguments))


async def serve(arguments: argparse.Namespace) -> int:
    """Start everything, wait for a signal or for the pipeline to fail, stop everything.

    Raises:
        CatalogueInvalid, SettingsInvalid, RuntimeFault: What is wrong, before anything listens.
        Misuse: A port is in use, or the data's folder is a file.
        StorageFailed: What stopped the pipeline for good; by then nothing listens any more.
    """
    if arguments.data.exists() and not arguments.data.is_dir():
        message = f"--data: expected a folder; found a file at {arguments.data}"
        raise Misuse(message)
    chosen = settings.load(arguments.settings)
    notice = settings.check_address(chosen, arguments.host)
    wired = bootstrap.embedded(arguments.data, arguments.catalogue, chosen)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(wired.runtime)
        emitters = await _listen(
            stack,
            routes.application(wired.listener, chosen, wired.telemetry),
            arguments.host,
            arguments.port,
            "--port",
            chosen,
        )
        host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        url = f"http://{host}:{emitters}"

        def counts() -> dict[str, int]:
            return {topic: wired.runtime.latest_offset(topic) + 1 for topic in TOPICS}

        operations = await _listen(
            stack,
            console.application(wired.registry, counts, wired.runtime.readiness, url),
            "127.0.0.1",
            arguments.console_port,
            "--console-port",
            chosen,
        )
        if notice:
            print(notice, file=sys.stderr)
        print(f"touchpoints: listening on {url}, operations on http://127.0.0.1:{operations}")
        print(f"touchpoints: data in {arguments.data.resolve()}, Ctrl-C stops", flush=True)
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        while not stopped.is_set() and wired.runtime.failure is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAILURE_POLL):
                    await stopped.wait()
        print("touchpoints: stopping", flush=True)
    if wired.runtime.failure is not None:
        raise wired.runtime.failure
    return 0


async def _listen(
    stack: AsyncExitStack,
    application: web.Application,
    host: str,
    number: int,
    option: str,
    chosen: settings.ListenerSettings,
) -> int:
    """Serve an application until the stack unwinds; gives the port it got."""
    runner = routes.runner(application, chosen)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, host, number)
    try:
        await site.start()
    except OSError as error:
        message = (
            f"expected to listen on {host}:{number}; found {error.strerror or error}. "
            f"Choose another with {option}"
        )
        raise Misuse(message) from error
    addresses = runner.addresses
    return int(addresses[0][1])
