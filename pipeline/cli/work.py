"""`touchpoints work`: a worker on Kafka; any number of them, Kafka divides the work."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

from prometheus_client import CollectorRegistry

from pipeline import bootstrap, settings
from pipeline.cli.options import Misuse, Subparsers, add_catalogue, command
from schemas.brokers import Brokers

EXAMPLE: Final = """
touchpoints topics create --bootstrap-servers localhost:9092
touchpoints work --bootstrap-servers localhost:9092
"""

EXIT_FAILED: Final = 1


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
    parser.add_argument(
        "--bootstrap-servers", metavar="HOST:PORT", help="Kafka; else what the settings say"
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="tables [kafka], [pipeline]")
    add_catalogue(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Work until told to stop.

    Raises:
        SettingsInvalid, CatalogueInvalid, RuntimeFault: What is wrong, before anything is read.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for noisy in ("faust", "mode", "aiokafka", "kafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    chosen = settings.load(arguments.settings, arguments.bootstrap_servers)
    if chosen.kafka is None:
        message = (
            "expected --bootstrap-servers HOST:PORT, or a table [kafka] in the file that "
            "--settings names; found neither"
        )
        raise Misuse(message)
    return asyncio.run(_serve(arguments, chosen, chosen.kafka))


async def _serve(
    arguments: argparse.Namespace, chosen: settings.PipelineSettings, brokers: Brokers
) -> int:
    from pipeline.runtimes.kafka import app  # brings Faust along, which nothing else needs

    ownership = bootstrap.worker(arguments.catalogue, chosen, brokers, CollectorRegistry())
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    made = app.create(brokers, chosen.pipeline, ownership, clock=bootstrap.now, fail=leave)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    async with app.running(made, ownership):
        print(f"touchpoints: working for {brokers.application}, Ctrl-C stops", flush=True)
        await stopped.wait()
        print("touchpoints: stopping", flush=True)
    return 0


def leave(error: BaseException) -> NoReturn:
    """End the process at once: an orderly stop could acknowledge what is not durable, or hang."""
    print(f"touchpoints: {error}", file=sys.stderr, flush=True)
    logging.shutdown()
    os._exit(EXIT_FAILED)
