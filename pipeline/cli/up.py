"""`touchpoints up`: listeners, pipeline and operations port in one process; data in one folder."""

import argparse
import asyncio
import logging
import sys
from contextlib import AsyncExitStack

from listeners import routes, settings
from pipeline import bootstrap
from pipeline.cli.options import (
    Misuse,
    Subparsers,
    add_catalogue,
    add_data,
    add_doors,
    add_settings,
    command,
)
from pipeline.cli.serving import serve_on, stop_signals, until_stopped
from pipeline.console import routes as console
from pipeline.console.beside import Beside
from pipeline.console.standing import Vitals
from pipeline.console.vitals import vitals_of
from schemas.topics import TOPICS

EXAMPLE = """
touchpoints up --data ./data --port 8080
curl localhost:8080/v1/touchpoints \\
  -d '{"channel": "web", "name": "home", "identifiers": {"user_id": "u-1"}}'
"""


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
    add_doors(parser)
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
    stopped = stop_signals()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(wired.runtime)
        url = await serve_on(
            stack,
            routes.application(wired.listener, chosen, wired.telemetry),
            arguments.host,
            arguments.port,
            "--port",
            chosen,
        )

        def counts() -> dict[str, int]:
            return {topic: wired.runtime.latest_offset(topic) + 1 for topic in TOPICS}

        def vitals() -> Vitals:
            readiness = wired.runtime.readiness()
            return vitals_of(wired.registry, counts(), wired.books(), readiness, bootstrap.now())

        beside = await stack.enter_async_context(Beside(console_command(arguments, url), vitals))
        operations = await serve_on(
            stack,
            console.application(wired.registry, wired.runtime.readiness, beside.passed_on),
            "127.0.0.1",
            arguments.console_port,
            "--console-port",
            chosen,
        )
        if notice:
            print(notice, file=sys.stderr)
        print(f"touchpoints: listening on {url}, operations on {operations}")
        print(f"touchpoints: data in {arguments.data.resolve()}, Ctrl-C stops", flush=True)
        await until_stopped(stopped, lambda: wired.runtime.failure)
    if wired.runtime.failure is not None:
        raise wired.runtime.failure
    return 0


def console_command(arguments: argparse.Namespace, url: str) -> list[str]:
    """What starts the console beside this process, on the same data, catalogue and settings."""
    given = ["--data", str(arguments.data), "--catalogue", str(arguments.catalogue)]
    if arguments.settings is not None:
        given += ["--settings", str(arguments.settings)]
    return [sys.executable, "-m", "pipeline.cli.main", "console", *given, "--emitters-url", url]
