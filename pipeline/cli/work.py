"""`touchpoints work`: a worker on Kafka; any number of them, Kafka divides the work."""

import argparse
import asyncio
import logging
import os
import sys
from contextlib import AsyncExitStack
from typing import Any, Final, NoReturn

from listeners import settings as listeners_settings
from pipeline import bootstrap, settings
from pipeline.cli.options import (
    Subparsers,
    add_catalogue,
    add_console_host,
    add_kafka,
    add_settings,
    command,
    named,
    port,
)
from pipeline.cli.serving import serve_on, stop_signals, until_stopped
from pipeline.console import routes as console
from pipeline.runtimes.errors import WorkerFailed

EXAMPLE: Final = """
touchpoints topics create --bootstrap-servers localhost:9092
touchpoints work --bootstrap-servers localhost:9092
"""

EXIT_FAILED: Final = 1

UNCOLLECTED_MAX: Final = 400_000
"""More than a batch of any partition makes: what it makes goes with it, without a look for cycles,
which took 7 % of a worker's time at 50,000."""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = command(
        subparsers,
        "work",
        "a worker on Kafka, as many as you like",
        "Takes its share of the partitions and runs the stages on them. Results, state and "
        "progress are one transaction: nothing is lost and nothing done twice when it is killed. "
        "Stops on Ctrl-C or SIGTERM and leaves the group at once. Exit code 1 where it cannot go "
        "on; start it again, and it goes on where it was.",
        EXAMPLE,
    )
    add_kafka(parser)
    add_settings(parser, "tables [kafka] and [pipeline]")
    parser.add_argument(
        "--console-port",
        type=port,
        default=0,
        help="the operations port: metrics and health (default: 0, a free one, which is printed)",
    )
    add_console_host(parser)
    add_catalogue(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Work until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for noisy in ("faust", "mode", "aiokafka", "kafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return asyncio.run(serve(arguments))


async def serve(arguments: argparse.Namespace) -> int:
    """Look at the topics, join the group, work until told to stop.

    Raises:
        SettingsInvalid, CatalogueInvalid, RuntimeFault: What is wrong, before anything is read.
        Misuse: No brokers are named, or the operations port is in use.
    """
    from pipeline.runtimes.kafka import administering, app  # Faust: nothing else needs it

    chosen = settings.load(arguments.settings, arguments.bootstrap_servers)
    brokers = named(chosen.kafka)
    registry = bootstrap.new_registry()
    ownership = bootstrap.worker(arguments.catalogue, chosen, brokers, registry)
    await asyncio.to_thread(administering.verify, brokers)
    stopped = stop_signals()
    made = app.create(brokers, chosen.pipeline, ownership, clock=bootstrap.now, fail=leave)

    async def working() -> tuple[bool, str]:
        return (True, "") if ownership.owned else (False, "no partition is assigned to it yet")

    async with AsyncExitStack() as stack:
        operations = await serve_on(
            stack,
            console.without_pipeline(registry, working),
            arguments.console_host,
            arguments.console_port,
            "--console-port",
            # The defaults alone: what stands in the environment is only half of a settings file.
            listeners_settings.ListenerSettings.model_construct(),
        )
        await stack.enter_async_context(app.running(made, ownership))
        print(f"touchpoints: working on {brokers.bootstrap_servers}, operations on {operations}")
        print(f"touchpoints: group {brokers.application}, Ctrl-C stops", flush=True)
        await until_stopped(stopped, lambda: crash_of(made), uncollected_max=UNCOLLECTED_MAX)
        if (crash := crash_of(made)) is not None:
            leave(crash)
    return 0


def crash_of(app: Any) -> Exception | None:
    """What ended Faust's app from within; None while it runs."""
    reason = app.crash_reason
    return reason if reason is None or isinstance(reason, Exception) else WorkerFailed(str(reason))


def leave(error: BaseException) -> NoReturn:
    """End the process at once: an orderly stop could acknowledge what is not durable, or hang."""
    print(f"touchpoints: {error}", file=sys.stderr, flush=True)
    logging.shutdown()
    os._exit(EXIT_FAILED)
