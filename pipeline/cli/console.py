"""`touchpoints console`: the console only, on the embedded log or on Kafka."""

import argparse
import asyncio
import getpass
import ipaddress
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from listeners import routes
from listeners import settings as listeners_settings
from pipeline import bootstrap, settings
from pipeline.cli.identifiers import identifier_of
from pipeline.cli.options import (
    Misuse,
    Subparsers,
    add_catalogue,
    add_data,
    add_kafka,
    add_settings,
    command,
    port,
)
from pipeline.cli.serving import serve_on, stop_signals, until_stopped
from pipeline.console.access import Access, Account
from pipeline.console.audit import Audit
from pipeline.console.beside import heard, lower_priority
from pipeline.console.feeding import Feeder
from pipeline.console.feeds import EmbeddedFeed, Feed, KafkaFeed, Offsets
from pipeline.console.processes import Processes
from pipeline.console.rendering import Renderer
from pipeline.console.standing import Vitals
from pipeline.console.web import Console, application
from pipeline.passwords import hashed

SUMMARY: Final = "the console only"

PASSWORD_MIN: Final = 12
"""Characters of a password; NIST SP 800-63B-4 asks for 15 where it is the only factor, 8 beside
another (P)."""

EXAMPLE: Final = """
touchpoints console                                       # beside a running `up`
touchpoints console --bootstrap-servers localhost:9092    # of the results on Kafka
touchpoints console --hash-password                       # for a user in the settings
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = command(
        subparsers,
        "console",
        SUMMARY,
        "Shows what customers try to do and where it breaks: a web page that reads the results of "
        "`up` or those on Kafka into a store of its own, console.db in the data's folder. Reads "
        "only. On any address but loopback it needs users in the settings.",
        EXAMPLE,
    )
    add_data(parser, "the folder of the embedded log and of the console's store")
    add_kafka(parser)
    parser.add_argument("--host", default="127.0.0.1", help="the address (default: 127.0.0.1)")
    parser.add_argument(
        "--console-port", type=port, default=8081, help="the console's port (default: 8081)"
    )
    add_catalogue(parser)
    add_settings(parser, "users, Kafka, and whose key hashes what is looked for")
    parser.add_argument(
        "--hash-password",
        action="store_true",
        help="ask for a password, print what the settings keep of it, and do nothing else",
    )
    parser.add_argument("--emitters-url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--beside", type=Path, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until told to stop."""
    if arguments.hash_password:
        print(hashed(asked_password()))
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if arguments.beside is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process it stands beside
    return asyncio.run(serve(arguments))


def asked_password() -> str:
    """A password, typed twice on a terminal or read from a pipe.

    Raises:
        Misuse: It is too short, or the two differ.
    """
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        again = getpass.getpass("Once more: ")
    else:
        password = again = sys.stdin.readline().rstrip("\n")
    if len(password) < PASSWORD_MIN:
        message = f"expected a password of {PASSWORD_MIN} characters or more; found {len(password)}"
        raise Misuse(message)
    if password != again:
        message = "expected the same password twice; found two"
        raise Misuse(message)
    return password


async def serve(arguments: argparse.Namespace) -> int:
    """Read and show until told to stop.

    Raises:
        CatalogueInvalid, SettingsInvalid: What is wrong, before anything listens.
        Misuse: The port is in use, or the address is not loopback and nobody has to log in.
    """
    chosen = listeners_settings.load(arguments.settings)
    wanted = settings.load(arguments.settings, arguments.bootstrap_servers)
    check_address(arguments.host, wanted.console)
    rules = bootstrap.catalogue(arguments.catalogue)
    feeder = Feeder(arguments.data, opening(arguments, wanted), bootstrap.now)
    renderer = Renderer(arguments.data, rules, lambda: feeder.fed, bootstrap.now)
    accounts = {one.name: Account(one.role, one.password) for one in wanted.console.users}
    console = Console(
        renderer=renderer,
        access=Access(accounts, frozenset(one.lower() for one in wanted.console.hosts)),
        audit=Audit(arguments.data, bootstrap.seal(chosen).digest, bootstrap.now),
        identifier_of=partial(typed_identifier, chosen=chosen),
        emitters_url=arguments.emitters_url,
    )
    made = application(console)
    stopped = stop_signals() if arguments.beside is None else asyncio.Event()
    feeder.start()
    processes = Processes(wanted.console.operations, partial(hear, renderer), bootstrap.now)
    try:
        async with AsyncExitStack() as stack:
            if arguments.beside is None:
                if wanted.console.operations:
                    asking = asyncio.create_task(processes.run())
                    stack.push_async_callback(ended, asking)
                defaults = listeners_settings.ListenerSettings.model_construct()
                url = await serve_on(
                    stack, made, arguments.host, arguments.console_port, "--console-port", defaults
                )
                print(f"touchpoints: console on {url}, Ctrl-C stops", flush=True)
                await until_stopped(stopped, lambda: None)
            else:
                await serve_beside(stack, made, arguments.beside, renderer)
    finally:
        await asyncio.to_thread(feeder.stop)
    return 0


async def serve_beside(
    stack: AsyncExitStack, made: web.Application, socket: Path, renderer: Renderer
) -> None:
    """Serve on a socket until the process that this one stands beside is gone."""
    runner = routes.runner(made, listeners_settings.ListenerSettings.model_construct())
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.UnixSite(runner, str(socket)).start()
    lower_priority()  # from here on; starting is over soon
    await heard(partial(hear, renderer))


def hear(renderer: Renderer, vitals: Vitals) -> None:
    """Take what the pipeline said of itself."""
    renderer.vitals = vitals


async def ended(task: "asyncio.Task[None]") -> None:
    """End a task, whatever it does."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def opening(
    arguments: argparse.Namespace, wanted: settings.PipelineSettings
) -> Callable[[Offsets], Feed]:
    """What opens the results: on Kafka where brokers are named, else of the embedded log.

    `up` is always embedded, whatever its settings say of Kafka.
    """
    brokers = wanted.kafka
    if brokers is None or arguments.beside is not None:
        return lambda offsets: EmbeddedFeed(arguments.data, offsets)
    return lambda offsets: KafkaFeed(brokers, offsets)


def check_address(host: str, wanted: settings.ConsoleSettings) -> None:
    """Refuse an address that others can reach while nobody has to log in.

    Raises:
        Misuse: It is such a one.
    """
    if wanted.users:
        return
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        message = (
            f"--host: expected loopback while nobody has to log in; found {host}. Name users in "
            "the settings: [[console.users]], with a name, a role and a password"
        )
        raise Misuse(message)


def typed_identifier(text: str, *, chosen: listeners_settings.ListenerSettings) -> str:
    """What was typed, hashed where it is personal; an id as it stands.

    Raises:
        ValueError: It names nobody.
    """
    if ":" not in text:
        return text
    try:
        return identifier_of(text, chosen)
    except Misuse as error:
        raise ValueError(str(error)) from error
