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

ANSWER_MAX: Final = timedelta(seconds=30)
"""The same of brokers that have taken the connection up: a busy one may be long over TLS. After
this time librdkafka gives a connection up."""

_LOOK: Final = 0.25
"""Seconds of one try, between two looks at what has gone wrong so far."""

_FOR_GOOD: Final = (KafkaError._AUTHENTICATION, KafkaError._SSL)
"""Waiting does not mend these."""

_SAY_NOTHING: Final = (KafkaError._ALL_BROKERS_DOWN,)
"""Comes with every other trouble, and explains none."""

_OTHER_PROTOCOL: Final = re.compile(r"PLAINTEXT broker listener|connection closed by peer")
"""What librdkafka says when a broker hangs up at the first word, as it does at one it does not
understand: the second only in its log, since between two brokers it would be nothing special."""

_NO_KAFKA: Final = "Invalid response size"
"""What librdkafka says where the first bytes of an answer are no length, but TLS's or HTTP's."""

_TAKEN_UP: Final = re.compile(r"changed state CONNECT -> \w")
"""What librdkafka says, where asked, once a connection stands and has to be agreed on."""

_HANG_UPS_MIN: Final = 3
"""Times that a broker has to hang up before it is taken for a wrong protocol, not for chance."""

_AROUND: Final = re.compile(
    r"^\S+: | \(after \d+ms in state \w+.*\)|^SSL handshake failed: |^Connect to \S+ failed: "
)


def reach(brokers: Brokers, within: timedelta = REACH_MAX) -> None:
    """Return once the brokers have told who they are.

    Args:
        brokers: Where they are and how to log in to them.
        within: How long that may take, or `ANSWER_MAX` where something takes the connection up and
            says nothing; what waiting cannot mend is told at once.

    Raises:
        BrokersUnreachable: Nothing answers.
        BrokersRefused: Something answers, and does not take us as we are.
    """
    _check_files(brokers)
    troubles: list[KafkaError] = []
    log = _Log()
    told = {"error_cb": troubles.append, "reconnect.backoff.max.ms": 500, "debug": "broker"}
    try:
        client = AdminClient(brokers.librdkafka() | told, logger=log)
    except KafkaException as error:
        raise _refused(brokers, error.args[0].str()) from error
    started = time.monotonic()
    while True:
        with suppress(KafkaException):
            if client.list_topics(timeout=_LOOK).brokers:
                return
        client.poll(0)  # hands over the troubles and the log
        for trouble in troubles:
            if trouble.code() in _FOR_GOOD:
                raise _refused(brokers, _reason(trouble.str()))
            if _NO_KAFKA in trouble.str():
                raise _refused(brokers, "an answer of another protocol, such as TLS or HTTP")
        if sum(bool(_OTHER_PROTOCOL.search(line)) for line in log.lines) >= _HANG_UPS_MIN:
            raise _refused(brokers, "they hang up at the first word, as at another protocol")
        patience = max(within, ANSWER_MAX) if log.taken_up and not troubles else within
        if time.monotonic() - started >= patience.total_seconds():
            reasons = [_reason(one.str()) for one in troubles if one.code() not in _SAY_NOTHING]
            found = next(iter(reasons), "silence")
            servers = brokers.bootstrap_servers
            raise BrokersUnreachable(servers=servers, within=patience, found=found)


class _Log(logging.Logger):
    """Keeps what librdkafka logs, and shows nothing of it: what is wrong the error tells."""

    def __init__(self) -> None:
        super().__init__("reaching")
        self.lines: list[str] = []
        self.taken_up = False

    def handle(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if record.levelno > logging.DEBUG:
            self.lines.append(said)
        elif _TAKEN_UP.search(said):
            self.taken_up = True


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
