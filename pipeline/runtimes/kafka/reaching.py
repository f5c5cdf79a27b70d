"""Whether the brokers can be reached, and if not, why: in one sentence.

librdkafka is asked, since workers and listeners speak through it and it knows the reason.
kafka-python, which administers the topics, goes on trying and says only that time is up: a refused
password, tried again and again, can lock an account.
"""

import logging
import re
import time
from contextlib import suppress
from datetime import timedelta
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.runtimes.errors import BrokersRefused, BrokersUnreachable
from schemas.brokers import Brokers

REACH_MAX: Final = timedelta(seconds=5)
"""How long the brokers may take to answer; an election of a new leader takes less."""

_LOOK: Final = 0.25
"""Seconds of one try, between two looks at what has gone wrong so far."""

_FOR_GOOD: Final = (KafkaError._AUTHENTICATION, KafkaError._SSL)
"""Waiting does not mend these."""

_OTHER_PROTOCOL: Final = re.compile(r"security\.protocol|PLAINTEXT broker listener")
"""librdkafka's guess when a broker hangs up at the first word."""

_AROUND: Final = re.compile(
    r"^\S+: | \(after \d+ms in state \w+.*\)|^SSL handshake failed: |^Connect to \S+ failed: "
)


def reach(brokers: Brokers, within: timedelta = REACH_MAX) -> None:
    """Return once the brokers have told who they are.

    Args:
        brokers: Where they are and how to log in to them.
        within: How long that may take; what waiting cannot mend is told at once.

    Raises:
        BrokersUnreachable: Nothing answers.
        BrokersRefused: Something answers, and does not take us as we are.
    """
    _check_files(brokers)
    troubles: list[KafkaError] = []
    quiet = logging.getLogger("touchpoints.reaching")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False  # whatever goes wrong is told by the error
    told = {"error_cb": troubles.append, "reconnect.backoff.max.ms": 500}
    try:
        client = AdminClient(brokers.librdkafka() | told, logger=quiet)
    except KafkaException as error:
        raise _refused(brokers, error.args[0].str()) from error
    deadline = time.monotonic() + within.total_seconds()
    while True:
        with suppress(KafkaException):
            if client.list_topics(timeout=_LOOK).brokers:
                return
        client.poll(0)  # hands over the troubles
        for trouble in troubles:
            if trouble.code() in _FOR_GOOD or _OTHER_PROTOCOL.search(trouble.str()):
                raise _refused(brokers, _reason(trouble.str()))
        if time.monotonic() >= deadline:
            found = next((_reason(one.str()) for one in troubles), "silence")
            raise BrokersUnreachable(servers=brokers.bootstrap_servers, within=within, found=found)


def _check_files(brokers: Brokers) -> None:
    for name in ("ssl_ca_file", "ssl_certificate_file", "ssl_key_file"):
        path = getattr(brokers, name)
        if path is not None and not path.is_file():
            raise BrokersRefused(
                servers=brokers.bootstrap_servers,
                expected=f"a PEM file as {name} of [kafka]",
                found=f"no file at {path}",
                remedy="Nothing was sent.",
            )


def _reason(text: str) -> str:
    """What librdkafka says, without addresses and times."""
    before = ""
    while text != before:
        before, text = text, _AROUND.sub("", text)
    return text.rstrip(": ")


def _refused(brokers: Brokers, found: str) -> BrokersRefused:
    """What was wanted, told with what to look at."""
    expected, remedy = f"brokers that speak {brokers.security_protocol}", _LOOK_AT_PROTOCOL
    if brokers.sasl_username is not None and brokers.security_protocol.startswith("SASL"):
        expected += f" and take {brokers.sasl_mechanism} of user {brokers.sasl_username}"
        remedy = f"{_LOOK_AT_LOGIN} {_LOOK_AT_PROTOCOL}"
    return BrokersRefused(
        servers=brokers.bootstrap_servers, expected=expected, found=found, remedy=remedy
    )


_LOOK_AT_LOGIN: Final = (
    "Check sasl_username and sasl_mechanism of [kafka], and TOUCHPOINTS_KAFKA__SASL_PASSWORD."
)
_LOOK_AT_PROTOCOL: Final = (
    "Check security_protocol of [kafka] - is it what this port's listener speaks? - and with SSL "
    "ssl_ca_file."
)
