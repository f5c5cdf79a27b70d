"""`touchpoints listen`: the listeners alone, publishing to Kafka, with a spool for its absence."""

import argparse
import asyncio
import logging
import sys
from contextlib import AsyncExitStack
from functools import partial

from listeners import routes, settings
from listeners.errors import Unavailable
from listeners.publishers.kafka import KafkaPublisher
from listeners.publishers.spooling import SpoolingPublisher
from pipeline import bootstrap
from pipeline import settings as pipeline_settings
from pipeline.cli.options import (
    Misuse,
    Subparsers,
    add_console_host,
    add_data,
    add_doors,
    add_kafka,
    add_settings,
    command,
    named,
)
from pipeline.cli.serving import serve_on, stop_signals, until_stopped
from pipeline.console import routes as console

EXAMPLE = """
touchpoints listen --bootstrap-servers kafka-1:9092,kafka-2:9092 --data /var/lib/touchpoints
curl localhost:8080/v1/touchpoints \\
  -d '{"channel": "web", "name": "home", "identifiers": {"user_id": "u-1"}}'
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = command(
        subparsers,
        "listen",
        "listeners only, publishing to Kafka",
        "Takes touchpoints over HTTP and publishes them to Kafka. A 200 means that the brokers "
        "have confirmed, or, while they are away, that it is in the spool on this disk, from where "
        "it is sent in order once they are back. Stops on Ctrl-C or SIGTERM; what is left in the "
        "spool is sent by the next start. Any number of processes may listen, each with a folder "
        "of its own. Exit codes: 0 stopped, 1 failed, 2 used wrongly.",
        EXAMPLE,
    )
    add_kafka(parser)
    add_data(parser, "the folder of the spool")
    add_doors(parser)
    add_console_host(parser)
    add_settings(parser, "sources, keys, limits and Kafka")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    return asyncio.run(serve(arguments))


async def serve(arguments: argparse.Namespace) -> int:
    """Start everything, wait for a signal or for the disk to fail, stop everything.

    Raises:
        SettingsInvalid, KafkaRefused, SpoolInUse, SpoolUnreadable: What is wrong, before anything
            listens. Brokers that are away are not: the spool takes over.
        Misuse: No brokers are named, a port is in use, or the folder is a file.
        SpoolFailed: The disk can no longer be believed; by then nothing listens any more.
        KafkaRefused: So too where brokers that said nothing at the start refuse us later.
    """
    if arguments.data.exists() and not arguments.data.is_dir():
        message = f"--data: expected a folder; found a file at {arguments.data}"
        raise Misuse(message)
    chosen = settings.load(arguments.settings)
    notice = settings.check_address(chosen, arguments.host)
    brokers = named(pipeline_settings.load(arguments.settings, arguments.bootstrap_servers).kafka)
    doors = bootstrap.listening(arguments.data, brokers, chosen)
    stopped = stop_signals()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(doors.publisher.stop)
        asking = await _greeted(doors.kafka, brokers.bootstrap_servers)
        stack.callback(asking.cancel)
        await doors.publisher.start()
        url = await serve_on(
            stack,
            routes.application(doors.listener, chosen, doors.telemetry),
            arguments.host,
            arguments.port,
            "--port",
            chosen,
        )
        operations = await serve_on(
            stack,
            console.without_pipeline(doors.registry, partial(_deliverable, doors.publisher)),
            arguments.console_host,
            arguments.console_port,
            "--console-port",
            chosen,
        )
        if notice:
            print(notice, file=sys.stderr)
        print(f"touchpoints: listening on {url}, operations on {operations}")
        print(
            f"touchpoints: publishing to {brokers.bootstrap_servers}, spool in "
            f"{arguments.data.resolve()}, Ctrl-C stops",
            flush=True,
        )

        def failure() -> Exception | None:
            return _refused(asking) or doors.publisher.failure

        await until_stopped(stopped, failure)
        failed = failure()
    if failed is not None:
        raise failed
    return 0


async def _deliverable(publisher: SpoolingPublisher) -> tuple[bool, str]:
    try:
        await publisher.ready()
    except Unavailable as unavailable:
        return False, unavailable.reason
    return True, ""


async def _greeted(kafka: KafkaPublisher, servers: str) -> "asyncio.Task[None]":
    """Ask the brokers; the task goes on asking where none has answered.

    Raises:
        KafkaRefused: They answer, and do not know us.
    """
    try:
        await kafka.check()
    except Unavailable as away:
        print(
            f"{servers}: no broker answers ({away.reason}). What comes in goes into the spool, and "
            f"to Kafka once one does.",
            file=sys.stderr,
        )
        return asyncio.create_task(kafka.first_answer())
    return asyncio.create_task(asyncio.sleep(0))


def _refused(asking: "asyncio.Task[None]") -> Exception | None:
    """What the brokers said at last, where they do not know us."""
    said = asking.exception() if asking.done() and not asking.cancelled() else None
    return said if isinstance(said, Exception) else None
