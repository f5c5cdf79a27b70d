"""Identifiers as a person types them: `email:ann@example.com`, made what the topics hold."""

import argparse
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from listeners.credentials import HASH_LENGTH, hash_identifier
from listeners.settings import ListenerSettings
from pipeline.cli.options import Misuse, Subparsers, add_data, add_kafka, add_settings, command
from pipeline.runtimes.embedded.peeking import peeking
from pipeline.stitching.erasing import States
from schemas.identifiers import CLASSES, DIRECTIVES, PERSONAL, blocked, normalise

if TYPE_CHECKING:
    from schemas.brokers import Brokers

_HASH: Final = re.compile(f"[0-9a-f]{{{HASH_LENGTH}}}")
_TYPE: Final = re.compile(r"[A-Za-z][\w.-]*")


def identifier_of(text: str, settings: ListenerSettings) -> str:
    """An identifier as `type:value`, normalised, and hashed where it is personal.

    A personal value that is a hash already stays as it is.

    Raises:
        Misuse: It is none, or its value names nobody.
    """
    kind, colon, value = text.partition(":")
    if not colon or not _TYPE.fullmatch(kind) or kind in DIRECTIVES:
        message = (
            f"expected TYPE:VALUE such as user_id:u-1 or email:ann@example.com, the type one of "
            f"{', '.join(CLASSES)} or your own; found {text!r}"
        )
        raise Misuse(message)
    if kind in PERSONAL and _HASH.fullmatch(value):
        return text
    value = normalise(kind, value)
    if (why := blocked(value)) is not None:
        message = f"expected an identifier that names somebody; found {text!r}: {why}"
        raise Misuse(message)
    if kind in PERSONAL:
        value = hash_identifier(value, settings.hash_key)
    return f"{kind}:{value}"


def parser_of(
    subparsers: Subparsers, name: str, summary: str, description: str, example: str
) -> argparse.ArgumentParser:
    """A command about somebody's identifiers: where the data are, and whose key hashes."""
    parser = command(subparsers, name, summary, description, example)
    add_data(parser)
    add_kafka(parser)
    add_settings(parser, "whose key hashes personal identifiers, and Kafka's address")
    return parser


def kafka_of(arguments: argparse.Namespace) -> "Brokers | None":
    """The brokers that the command line or the settings name; None for the embedded runtime.

    Raises:
        SettingsInvalid: What they say is no address.
    """
    if not (arguments.bootstrap_servers or arguments.settings):
        return None
    from pipeline import settings  # not needed for the embedded runtime

    return settings.load(arguments.settings, arguments.bootstrap_servers).kafka


def states_of(arguments: argparse.Namespace, stack: ExitStack) -> States:
    """What is known of identifiers: of the embedded runtime, or by the changelog on Kafka.

    Raises:
        RuntimeFault: It cannot be read; says why.
    """
    brokers = kafka_of(arguments)
    if brokers is None:
        return stack.enter_context(peeking(arguments.data))
    from pipeline.runtimes.kafka.operating import known_identifiers

    return known_identifiers(brokers).get
